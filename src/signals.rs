//! Wake-ups: "something was appended, published, projected, look again", and progress within jobs.
//!
//! Owns the hints within this process and, over core NATS, between processes. A hint may be lost,
//! doubled or late: whoever waits for one also looks by itself once in a while ([`FLOOR`]), and
//! nothing true may depend on one. It must not touch PostgreSQL or JetStream.

use futures::StreamExt;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::{broadcast, mpsc, watch};
use uuid::Uuid;

/// How long a reader waits for a hint before it looks by itself.
pub const FLOOR: Duration = Duration::from_secs(1);

/// Progress reports held for a slow listener before it misses some.
const PROGRESS_RING: usize = 1_024;
/// Progress reports waiting to leave the process; more are dropped.
const PROGRESS_OUT: usize = 256;

/// How far a job has come. Transient: it is in no log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The document.
    pub document_id: Uuid,
    /// 0 to 100.
    pub percent: u8,
    /// Pages done.
    pub page: u32,
    /// Pages in all.
    pub pages: u32,
    /// When this was so.
    #[serde(with = "time::serde::rfc3339")]
    pub timestamp: OffsetDateTime,
}

/// What a hint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hint {
    Appended,
    JobsPublished,
    Projected,
}

impl Hint {
    const ALL: [Self; 3] = [Self::Appended, Self::JobsPublished, Self::Projected];

    const fn word(self) -> &'static str {
        match self {
            Self::Appended => "appended",
            Self::JobsPublished => "jobs_published",
            Self::Projected => "projected",
        }
    }
}

/// The word for progress in subjects, beside those of the hints.
const PROGRESS: &str = "progress";

/// Gives and takes hints. Cheap to clone; clones are one and the same.
#[derive(Clone, Debug)]
pub struct Signals {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    appended: Topic,
    jobs_published: Topic,
    projected: Topic,
    progress: broadcast::Sender<Progress>,
    out: Option<Out>,
}

#[derive(Debug)]
struct Topic {
    counter: watch::Sender<u64>,
    /// A hint to other processes is waiting to leave: another one would say nothing more.
    leaving: AtomicBool,
}

impl Topic {
    fn new() -> Self {
        Self {
            counter: watch::Sender::new(0),
            leaving: AtomicBool::new(false),
        }
    }

    fn bump(&self) {
        self.counter.send_modify(|n| *n = n.wrapping_add(1));
    }
}

/// The way to other processes.
#[derive(Debug)]
struct Out {
    hints: mpsc::Sender<Hint>,
    progress: mpsc::Sender<Progress>,
}

impl Inner {
    fn new(out: Option<Out>) -> Arc<Self> {
        Arc::new(Self {
            appended: Topic::new(),
            jobs_published: Topic::new(),
            projected: Topic::new(),
            progress: broadcast::Sender::new(PROGRESS_RING),
            out,
        })
    }

    const fn topic(&self, hint: Hint) -> &Topic {
        match hint {
            Hint::Appended => &self.appended,
            Hint::JobsPublished => &self.jobs_published,
            Hint::Projected => &self.projected,
        }
    }

    fn give(&self, hint: Hint) {
        let topic = self.topic(hint);
        topic.bump();
        let Some(out) = &self.out else { return };
        // The channel has a place for each kind, and `leaving` lets one of each in.
        if !topic.leaving.swap(true, Ordering::AcqRel) && out.hints.try_send(hint).is_err() {
            topic.leaving.store(false, Ordering::Release);
        }
    }

    fn take_in(&self, subject: &str, payload: &[u8]) {
        if subject == PROGRESS {
            match serde_json::from_slice(payload) {
                // An error says that nobody listens, which is as good.
                Ok(progress) => drop(self.progress.send(progress)),
                Err(error) => tracing::debug!(%error, "a progress report could not be read"),
            }
        } else if let Some(hint) = Hint::ALL.into_iter().find(|h| h.word() == subject) {
            self.topic(hint).bump();
        }
    }
}

impl Signals {
    /// Hints within this process alone.
    #[must_use]
    pub fn local() -> Self {
        Self {
            inner: Inner::new(None),
        }
    }

    /// Hints within this process and from and to others on the same NATS with the same prefix.
    /// Spawns one task, which ends when the last clone is dropped.
    #[must_use]
    pub fn connect(nats: async_nats::Client, prefix: &str) -> Self {
        let (hints, hints_out) = mpsc::channel(Hint::ALL.len());
        let (progress, progress_out) = mpsc::channel(PROGRESS_OUT);
        let inner = Inner::new(Some(Out { hints, progress }));
        let wire = Wire {
            // The unique part of an inbox tells our own messages from those of others.
            origin: last_token(&nats.new_inbox()).to_owned(),
            base: format!("{prefix}.signals"),
            nats,
            inner: Arc::downgrade(&inner),
        };
        tokio::spawn(async move {
            tokio::select! {
                () = wire.send(hints_out, progress_out) => {}
                () = wire.receive() => {}
            }
        });
        Self { inner }
    }

