//! Makes records of access durable: gathers what waits into few events and appends them.
//!
//! One task a process. While one append runs the next records gather, so that many reads share
//! one flush to disk. `record` returns when the record is durable, and only then may an answer be
//! sent: a crash can leave a record of an answer that never arrived, never the reverse.
//!
//! What waits is bounded in bytes. Attempts of nobody have a small room of their own: a flood of
//! them is slowed down and then turned away, and takes no place from those who hold a key.

use crate::event_store::{Append, AppendError, CommandMetadata, NewEvent, PostgresEventStore};
use crate::fault_point;
use crate::ports::Ids;
use kmrl_domain::access::{self, AccessRecord, AccessRecorded};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Most records in one event: bounds what a reader of the log takes at once.
const MOST_RECORDS: usize = 64;
/// Most bytes of records in one event, but for a single one that has more.
const MOST_BYTES: usize = 64 * 1024;
/// Most askers whose records go into one append.
const MOST_ASKERS: usize = 512;
/// Of these, at most so many whom nobody knows.
const MOST_STRANGERS: usize = 64;
/// Kilobytes of records that may wait.
const ROOM: u32 = 16 * 1024;
/// Kilobytes of records of unknown callers that may wait.
const ROOM_FOR_STRANGERS: u32 = 512;
/// Longest that an answer waits for its record.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no record. The answer must not be given.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RecordError {
    /// More records wait than may.
    #[error("too many records of access wait")]
    Overloaded,
    /// It took too long. The record may still become durable.
    #[error("the record of access was not durable in time")]
    Late,
    /// The log did not take it. The record may still be there.
    #[error("recording the access")]
    Append(#[source] Arc<AppendError>),
    /// The recorder was shut down.
    #[error("the recorder of access has stopped")]
    Stopped,
}

/// Takes records to the one task that writes them. Cheap to clone; clones are one and the same.
#[derive(Clone)]
pub struct AccessRecorder(Arc<Inner>);

struct Inner {
    known: Room,
    strangers: Room,
    stop: CancellationToken,
    task: TaskTracker,
}

/// A bounded place to wait in.
struct Room {
    places: Arc<Semaphore>,
    queue: mpsc::Sender<Asker>,
}

impl Room {
    fn new(kilobytes: u32) -> (Self, mpsc::Receiver<Asker>) {
        let (queue, asked) = mpsc::channel(kilobytes as usize);
        let places = Arc::new(Semaphore::new(kilobytes as usize));
        (Self { places, queue }, asked)
    }

    fn put(&self, records: Vec<AccessRecord>) -> Result<oneshot::Receiver<Done>, RecordError> {
        let bytes: usize = records.iter().map(AccessRecord::weight).sum();
        let kilobytes = u32::try_from(bytes / 1024 + 1).map_err(|_| RecordError::Overloaded)?;
        let places = Arc::clone(&self.places).try_acquire_many_owned(kilobytes);
        let (answer, done) = oneshot::channel();
        let asker = Asker {
            records,
            answer,
            _places: places.map_err(|_| RecordError::Overloaded)?,
        };
        self.queue.try_send(asker).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => RecordError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => RecordError::Stopped,
        })?;
        Ok(done)
    }
}

type Done = Result<(), RecordError>;

/// Records that belong together, and who waits for them.
struct Asker {
    records: Vec<AccessRecord>,
    answer: oneshot::Sender<Done>,
    _places: OwnedSemaphorePermit,
}

impl AccessRecorder {
    /// Starts the task that writes.
    #[must_use]
    pub fn start(store: PostgresEventStore, ids: Arc<dyn Ids>) -> Self {
        let (known, known_asked) = Room::new(ROOM);
        let (strangers, strangers_asked) = Room::new(ROOM_FOR_STRANGERS);
        let (stop, task) = (CancellationToken::new(), TaskTracker::new());
        let scribe = Scribe {
            stream: ids.new_id(),
            store,
            ids,
            version: 0,
            known: known_asked,
            strangers: strangers_asked,
        };
        task.spawn(scribe.run(stop.clone()));
        task.close();
        Self(Arc::new(Inner {
            known,
            strangers,
            stop,
            task,
        }))
    }

    /// Records an access; durable when this returns `Ok`.
    ///
    /// # Errors
    /// See [`RecordError`]: the answer must not be given.
    pub async fn record(&self, record: AccessRecord) -> Result<(), RecordError> {
        self.record_all(vec![record]).await
    }

    /// Records what belongs to one request: all or none.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub async fn record_all(&self, records: Vec<AccessRecord>) -> Result<(), RecordError> {
        if records.is_empty() {
            return Ok(());
        }
        let done = self.put(records)?;
        match tokio::time::timeout(PATIENCE, done).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(RecordError::Stopped),
            Err(_) => Err(RecordError::Late),
        }
    }

    /// Records what showed nothing, such as a failure, without waiting. A record that finds no
    /// place is logged and left out.
    pub fn note(&self, records: Vec<AccessRecord>) {
        if records.is_empty() {
            return;
        }
        if let Err(error) = self.put(records) {
            tracing::warn!(%error, "a failure was not recorded in the audit trail");
        }
    }

    fn put(&self, records: Vec<AccessRecord>) -> Result<oneshot::Receiver<Done>, RecordError> {
        let records: Vec<_> = records.into_iter().map(AccessRecord::bounded).collect();
        let strange = records.iter().all(|r| r.key_id.is_none());
        let room = if strange {
            &self.0.strangers
        } else {
            &self.0.known
        };
        room.put(records)
    }

    /// Takes no more records, and returns when those that wait have been written.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.task.wait().await;
    }
}

