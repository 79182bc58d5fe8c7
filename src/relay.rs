//! From the log to the job queue: makes jobs of events, and publishes those that are due.
//!
//! Owns the cursor `relay` and what events do to the table of jobs. It decides nothing about
//! documents and never works on a job. Any number of relays may run at once: a batch of events is
//! taken in by whichever moves the cursor first, and a job published twice has one message id.

mod publish;
mod sweep;
mod take_in;

use crate::event_store::{EventLog, LogError};
use crate::metrics::Metrics;
use crate::ports::{JobQueue, QueueError};
use crate::signals::{FLOOR, Signals};
use crate::traces::Traces;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

/// Name of the relay's cursor in `log_cursors`.
const CURSOR: &str = "relay";

/// Looks for jobs left behind are at least so far apart.
const SHORTEST_SWEEP: Duration = Duration::from_millis(100);

/// When jobs count as left behind.
#[derive(Clone, Copy, Debug)]
pub struct RelaySettings {
    /// A worker that shows no sign of life for this long has lost its job.
    pub ack_wait: Duration,
    /// Between looks for jobs left behind.
    pub sweep_every: Duration,
}

/// What a relay works with.
#[derive(Clone)]
pub struct Relay {
    /// Where jobs and the cursor are.
    pub pool: PgPool,
    /// What happened.
    pub log: EventLog,
    /// Where jobs are published.
    pub queue: Arc<dyn JobQueue>,
    /// Hints.
    pub signals: Signals,
    /// Traces.
    pub traces: Traces,
    /// Counts jobs.
    pub metrics: Arc<Metrics>,
    /// Times.
    pub settings: RelaySettings,
}

/// Why a turn of the relay did not end well. The next turn tries again.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The log could not be read.
    #[error("the relay could not read the log")]
    Log(#[from] LogError),
    /// The table of jobs could not be read or written.
    #[error("the relay could not {operation}")]
    Database {
        /// What was tried.
        operation: &'static str,
        /// What went wrong.
        #[source]
        source: sqlx::Error,
    },
    /// The queue did not keep a job.
    #[error("the relay could not publish a job")]
    Queue(#[from] QueueError),
}

fn database(operation: &'static str) -> impl FnOnce(sqlx::Error) -> RelayError {
    move |source| RelayError::Database { operation, source }
}

/// Runs until shutdown: wakes on every append, and by itself once a second for what became due.
pub async fn run(relay: Relay, shutdown: CancellationToken) {
    let mut appended = relay.signals.on_appended();
    let every = relay.settings.sweep_every.max(SHORTEST_SWEEP);
    let mut sweeps = interval_at(Instant::now() + every, every);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut well = true;
    loop {
        appended.borrow_and_update();
        let turn = relay.turn().await;
        well = tell(well, turn);
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = sweeps.tick() => well = tell(well, relay.sweep().await),
            // Elapsed is as good as a hint.
            _ = timeout(FLOOR, appended.changed()) => {}
        }
        if !well {
            // Hints come fast under load; a broken engine is asked once a second.
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = crate::pause::pause(FLOOR) => {}
            }
        }
    }
}

/// Logs when things turn bad or well again; answers whether they are well.
fn tell(well: bool, result: Result<(), RelayError>) -> bool {
    match (&result, well) {
        (Err(error), true) => tracing::warn!(
            error = error as &dyn std::error::Error,
            "the relay is held up; it tries again"
        ),
        (Err(error), false) => {
            tracing::debug!(error = error as &dyn std::error::Error, "still held up");
        }
        (Ok(()), false) => tracing::info!("the relay goes on"),
        (Ok(()), true) => {}
    }
    result.is_ok()
}

impl Relay {
    /// Takes in what the log has and publishes what is due, until there is no more of either.
    ///
    /// # Errors
    /// When an engine does not do its part. What was done stays done.
    pub async fn turn(&self) -> Result<(), RelayError> {
        loop {
            let more = self.take_in().await?;
            self.publish_due().await?;
            if !more {
                return Ok(());
            }
        }
    }
}
