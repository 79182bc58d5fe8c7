//! What a connection is told, by whatever protocol: replay from the log, then the ring, filtered.
//!
//! Owns a connection's place in the count while it lives, and its audit trail. How messages are
//! written is the business of `socket` and `stream`.

use super::catch_up::{self, ReplayError};
use super::feed::{Feed, Received};
use super::filter::Filter;
use super::hub::{LiveHub, Place};
use super::narrator::Narrator;
use super::update::LiveEvent;
use super::witness::{Act, Witness};
use crate::audit::RecordError;
use crate::event_store::EventLog;
use crate::identity::Identity;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::sync::Arc;
use uuid::Uuid;

/// Live messages handed out at once.
const BATCH: usize = 64;

/// Why nothing more is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The gateway shuts down.
    Stopped,
    /// The log cannot be read just now.
    Failed,
}

/// One connection's cursor with what passes to it.
pub(super) struct Subscription {
    hub: LiveHub,
    /// Counts this connection while it lives.
    _place: Place,
    feed: Feed,
    pub(super) filter: Filter,
    witness: Witness,
    identity: Identity,
    /// Present while the log is replayed, between its pages.
    narrator: Option<Narrator>,
    /// The page of the log that is being read. It stays when whoever waits for it is called away by a heartbeat: begun
    /// anew each time, a page that takes longer than that would never end.
    reading: Option<BoxFuture<'static, Read>>,
}

/// A page of the log with its narrator.
struct Read {
    narrator: Narrator,
    page: Result<(Vec<LiveEvent>, i64), ReplayError>,
}

impl Subscription {
    pub(super) const fn new(
        hub: LiveHub,
        place: Place,
        feed: Feed,
        filter: Filter,
        witness: Witness,
        identity: Identity,
    ) -> Self {
        Self {
            hub,
            _place: place,
            feed,
            filter,
            witness,
            identity,
            narrator: None,
            reading: None,
        }
    }

    /// Everything up to here has been told.
    pub(super) const fn cursor(&self) -> i64 {
        self.feed.cursor()
    }

    /// A position to resume from that leaves nothing out, when that is certain now.
    pub(super) fn checkpoint(&mut self) -> Option<i64> {
        self.feed.checkpoint()
    }

    /// The next messages that pass the filter: a page of the log while there is something to
    /// replay, then what the ring has; maybe none. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Vec<Arc<LiveEvent>>, Ended> {
        let Some(range) = self.feed.replay() else {
            self.narrator = None;
            return live(&mut self.feed, &self.filter).await;
        };
        let reading = match self.reading.take() {
            Some(reading) => reading,
            None => {
                let log = self.hub.log().clone();
                let narrator = self.narrator.take();
                let narrator = narrator.unwrap_or_else(|| Narrator::new(log.clone()));
                replay(log, range, self.filter.document(), narrator).boxed()
            }
        };
        let Read { narrator, page } = self.reading.insert(reading).await;
        self.reading = None;
        self.narrator = Some(narrator);
        match page {
            Ok((events, through)) => {
                self.feed.replayed(through);
                let passing = events.into_iter().filter(|e| self.filter.passes(e));
                Ok(passing.map(Arc::new).collect())
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "a live connection ends");
                Err(Ended::Failed)
            }
        }
    }

    /// Whether the client would be let in again.
    pub(super) async fn is_still_good(&mut self) -> bool {
        self.identity.is_still_good(self.witness.principal()).await
    }

    /// Keeps a record of what the client asked for. Durable when this returns `Ok`; else it must
    /// not be answered.
    pub(super) async fn saw(
        &mut self,
        action: &'static str,
        document_id: Option<Uuid>,
        refused: Option<&'static str>,
    ) -> Result<(), RecordError> {
        let act = self.act(action, document_id, refused);
        self.witness.saw(act, self.hub.clock()).await
    }

    /// Keeps a record of the end, with the position reached.
    pub(super) fn ended(&self) {
        let act = self.act("live_end", self.filter.document(), None);
        self.witness.noted(act, self.hub.clock());
    }

    fn act(
        &self,
        action: &'static str,
        document_id: Option<Uuid>,
        refused: Option<&'static str>,
    ) -> Act {
        Act {
            action,
            document_id,
            shown_at: self.feed.cursor(),
            refused,
        }
    }
}

async fn replay(
    log: EventLog,
    range: (i64, i64),
    document: Option<Uuid>,
    mut narrator: Narrator,
) -> Read {
    let page = tell(&log, range, document, &mut narrator).await;
    Read { narrator, page }
}

async fn tell(
    log: &EventLog,
    range: (i64, i64),
    document: Option<Uuid>,
    narrator: &mut Narrator,
) -> Result<(Vec<LiveEvent>, i64), ReplayError> {
    let (recorded, through) = catch_up::page(log, range, document).await?;
    let mut events = Vec::new();
    for event in &recorded {
        let told = narrator.tell(event).await;
        let after = range.0;
        events.extend(told.map_err(|source| ReplayError::Log { after, source })?);
    }
    Ok((events, through))
}

async fn live(feed: &mut Feed, filter: &Filter) -> Result<Vec<Arc<LiveEvent>>, Ended> {
    let mut events = Vec::new();
    let mut received = feed.receive().await;
    loop {
        match received {
            Received::Event(event) if filter.passes(&event) => events.push(event),
            Received::Event(_) => {}
            Received::Behind => {
                let cursor = feed.cursor();
                tracing::debug!(cursor, "a subscriber fell behind and replays");
                return Ok(events);
            }
            // Only when the hub is gone.
            Received::Closed => return Err(Ended::Stopped),
        }
        if events.len() >= BATCH {
            return Ok(events);
        }
        match feed.receive_now() {
            Some(next) => received = next,
            None => return Ok(events),
        }
    }
}
