//! The bounded ring between the tail of the log and the connections.
//!
//! Owns the order of publishing and subscribing that makes "subscribe, replay, go live" lose
//! nothing. It must not know of sockets or of PostgreSQL.

use super::update::LiveEvent;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::broadcast;

/// Newest messages, for all connections. Cheap to clone; clones are one and the same.
#[derive(Clone, Debug)]
pub struct Ring(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sender: broadcast::Sender<Arc<LiveEvent>>,
    /// Everything up to here is in the ring or is just being put there.
    announced: AtomicI64,
    /// Everything up to here has been put into the ring.
    sent: AtomicI64,
}

impl Ring {
    /// A ring of `size` messages (at least one) that begins after `position`.
    #[must_use]
    pub fn new(size: usize, position: i64) -> Self {
        Self(Arc::new(Inner {
            sender: broadcast::Sender::new(size.max(1)),
            announced: AtomicI64::new(position),
            sent: AtomicI64::new(position),
        }))
    }

    /// Puts in what the log holds up to `position`, in order.
    pub fn publish(&self, events: Vec<LiveEvent>, position: i64) {
        // Announced before it is sent: whoever subscribes in between replays it from the log and
        // drops it when it comes. The other way round, it would be in neither.
        self.0.announced.store(position, Ordering::Release);
        for event in events {
            self.put(event);
        }
        self.0.sent.store(position, Ordering::Release);
    }

    /// Puts in one message. An error only says that nobody is connected.
    pub fn put(&self, event: LiveEvent) {
        drop(self.0.sender.send(Arc::new(event)));
    }

    /// A receiver, and the position after which it misses nothing.
    #[must_use]
    pub fn subscribe(&self) -> (broadcast::Receiver<Arc<LiveEvent>>, i64) {
        let receiver = self.0.sender.subscribe();
        (receiver, self.0.announced.load(Ordering::Acquire))
    }

    /// Everything up to here has been put into the ring.
    #[must_use]
    pub fn sent(&self) -> i64 {
        self.0.sent.load(Ordering::Acquire)
    }
}