    /// Events were committed.
    pub fn appended(&self) {
        self.inner.give(Hint::Appended);
    }

    /// Jobs can be fetched from the queue.
    pub fn jobs_published(&self) {
        self.inner.give(Hint::JobsPublished);
    }

    /// Projections have committed.
    pub fn projected(&self) {
        self.inner.give(Hint::Projected);
    }

    /// Changes whenever events were committed.
    #[must_use]
    pub fn on_appended(&self) -> watch::Receiver<u64> {
        self.inner.appended.counter.subscribe()
    }

    /// Changes whenever jobs were published.
    #[must_use]
    pub fn on_jobs_published(&self) -> watch::Receiver<u64> {
        self.inner.jobs_published.counter.subscribe()
    }

    /// Changes whenever projections have committed.
    #[must_use]
    pub fn on_projected(&self) -> watch::Receiver<u64> {
        self.inner.projected.counter.subscribe()
    }

    /// Tells how far a job has come. Dropped when the way out is full.
    pub fn send_progress(&self, progress: Progress) {
        if let Some(out) = &self.inner.out {
            // Full: the next report says more than this one.
            drop(out.progress.try_send(progress.clone()));
        }
        drop(self.inner.progress.send(progress));
    }

    /// Progress of jobs from now on. A receiver that lags misses the oldest.
    #[must_use]
    pub fn progress(&self) -> broadcast::Receiver<Progress> {
        self.inner.progress.subscribe()
    }
}

/// Both directions of one NATS connection. Subjects are `{prefix}.signals.{word}.{origin}`.
struct Wire {
    nats: async_nats::Client,
    base: String,
    origin: String,
    inner: Weak<Inner>,
}

impl Wire {
    /// Ends when the last [`Signals`] is dropped.
    async fn send(&self, mut hints: mpsc::Receiver<Hint>, mut progress: mpsc::Receiver<Progress>) {
        loop {
            let (word, payload) = tokio::select! {
                hint = hints.recv() => {
                    let (Some(hint), Some(inner)) = (hint, self.inner.upgrade()) else { return };
                    // Before it leaves: what happens from here on needs another hint.
                    inner.topic(hint).leaving.store(false, Ordering::Release);
                    (hint.word(), Vec::new())
                }
                report = progress.recv() => {
                    let Some(report) = report else { return };
                    match serde_json::to_vec(&report) {
                        Ok(payload) => (PROGRESS, payload),
                        Err(error) => {
                            tracing::warn!(%error, "a progress report could not be written");
                            continue;
                        }
                    }
                }
            };
            let subject = format!("{}.{word}.{}", self.base, self.origin);
            if let Err(error) = self.nats.publish(subject, payload.into()).await {
                tracing::debug!(%error, "a hint did not leave; others look by themselves");
            }
        }
    }

    /// Never ends by itself but for a closed connection, and then waits to be ended.
    async fn receive(&self) {
        match self.nats.subscribe(format!("{}.*.*", self.base)).await {
            Ok(mut messages) => {
                while let Some(message) = messages.next().await {
                    let subject = message.subject.as_str();
                    let Some(tail) = subject.strip_prefix(&self.base) else {
                        continue;
                    };
                    let mut tokens = tail.trim_start_matches('.').split('.');
                    let (word, origin) = (tokens.next(), tokens.next());
                    if origin == Some(self.origin.as_str()) {
                        continue;
                    }
                    let (Some(word), Some(inner)) = (word, self.inner.upgrade()) else {
                        continue;
                    };
                    inner.take_in(word, &message.payload);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "hints of other processes cannot be heard");
            }
        }
        std::future::pending::<()>().await;
    }
}

fn last_token(inbox: &str) -> &str {
    inbox.rsplit('.').next().unwrap_or(inbox)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hint_wakes_whoever_waits_for_it() {
        let signals = Signals::local();
        let mut appended = signals.on_appended();
        let projected = signals.on_projected();
        signals.clone().appended();
        appended.changed().await.unwrap();
        assert!(!projected.has_changed().unwrap());
    }

    #[test]
    fn hints_without_listeners_are_no_trouble() {
        let signals = Signals::local();
        for _ in 0..5_000 {
            signals.appended();
            signals.jobs_published();
            signals.projected();
            signals.send_progress(report());
        }
    }

    #[tokio::test]
    async fn progress_reaches_its_listeners() {
        let signals = Signals::local();
        let mut progress = signals.progress();
        signals.send_progress(report());
        assert_eq!(progress.recv().await.unwrap(), report());
    }

    fn report() -> Progress {
        Progress {
            document_id: Uuid::nil(),
            percent: 50,
            page: 1,
            pages: 2,
            timestamp: OffsetDateTime::UNIX_EPOCH,
        }
    }
}
