//! Destroys the content of erased documents, and asks for what was kept long enough to be erased.
//!
//! Owns the cursor `eraser`. For each `Erased` it deletes the private parts beside the log, the text
//! artefacts, and the bytes unless another document has the same; waits until no table of a read
//! model keeps the content; and then records `ContentDestroyed`. Every step can be repeated, and the
//! cursor moves last: killed at any point, or run twice at once, it ends the same. It decides
//! nothing: an erasure is requested and approved by commands.

mod destroy;
mod retention;

use crate::commands::{CommandError, Commands};
use crate::config::{Current, RetentionRule};
use crate::event_store::{EventFilter, EventLog, LogError};
use crate::ports::{BlobError, BlobStore, Clock, Ids};
use crate::removal::{RemovalError, Removals};
use crate::signals::{FLOOR, Signals};
use kmrl_projections::ProjectionError;
use kmrl_projections::query::{QueryError, ReadModel};
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

/// Name of the eraser's cursor in `log_cursors`.
const CURSOR: &str = "eraser";
/// Erasures looked at in one turn.
const BATCH: i64 = 100;
/// Type of the events that it follows.
const ERASED: &str = "Erased";

/// When the eraser does what.
#[derive(Clone, Debug)]
pub struct EraserSettings {
    /// Between looks for what was kept long enough and for what came after an erasure.
    pub sweep_every: Duration,
    /// How long after an erasure a worker may still put text of the document.
    pub watch: Duration,
    /// How long documents are kept. The first that fits a document counts.
    pub retention: Current<Vec<RetentionRule>>,
}

/// What an eraser works with.
#[derive(Clone)]
pub struct Eraser {
    /// Where the cursor and the private parts are.
    pub pool: PgPool,
    /// What happened.
    pub log: EventLog,
    /// Which documents there are.
    pub read: ReadModel,
    /// Records what was done.
    pub commands: Commands,
    /// Where texts are.
    pub blobs: Arc<dyn BlobStore>,
    /// Deletes documents' bytes.
    pub removals: Removals,
    /// Hints.
    pub signals: Signals,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn Ids>,
    /// Times and rules.
    pub settings: EraserSettings,
}

/// Why a turn of the eraser did not end well. The next turn tries again.
#[derive(Debug, thiserror::Error)]
pub enum EraserError {
    /// The log could not be read.
    #[error("the eraser could not read the log")]
    Log(#[from] LogError),
    /// The database did not do its part.
    #[error("the eraser could not {operation}")]
    Database {
        /// What was tried.
        operation: &'static str,
        /// What went wrong.
        #[source]
        source: sqlx::Error,
    },
    /// Text could not be deleted.
    #[error("the eraser could not delete text")]
    Texts(#[from] BlobError),
    /// Bytes could not be removed.
    #[error("the eraser could not remove bytes")]
    Bytes(#[from] RemovalError),
    /// Tables of read models could not be cleared.
    #[error("the eraser could not clear read models")]
    ReadModels(#[from] ProjectionError),
    /// The read models could not be asked.
    #[error("the eraser could not look for documents")]
    Query(#[from] QueryError),
    /// A command was not taken.
    #[error("the eraser could not record what was done")]
    Command(#[from] CommandError),
}

fn database(operation: &'static str) -> impl FnOnce(sqlx::Error) -> EraserError {
    move |source| EraserError::Database { operation, source }
}

/// Runs until shutdown: wakes on every append, and by itself for what is due.
pub async fn run(eraser: Eraser, shutdown: CancellationToken) {
    let mut appended = eraser.signals.on_appended();
    let every = eraser.settings.sweep_every;
    let mut sweeps = interval_at(Instant::now() + every, every);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut well = true;
    loop {
        appended.borrow_and_update();
        well = tell(well, eraser.turn().await);
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = sweeps.tick() => well = tell(well, eraser.sweep().await),
            // Elapsed is as good as a hint.
            _ = timeout(FLOOR, appended.changed()) => {}
        }
        // Hints come fast under load, and erasures are few: one look a second is enough.
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = crate::pause::pause(FLOOR) => {}
        }
    }
}

/// Logs when things turn bad or well again; answers whether they are well.
fn tell(well: bool, result: Result<(), EraserError>) -> bool {
    match (&result, well) {
        (Err(error), true) => tracing::warn!(
            error = error as &dyn std::error::Error,
            "the eraser is held up; it tries again"
        ),
        (Err(error), false) => {
            tracing::debug!(error = error as &dyn std::error::Error, "still held up");
        }
        (Ok(()), false) => tracing::info!("the eraser goes on"),
        (Ok(()), true) => {}
    }
    result.is_ok()
}

impl Eraser {
    /// Destroys what the log says was erased, as far as that can be done now.
    ///
    /// # Errors
    /// The first thing that held an erasure up; the others were still done.
    pub async fn turn(&self) -> Result<(), EraserError> {
        loop {
            let cursor: i64 =
                sqlx::query_scalar("SELECT position FROM log_cursors WHERE name = $1")
                    .bind(CURSOR)
                    .fetch_one(&self.pool)
                    .await
                    .map_err(database("read its cursor"))?;
            let head = self.log.head().await.map_err(database("read the head"))?;
            let erasures = self.erasures(cursor, None).await?;
            let (mut first_left, mut held_up) = (None, None);
            for erasure in &erasures {
                let done = match self.destroy(erasure).await {
                    Ok(done) => done,
                    Err(error) => {
                        held_up = held_up.or(Some(error));
                        false
                    }
                };
                if !done {
                    first_left = first_left.or(Some(erasure.position));
                }
            }
            let last = erasures.last().map_or(cursor, |e| e.position);
            let full = i64::try_from(erasures.len()).is_ok_and(|n| n == BATCH);
            let reached = match first_left {
                Some(left) => left - 1,
                None if full => last,
                None => head.max(last),
            };
            self.move_cursor(reached).await?;
            if let Some(error) = held_up {
                return Err(error);
            }
            if !full || first_left.is_some() {
                return Ok(());
            }
        }
    }

    /// What is due from time to time: retention, text that came after an erasure, and removals of
    /// bytes that were cut short.
    ///
    /// # Errors
    /// The first thing that did not work; the others were still tried.
    pub async fn sweep(&self) -> Result<(), EraserError> {
        let finished = self.removals.finish().await.map_err(EraserError::from);
        let late = self.remove_late_texts().await;
        let expired = self.expire().await;
        finished.map(drop).and(late).and(expired)
    }

    async fn erasures(
        &self,
        after: i64,
        since: Option<time::OffsetDateTime>,
    ) -> Result<Vec<kmrl_domain::RecordedEvent>, LogError> {
        let filter = EventFilter {
            after,
            limit: BATCH,
            event_type: Some(ERASED.into()),
            since,
            ..EventFilter::default()
        };
        self.log.page(&filter).await
    }

    /// Another eraser may have come further.
    async fn move_cursor(&self, reached: i64) -> Result<(), EraserError> {
        sqlx::query("UPDATE log_cursors SET position = $2 WHERE name = $1 AND position < $2")
            .bind(CURSOR)
            .bind(reached)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(database("move its cursor"))
    }
}
