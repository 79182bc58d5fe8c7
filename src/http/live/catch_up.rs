//! One connection's way through the log: replay from PostgreSQL, then live from the ring.
//!
//! Owns the cursor, and with it the promise: positions strictly increase, each comes once, none
//! is left out; whoever falls out of the ring replays again. It must not know of sockets.

use super::ring::Ring;
use super::update::LiveEvent;
use crate::event_store::{EventFilter, EventLog, LogError};
use kmrl_domain::RecordedEvent;
use std::sync::Arc;
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};
use uuid::Uuid;

/// Events read from the log at once.
const PAGE: i64 = 256;

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

/// Why a replay failed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log could not be read.
    #[error("reading the log after {after} for a subscriber")]
    Log {
        /// The position.
        after: i64,
        /// What the log said.
        #[source]
        source: LogError,
    },
    /// The log holds less than was announced.
    #[error("the log has nothing between {after} and {until}")]
    Missing {
        /// The position after which it was read.
        after: i64,
        /// The position up to which there should be events.
        until: i64,
    },
}

/// Reads the next events after a position and up to another, of all documents or of one. Gives
/// them with the position through which the log has now been read.
///
/// # Errors
/// When the log cannot be read or is shorter than it should be.
pub async fn page(
    log: &EventLog,
    (after, until): (i64, i64),
    document: Option<Uuid>,
) -> Result<(Vec<RecordedEvent>, i64), ReplayError> {
    let read = match document {
        None => {
            log.read_without_access(after, PAGE.min(until - after))
                .await
        }
        Some(_) => log.page(&of_document(document, after)).await,
    };
    let mut events = read.map_err(|source| ReplayError::Log { after, source })?;
    let whole = events.last().is_none_or(|e| e.position >= until);
    if events.is_empty() && document.is_none() {
        return Err(ReplayError::Missing { after, until });
    }
    events.retain(|e| e.position <= until);
    let through = match events.last() {
        Some(last) if !whole => last.position,
        _ => until,
    };
    Ok((events, through))
}

