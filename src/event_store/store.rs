//! The handle of the event store: takes commands to the writer and brings back its answers.

use super::batch::{Command, Outcome};
use super::log::EventLog;
use super::types::{Append, AppendError, Appended, Idempotency, Upcasters};
use super::writer::{Waiting, Writer};
use crate::signals::Signals;
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;
use std::sync::Arc;
use time::OffsetDateTime;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Most commands that wait for the writer; more are refused as overload.
const QUEUE: usize = 4_096;

/// The event store on PostgreSQL. Cheap to clone; clones share one writer.
#[derive(Clone)]
pub struct PostgresEventStore {
    inner: Arc<Inner>,
}

struct Inner {
    queue: mpsc::Sender<Waiting>,
    log: EventLog,
    repository: PostgresEventRepository,
    stop: CancellationToken,
    writer: TaskTracker,
}

impl PostgresEventStore {
    /// Starts the writer task, with the domain's upcasters. The writer holds one of the pool's
    /// connections for itself.
    #[must_use]
    pub fn start(pool: PgPool, signals: Signals) -> Self {
        Self::start_with(pool, signals, kmrl_domain::upcast::upcasters().into())
    }

    /// As [`Self::start`], with other upcasters.
    #[must_use]
    pub fn start_with(pool: PgPool, signals: Signals, upcasters: Upcasters) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let stop = CancellationToken::new();
        let writer = TaskTracker::new();
        writer.spawn(Writer::new(pool.clone(), signals, waiting).run(stop.clone()));
        writer.close();
        Self {
            inner: Arc::new(Inner {
                queue,
                log: EventLog::with_upcasters(pool.clone(), upcasters),
                repository: PostgresEventRepository::new(pool),
                stop,
                writer,
            }),
        }
    }

    /// Appends the events of a command; when this returns `Ok`, they are durable. Giving up the
    /// wait does not take the command back.
    ///
    /// # Errors
    /// See [`AppendError`]: nothing was appended, but for `Unavailable`, which cannot know.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let command = Command::new(append).map_err(|source| AppendError::Payload {
            source: source.into(),
        })?;
        self.submit(command).await
    }

    pub(super) async fn submit(&self, command: Command) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        let waiting = Waiting { command, answer };
        self.inner.queue.try_send(waiting).map_err(|e| match e {
            TrySendError::Full(_) => AppendError::Overloaded,
            TrySendError::Closed(_) => AppendError::Stopped,
        })?;
        outcome.await.unwrap_or(Err(AppendError::Stopped))
    }

    /// What was answered to the command that brought this key; `None` when none has.
    ///
    /// # Errors
    /// `KeyReused` when it was for another body, `Unavailable` when the database is.
    pub async fn answered(&self, key: &Idempotency) -> Result<Option<Appended>, AppendError> {
        type Row = (Vec<u8>, String, i64, i64, i64, OffsetDateTime);
        let row: Option<Row> = sqlx::query_as(
            "SELECT fingerprint, aggregate_id, version, first_position, position, recorded_at \
             FROM command_keys WHERE key = $1",
        )
        .bind(&key.key)
        .fetch_optional(self.inner.log.pool())
        .await
        .map_err(|source| AppendError::Unavailable {
            source: Arc::new(source),
        })?;
        let Some((fingerprint, aggregate_id, version, first_position, position, recorded_at)) = row
        else {
            return Ok(None);
        };
        // An empty one was forgotten with the content of an erased document: it fits all.
        if !fingerprint.is_empty() && fingerprint != key.fingerprint {
            return Err(AppendError::KeyReused);
        }
        Ok(Some(Appended {
            aggregate_id,
            version,
            first_position,
            position,
            recorded_at,
            replayed: true,
        }))
    }

    /// The log that this store writes.
    #[must_use]
    pub fn log(&self) -> &EventLog {
        &self.inner.log
    }

    pub(super) fn repository(&self) -> &PostgresEventRepository {
        &self.inner.repository
    }

    /// Takes no more commands, and returns when those that wait have been answered.
    pub async fn shutdown(&self) {
        self.inner.stop.cancel();
        self.inner.writer.wait().await;
    }
}
