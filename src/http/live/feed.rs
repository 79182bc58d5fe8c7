//! One connection's cursor: first through the log, then through the ring.
//!
//! Owns the promise: positions strictly increase, each comes once, none is left out; whoever falls
//! out of the ring replays again. It must not know of sockets, of streams or of PostgreSQL.

use super::ring::Ring;
use super::update::LiveEvent;
use std::sync::Arc;
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};

/// A cursor into the log with a receiver for what comes after it.
#[derive(Debug)]
pub struct Feed {
    ring: Ring,
    receiver: broadcast::Receiver<Arc<LiveEvent>>,
    /// Everything up to here has been handed out (or was not asked for).
    cursor: i64,
    /// Up to here it comes from the log, after here from the ring.
    until: i64,
}

/// What [`Feed::receive`] gives.
#[derive(Debug, PartialEq)]
pub enum Received {
    /// The next message.
    Event(Arc<LiveEvent>),
    /// The ring has moved on: there is something to replay first.
    Behind,
    /// Nothing more will come.
    Closed,
}

impl Feed {
    /// Begins after a position, or from now on.
    #[must_use]
    pub fn open(ring: &Ring, after: Option<i64>) -> Self {
        let (receiver, until) = ring.subscribe();
        Self {
            ring: ring.clone(),
            receiver,
            cursor: after.unwrap_or(until),
            until,
        }
    }

    /// Everything up to here has been handed out.
    #[must_use]
    pub const fn cursor(&self) -> i64 {
        self.cursor
    }

    /// What is to be read from the log before anything is received: after the first, up to and
    /// with the second position.
    #[must_use]
    pub fn replay(&self) -> Option<(i64, i64)> {
        (self.cursor < self.until).then_some((self.cursor, self.until))
    }

    /// The log was handed out up to a position.
    pub fn replayed(&mut self, through: i64) {
        self.cursor = self.cursor.max(through);
    }

    /// Waits for the next message. Nothing is lost when the future is dropped.
    pub async fn receive(&mut self) -> Received {
        loop {
            match self.receiver.recv().await {
                Ok(event) if self.admits(&event) => return Received::Event(event),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return self.fall_back(),
                Err(RecvError::Closed) => return Received::Closed,
            }
        }
    }

    /// The next message if it is there already.
    pub fn receive_now(&mut self) -> Option<Received> {
        loop {
            match self.receiver.try_recv() {
                Ok(event) if self.admits(&event) => return Some(Received::Event(event)),
                Ok(_) => {}
                Err(TryRecvError::Lagged(_)) => return Some(self.fall_back()),
                Err(TryRecvError::Closed) => return Some(Received::Closed),
                Err(TryRecvError::Empty) => return None,
            }
        }
    }

    /// A position to resume from that leaves nothing out, when that is certain now.
    pub fn checkpoint(&mut self) -> Option<i64> {
        if self.replay().is_none() {
            // Read first: what is in the ring up to it has then been received, if it is empty.
            let sent = self.ring.sent();
            if !self.receiver.is_empty() {
                return None;
            }
            self.cursor = self.cursor.max(sent);
        }
        Some(self.cursor)
    }

    fn admits(&mut self, event: &LiveEvent) -> bool {
        if event.transient {
            // One said before what was handed out already would turn time back.
            return event.position >= self.cursor;
        }
        let new = event.position > self.cursor;
        self.cursor = self.cursor.max(event.position);
        new
    }

    fn fall_back(&mut self) -> Received {
        (self.receiver, self.until) = self.ring.subscribe();
        Received::Behind
    }
}

#[cfg(test)]
mod tests;