/// The filter for a page of one document's events.
#[must_use]
pub(super) fn of_document(document_id: Option<Uuid>, after: i64) -> EventFilter {
    EventFilter {
        after,
        limit: PAGE,
        document_id,
        event_type: None,
        actor: None,
        since: None,
        until: None,
        access: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kmrl_domain::values::Status;

    fn event(position: i64, transient: bool) -> LiveEvent {
        LiveEvent {
            position,
            transient,
            document_id: Uuid::nil(),
            status: Status::Processing,
            source: Arc::from("scan"),
            department: None,
            json: "{}".into(),
        }
    }

    /// A small deterministic generator (xorshift64*), so that a failure names its seed.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, n: u64) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
        }
    }

    /// A log of which some positions are no document's, and a client that may reconnect.
    struct Model {
        dice: Dice,
        ring: Ring,
        head: i64,
        feed: Feed,
        got: Vec<i64>,
        begun: i64,
    }

    impl Model {
        fn new(seed: u64) -> Self {
            let mut dice = Dice(seed);
            let head = i64::try_from(dice.below(30)).unwrap();
            let ring = Ring::new(1 + usize::try_from(dice.below(8)).unwrap(), head);
            let after = (dice.below(2) == 0).then_some(head / 2);
            Self {
                feed: Feed::open(&ring, after),
                begun: after.unwrap_or(head),
                got: Vec::new(),
                dice,
                ring,
                head,
            }
        }

        /// Every fifth position is another kind of stream: it never becomes a message.
        fn is_message(position: i64) -> bool {
            position % 5 != 0
        }

        fn publish(&mut self) {
            let from = self.head;
            self.head += 1 + i64::try_from(self.dice.below(6)).unwrap();
            let batch = (from + 1..=self.head)
                .filter(|p| Self::is_message(*p))
                .map(|p| event(p, false))
                .collect();
            self.ring.publish(batch, self.head);
            if self.dice.below(3) == 0 {
                self.ring.put(event(self.head, true));
            }
        }

        /// One step of a client; `false` when there is nothing to do.
        fn step(&mut self) -> bool {
            if let Some((after, until)) = self.feed.replay() {
                let through = until.min(after + 1 + i64::try_from(self.dice.below(4)).unwrap());
                let page = after + 1..=through;
                self.got.extend(page.filter(|p| Self::is_message(*p)));
                self.feed.replayed(through);
                return true;
            }
            match self.feed.receive_now() {
                Some(Received::Event(e)) if e.transient => {
                    assert!(self.got.last().is_none_or(|last| *last <= e.position));
                    true
                }
                Some(Received::Event(e)) => {
                    self.got.push(e.position);
                    true
                }
                Some(Received::Behind) => true,
                Some(Received::Closed) => panic!("the ring is still there"),
                None => false,
            }
        }

        fn reconnect(&mut self) {
            let last = self.got.last().copied().unwrap_or(self.begun);
            let resume = match self.feed.checkpoint() {
                Some(position) if self.dice.below(2) == 0 => position,
                _ => last,
            };
            assert!(resume >= last);
            self.feed = Feed::open(&self.ring, Some(resume));
        }
    }

    #[test]
    fn each_position_once_and_in_order_whatever_the_interleaving() {
        for seed in 1..3_000 {
            let mut model = Model::new(seed);
            for _ in 0..200 {
                match model.dice.below(20) {
                    0..5 => model.publish(),
                    5 => model.reconnect(),
                    _ => drop(model.step()),
                }
            }
            while model.step() {}
            let expected: Vec<i64> = (model.begun + 1..=model.head)
                .filter(|p| Model::is_message(*p))
                .collect();
            assert_eq!(model.got, expected, "seed {seed}");
            assert_eq!(model.feed.checkpoint(), Some(model.head), "seed {seed}");
        }
    }

    #[test]
    fn what_is_announced_but_not_yet_sent_comes_once() {
        let ring = Ring::new(8, 4);
        ring.publish(vec![event(5, false)], 5);
        let mut feed = Feed::open(&ring, Some(4));
        // As when the subscription fell between the announcement of 5 and its sending.
        ring.put(event(5, false));
        assert_eq!(feed.replay(), Some((4, 5)));
        feed.replayed(5);
        assert_eq!(feed.receive_now(), None);
    }

    #[test]
    fn a_client_ahead_of_this_process_waits_for_what_it_has_not_seen() {
        let ring = Ring::new(8, 4);
        let mut feed = Feed::open(&ring, Some(6));
        assert_eq!(feed.replay(), None);
        ring.publish((5..=7).map(|p| event(p, false)).collect(), 7);
        assert!(matches!(feed.receive_now(), Some(Received::Event(e)) if e.position == 7));
        assert_eq!(feed.receive_now(), None);
    }

    #[test]
    fn progress_from_before_the_cursor_is_left_out() {
        let ring = Ring::new(8, 4);
        let mut feed = Feed::open(&ring, Some(3));
        ring.put(event(4, true));
        ring.publish(vec![event(5, false)], 5);
        feed.replayed(5);
        assert_eq!(feed.receive_now(), None);
    }

    #[test]
    fn there_is_no_checkpoint_while_something_waits_in_the_ring() {
        let ring = Ring::new(8, 4);
        let mut feed = Feed::open(&ring, None);
        ring.publish(vec![event(5, false)], 6);
        assert_eq!(feed.checkpoint(), None);
        assert!(feed.receive_now().is_some());
        assert_eq!(feed.checkpoint(), Some(6));
    }

    #[tokio::test]
    async fn waiting_ends_with_the_message() {
        let ring = Ring::new(8, 0);
        let mut feed = Feed::open(&ring, None);
        let publish = async { ring.publish(vec![event(1, false)], 1) };
        let (received, ()) = tokio::join!(feed.receive(), publish);
        assert!(matches!(received, Received::Event(e) if e.position == 1));
    }
}
