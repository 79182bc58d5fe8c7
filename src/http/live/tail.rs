//! The one reader of the log for all connections of this process.
//!
//! Owns following the position that every projection has reached, and letting progress of jobs
//! in between. It publishes to the ring and must not know of connections.

use super::narrator::Narrator;
use super::ring::Ring;
use super::update::{self, LiveEvent};
use crate::event_store::{EventLog, LogError};
use crate::signals::{FLOOR, Progress, Signals};
use kmrl_domain::values::Status;
use kmrl_projections::query::ReadModel;
use std::collections::VecDeque;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Events read from the log at once.
const BATCH: i64 = 512;
/// Reports of progress held for documents whose start is not visible yet.
const HELD: usize = 256;

/// Why the tail could not go on for now.
#[derive(Debug, thiserror::Error)]
enum TailError {
    #[error("asking how far the projections are")]
    Visible(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("reading the log after {after}")]
    Log {
        after: i64,
        #[source]
        source: LogError,
    },
}

/// Follows the log.
pub(super) struct Tail {
    log: EventLog,
    read: ReadModel,
    ring: Ring,
    narrator: Narrator,
    held: Held,
    position: i64,
}

impl Tail {
    pub(super) fn new(log: EventLog, read: ReadModel, ring: Ring) -> Self {
        Self {
            narrator: Narrator::new(log.clone()),
            held: Held::default(),
            position: ring.sent(),
            log,
            read,
            ring,
        }
    }

    /// Runs until stopped. Failures are logged and tried again.
    pub(super) async fn run(mut self, signals: Signals, stop: CancellationToken) {
        let mut projected = signals.on_projected();
        let mut progress = signals.progress();
        let mut floor = tokio::time::interval(FLOOR);
        floor.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let report = tokio::select! {
                () = stop.cancelled() => return,
                // Lagging behind progress loses nothing that matters: the next says more.
                Ok(report) = progress.recv() => Some(report),
                Ok(()) = projected.changed() => None,
                _ = floor.tick() => None,
            };
            let done = match report {
                Some(report) => self.progress(report).await,
                None => self.advance().await,
            };
            if let Err(error) = done {
                tracing::warn!(
                    position = self.position,
                    error = &error as &dyn std::error::Error,
                    "live messages wait"
                );
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = crate::pause::pause(FLOOR) => {}
                }
            }
        }
    }

    /// Publishes everything up to the visible position.
    async fn advance(&mut self) -> Result<(), TailError> {
        let visible = self
            .read
            .visible_position()
            .await
            .map_err(|e| TailError::Visible(e.into()))?;
        while self.position < visible {
            let after = self.position;
            let wrong = |source| TailError::Log { after, source };
            let limit = BATCH.min(visible - after);
            let read = self.log.read_without_access(after, limit);
            let events = read.await.map_err(wrong)?;
            let Some(last) = events.last().map(|e| e.position) else {
                break;
            };
            let mut batch = Vec::with_capacity(events.len());
            for event in &events {
                if let Some(told) = self.narrator.tell(event).await.map_err(wrong)? {
                    let (id, position) = (told.document_id, told.position);
                    batch.push(told);
                    batch.extend(self.release(id, position).await.map_err(wrong)?);
                }
            }
            self.ring.publish(batch, last);
            self.position = last;
        }
        Ok(())
    }

    /// Progress that was held for a document, once its start has been told.
    async fn release(&mut self, id: Uuid, position: i64) -> Result<Option<LiveEvent>, LogError> {
        let Some(report) = self.held.take(id) else {
            return Ok(None);
        };
        self.place(report, position).await
    }

    async fn progress(&mut self, report: Progress) -> Result<(), TailError> {
        let after = self.position;
        let placed = self
            .place(report, after)
            .await
            .map_err(|source| TailError::Log { after, source })?;
        if let Some(event) = placed {
            self.ring.put(event);
        }
        Ok(())
    }

    /// A report is a message while its attempt is the visible one; before, it is held; after, it
    /// is dropped, or a document would go back from processed to processing.
    async fn place(&mut self, report: Progress, at: i64) -> Result<Option<LiveEvent>, LogError> {
        let known = self.narrator.known(report.document_id, at).await?;
        match known {
            Some(k) if k.status == Status::Processing => {
                let of_this_attempt = k.started_at.is_none_or(|start| report.timestamp >= start);
                let told = of_this_attempt.then(|| update::of_progress(&report, at, k));
                Ok(told
                    .transpose()
                    .inspect_err(|error| tracing::error!(%error, "writing a message of progress"))
                    .ok()
                    .flatten())
            }
            Some(k) if matches!(k.status, Status::Processed | Status::Failed) => Ok(None),
            _ => {
                self.held.put(report);
                Ok(None)
            }
        }
    }
}

/// The newest report of each document that waits for its start. Bounded: the oldest goes.
#[derive(Debug, Default)]
struct Held(VecDeque<Progress>);

impl Held {
    fn put(&mut self, report: Progress) {
        self.0.retain(|p| p.document_id != report.document_id);
        if self.0.len() >= HELD {
            self.0.pop_front();
        }
        self.0.push_back(report);
    }

    fn take(&mut self, id: Uuid) -> Option<Progress> {
        let place = self.0.iter().position(|p| p.document_id == id)?;
        self.0.remove(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::OffsetDateTime;

    fn report(id: u128, page: u32) -> Progress {
        Progress {
            document_id: Uuid::from_u128(id),
            percent: 0,
            page,
            pages: 9,
            timestamp: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_newest_report_is_held_and_the_oldest_document_goes() {
        let mut held = Held::default();
        held.put(report(0, 1));
        held.put(report(0, 2));
        assert_eq!(held.take(Uuid::from_u128(0)).map(|p| p.page), Some(2));
        assert_eq!(held.take(Uuid::from_u128(0)), None);
        for id in 0..=HELD as u128 {
            held.put(report(id, 1));
        }
        assert_eq!(held.0.len(), HELD);
        assert_eq!(held.take(Uuid::from_u128(0)), None);
    }
}
