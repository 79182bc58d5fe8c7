//! The hub: what all live connections of this process share.
//!
//! Owns the tail's task, the ring, the count of connections and their end at shutdown. It must
//! not know of HTTP or of messages.

use super::feed::Feed;
use super::ring::Ring;
use super::tail::Tail;
use crate::config::LiveSettings;
use crate::event_store::EventLog;
use crate::limits;
use crate::ports::Clock;
use crate::signals::Signals;
use kmrl_projections::query::ReadModel;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// A failed start of the hub.
#[derive(Debug, thiserror::Error)]
#[error("asking how far the projections are, to begin following the log")]
pub struct HubError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Which path a connection came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// `/ws`
    All,
    /// `/ws/{user_id}`
    User,
    /// `/ws/documents/{id}`
    Document,
    /// `/api/v1/events/stream`
    Stream,
}

/// Open connections of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Connections {
    /// By whatever path.
    pub total: usize,
    /// By `/ws`.
    pub all: usize,
    /// By `/ws/{user_id}`.
    pub user: usize,
    /// By `/ws/documents/{id}`.
    pub document: usize,
    /// By `/api/v1/events/stream`.
    pub stream: usize,
}

/// Shared by all live connections. Cheap to clone; clones are one and the same.
#[derive(Clone)]
pub struct LiveHub(Arc<Inner>);

struct Inner {
    log: EventLog,
    read: ReadModel,
    clock: Arc<dyn Clock>,
    settings: LiveSettings,
    ring: Ring,
    counts: [AtomicUsize; 4],
    tasks: TaskTracker,
    stop: CancellationToken,
    /// A hub that is dropped without [`LiveHub::shutdown`] leaves no task behind.
    _stop_on_drop: DropGuard,
}

impl LiveHub {
    /// Begins to follow the log at the position that the read models show now.
    ///
    /// # Errors
    /// When that position cannot be read.
    pub async fn start(
        log: EventLog,
        read: ReadModel,
        signals: Signals,
        clock: Arc<dyn Clock>,
        settings: LiveSettings,
    ) -> Result<Self, HubError> {
        let visible = read.visible_position().await;
        let ring = Ring::new(settings.ring, visible.map_err(|e| HubError(e.into()))?);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let tail = Tail::new(log.clone(), read.clone(), ring.clone());
        tasks.spawn(tail.run(signals, stop.clone()));
        Ok(Self(Arc::new(Inner {
            log,
            read,
            clock,
            settings,
            ring,
            counts: Default::default(),
            tasks,
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
        })))
    }

    /// A feed after a position, or from now on.
    #[must_use]
    pub fn subscribe(&self, after: Option<i64>) -> Feed {
        Feed::open(&self.0.ring, after)
    }

    /// Open connections.
    #[must_use]
    pub fn connections(&self) -> Connections {
        let [all, user, document, stream] =
            self.0.counts.each_ref().map(|n| n.load(Ordering::Relaxed));
        Connections {
            total: all + user + document + stream,
            all,
            user,
            document,
            stream,
        }
    }

    /// Closes all connections with code 1001 and waits until they are gone. How long that may
    /// take is for the caller to bound.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Counts a connection until the place is dropped.
    #[must_use]
    pub(super) fn enter(&self, path: Path, share: limits::Place<String>) -> Place {
        let place = Place {
            hub: self.clone(),
            path,
            _share: share,
        };
        place.count().fetch_add(1, Ordering::Relaxed);
        place
    }

    pub(super) fn log(&self) -> &EventLog {
        &self.0.log
    }

    pub(super) fn read(&self) -> &ReadModel {
        &self.0.read
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    pub(super) fn settings(&self) -> &LiveSettings {
        &self.0.settings
    }

    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    pub(super) fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }
}

/// A connection's place in the count.
pub(super) struct Place {
    hub: LiveHub,
    path: Path,
    /// Of what its client may have open.
    _share: limits::Place<String>,
}

impl Place {
    fn count(&self) -> &AtomicUsize {
        let [all, user, document, stream] = &self.hub.0.counts;
        match self.path {
            Path::All => all,
            Path::User => user,
            Path::Document => document,
            Path::Stream => stream,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.count().fetch_sub(1, Ordering::Relaxed);
    }
}
