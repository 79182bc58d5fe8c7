//! The workers: take jobs from the queue, have the text extracted, record the outcome.
//!
//! Owns claims (which attempt at a job is whose) and how an outcome becomes an acknowledgement.
//! What may happen to a document is decided by the domain, behind `commands`; which jobs there are
//! is the relay's business. A job may be delivered twice, late or to two workers: the claim in
//! PostgreSQL lets one in, and the domain counts one outcome.

mod alone;
mod artefact;
mod attempt;
mod children;
mod claim;
mod extract;
mod fetch;
mod judgement;
mod pause;
mod places;
mod progress;
mod record;
mod runner;

use crate::commands::Commands;
use crate::config::Current;
use crate::door::Door;
use crate::event_store::EventLog;
use crate::metrics::Metrics;
use crate::ports::{BlobStore, Clock, Extractor, Ids, JobQueue};
use crate::removal::Removals;
use crate::signals::Signals;
use crate::spool::Spool;
use crate::traces::Traces;
use kmrl_domain::command::RetryPolicy;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;

pub use judgement::Judge;
pub use runner::run;

/// How documents are worked on.
#[derive(Clone, Debug)]
pub struct WorkSettings {
    /// Name of this worker, unlike that of any other process.
    pub name: String,
    /// Jobs at once, at least 1.
    pub slots: usize,
    /// An extraction is asked to stop after this.
    pub soft_limit: Duration,
    /// An extraction is killed after this.
    pub hard_limit: Duration,
    /// Attempts before a document is failed, at least 1.
    pub max_attempts: u32,
    /// Wait before the second attempt.
    pub retry_first: Duration,
    /// Longest wait between attempts.
    pub retry_longest: Duration,
    /// A worker that shows no sign of life for this long has lost its job.
    pub ack_wait: Duration,
    /// How long running jobs may go on after shutdown was asked for.
    pub grace: Duration,
    /// By what texts are judged.
    pub judge: Current<Judge>,
}

impl WorkSettings {
    /// The domain's policy for a document that broke its reader: it is tried once more, then
    /// parked.
    fn once_more(&self, excused: u32) -> RetryPolicy {
        RetryPolicy::Backoff {
            max_attempts: self.max_attempts.min(2).saturating_add(excused),
            first: span(self.retry_first),
            longest: span(self.retry_longest),
        }
    }

    /// The domain's policy for a failure that another attempt may mend. Attempts that ended by no
    /// fault of the document (`excused`) do not use up those it has.
    fn backoff(&self, excused: u32) -> RetryPolicy {
        RetryPolicy::Backoff {
            max_attempts: self.max_attempts.saturating_add(excused),
            first: span(self.retry_first),
            longest: span(self.retry_longest),
        }
    }
}

fn span(duration: Duration) -> time::Duration {
    time::Duration::try_from(duration).unwrap_or(time::Duration::MAX)
}

/// What a worker works with.
#[derive(Clone)]
pub struct Worker {
    /// Where claims are.
    pub pool: PgPool,
    /// Where jobs come from.
    pub queue: Arc<dyn JobQueue>,
    /// Where documents are, and where text goes.
    pub blobs: Arc<dyn BlobStore>,
    /// What turns a document into text.
    pub extractor: Arc<dyn Extractor>,
    /// Where outcomes go.
    pub commands: Commands,
    /// What a document is.
    pub log: EventLog,
    /// Traces.
    pub traces: Traces,
    /// Counts how long it takes.
    pub metrics: Arc<Metrics>,
    /// Hints and progress.
    pub signals: Signals,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Salts for the names of files that were inside.
    pub ids: Arc<dyn Ids>,
    /// Lets bytes in again that are being removed.
    pub removals: Removals,
    /// Judges files that were inside a document, as uploads are judged.
    pub door: Arc<Door>,
    /// Folder for documents being read; the workers' own.
    pub spool: Spool,
    /// Limits and times.
    pub settings: WorkSettings,
}

/// How a delivery ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// There is nothing left to do: acknowledged.
    Done,
    /// To be delivered again after the wait.
    RetryAfter(Duration),
    /// No delivery of it can ever succeed: ended.
    GiveUp,
}