/// The task that writes.
struct Scribe {
    store: PostgresEventStore,
    ids: Arc<dyn Ids>,
    /// The stream of this process; a new one when it is not sure how far the old one is.
    stream: Uuid,
    version: i64,
    known: mpsc::Receiver<Asker>,
    strangers: mpsc::Receiver<Asker>,
}

impl Scribe {
    async fn run(mut self, stop: CancellationToken) {
        loop {
            let stopped = stop.is_cancelled();
            if stopped {
                self.known.close();
                self.strangers.close();
            }
            let mut askers = self.gather();
            if askers.is_empty() {
                let first = tokio::select! {
                    biased;
                    asker = self.known.recv() => asker,
                    asker = self.strangers.recv() => asker,
                    () = stop.cancelled(), if !stopped => continue,
                };
                match first {
                    Some(asker) => askers.push(asker),
                    // Both rooms are closed at once; the other may still hold some.
                    None => {
                        askers = self.gather();
                        if askers.is_empty() {
                            return;
                        }
                    }
                }
            }
            self.write(askers).await;
            // Those just answered may ask again: let them come along with the next append.
            tokio::task::yield_now().await;
        }
    }

    fn gather(&mut self) -> Vec<Asker> {
        let mut askers = Vec::new();
        while askers.len() < MOST_ASKERS - MOST_STRANGERS
            && let Ok(asker) = self.known.try_recv()
        {
            askers.push(asker);
        }
        let most = askers.len() + MOST_STRANGERS;
        while askers.len() < most
            && let Ok(asker) = self.strangers.try_recv()
        {
            askers.push(asker);
        }
        askers
    }

    async fn write(&mut self, askers: Vec<Asker>) {
        let mut groups = VecDeque::from([askers]);
        while let Some(mut group) = groups.pop_front() {
            let done = match self.append(&group).await {
                // One that cannot be stored must not take others with it.
                Err(AppendError::Payload { .. }) if group.len() > 1 => {
                    let rest = group.split_off(group.len() / 2);
                    groups.push_front(rest);
                    groups.push_front(group);
                    continue;
                }
                Ok(()) => Ok(()),
                Err(error) => Err(RecordError::Append(Arc::new(error))),
            };
            for asker in group {
                // Whoever asked may have gone; the record stays.
                drop(asker.answer.send(done.clone()));
            }
        }
    }

    async fn append(&mut self, askers: &[Asker]) -> Result<(), AppendError> {
        let events = events(askers).map_err(|source| AppendError::Payload {
            source: source.into(),
        })?;
        let append = Append {
            aggregate_type: access::TYPE,
            aggregate_id: self.stream.to_string(),
            expected_version: self.version,
            events,
            metadata: CommandMetadata {
                actor: "system:audit".into(),
                correlation_id: self.stream.to_string(),
                ..CommandMetadata::default()
            },
            idempotency: None,
            claim: None,
        };
        match self.store.append(append).await {
            Ok(appended) => {
                fault_point::reach("recorder.after_commit");
                self.version = appended.version;
                Ok(())
            }
            Err(error) => {
                if !matches!(error, AppendError::Payload { .. }) {
                    // Unknown what came of it: nothing is to depend on that.
                    (self.stream, self.version) = (self.ids.new_id(), 0);
                }
                Err(error)
            }
        }
    }
}

/// The records in their order, cut into events.
fn events(askers: &[Asker]) -> Result<Vec<NewEvent>, serde_json::Error> {
    let mut cut: Vec<AccessRecorded> = Vec::new();
    let mut bytes = 0;
    for record in askers.iter().flat_map(|a| &a.records) {
        bytes += record.weight();
        match cut.last_mut() {
            Some(event) if event.records.len() < MOST_RECORDS && bytes <= MOST_BYTES => {
                event.records.push(record.clone());
            }
            _ => {
                bytes = record.weight();
                cut.push(AccessRecorded {
                    records: vec![record.clone()],
                });
            }
        }
    }
    cut.iter().map(|event| NewEvent::new(event, None)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kmrl_domain::access::Outcome;
    use time::OffsetDateTime;

    fn record(parameters: usize) -> AccessRecord {
        let mut record =
            AccessRecord::new("view", Outcome::Shown, "key:a", OffsetDateTime::UNIX_EPOCH);
        record.parameters = (0..parameters)
            .map(|n| (n.to_string(), "v".repeat(256)))
            .collect();
        record
    }

    #[test]
    fn events_are_cut_by_number_and_by_bytes_and_lose_nothing() {
        let (room, mut asked) = Room::new(1_024);
        for _ in 0..130 {
            room.put(vec![record(0)]).unwrap();
        }
        room.put((0..20).map(|_| record(24)).collect()).unwrap();
        let mut askers = Vec::new();
        while let Ok(asker) = asked.try_recv() {
            askers.push(asker);
        }
        let events = events(&askers).unwrap();
        let counts: Vec<usize> = events
            .iter()
            .map(|e| {
                let event: AccessRecorded = serde_json::from_str(&e.payload).unwrap();
                assert!(e.payload.len() <= MOST_BYTES + 1_024);
                event.records.len()
            })
            .collect();
        assert_eq!(counts.iter().sum::<usize>(), 150);
        assert!(counts.iter().all(|n| (1..=MOST_RECORDS).contains(n)));
    }

    #[test]
    fn what_waits_is_bounded_in_bytes() {
        let (room, asked) = Room::new(64);
        let mut waiting = 0;
        while room.put(vec![record(24)]).is_ok() {
            waiting += 1;
            assert!(waiting < 1_000, "the room never fills");
        }
        assert!(matches!(
            room.put(vec![record(24)]),
            Err(RecordError::Overloaded)
        ));
        assert!(waiting * record(24).weight() <= 64 * 1024);
        drop(asked);
    }
}
