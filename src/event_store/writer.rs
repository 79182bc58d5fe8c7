//! The one task of a process that writes the log: group commit, retries, fairness to good commands.
//!
//! It appends what waits, at most [`BATCH`] commands a statement, and while that runs the next ones
//! gather; there is no waiting for more. One writer a process: several make each other wait for the
//! head row with smaller batches.
//!
//! **Exactly once over broken connections.** A writer registers once and numbers its batches;
//! `es_append` stores, in the transaction of the batch, the number and what became of each command.
//! So a batch whose answer was lost is sent again under its number, every command of it and with no
//! key from the caller: what was done is answered, the rest is done, and a statement that still
//! runs on the lost connection comes too late or first, never twice.
//!
//! **One bad command fails alone.** When the database refuses the content of a batch, the batch is
//! halved until the bad command stands alone.

use super::batch::{self, Command, Outcome, Sending};
use super::types::AppendError;
use crate::fault_point;
use crate::signals::Signals;
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Most commands in one statement.
const BATCH: usize = 512;
/// How long a batch is sent again while the database is away.
const RETRY_FOR: Duration = Duration::from_secs(10);
/// Pause before a batch is sent again: the first, doubled each time, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// Longest that a statement may take before its connection counts as lost.
const STATEMENT_LIMIT: Duration = Duration::from_secs(30);

/// A command in the queue, and where its answer goes.
pub(super) struct Waiting {
    pub(super) command: Command,
    pub(super) answer: oneshot::Sender<Outcome>,
}

pub(super) struct Writer {
    pool: PgPool,
    signals: Signals,
    queue: mpsc::Receiver<Waiting>,
    /// Held as long as it works: no acquiring and no test of it for each batch.
    connection: Option<PoolConnection<Postgres>>,
    /// Number that the database gave this writer.
    id: Option<i64>,
    batch: i64,
}

impl Writer {
    pub(super) fn new(pool: PgPool, signals: Signals, queue: mpsc::Receiver<Waiting>) -> Self {
        Self {
            pool,
            signals,
            queue,
            connection: None,
            id: None,
            batch: 0,
        }
    }

    /// Writes until it is told to stop and has written what waited, or nobody can ask any more.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut waiting = Vec::with_capacity(BATCH);
        loop {
            let taken = if stop.is_cancelled() {
                self.queue.close();
                self.queue.recv_many(&mut waiting, BATCH).await
            } else {
                tokio::select! {
                    taken = self.queue.recv_many(&mut waiting, BATCH) => taken,
                    () = stop.cancelled() => continue,
                }
            };
            if taken == 0 {
                return;
            }
            self.write(std::mem::take(&mut waiting)).await;
            // Those just answered often have the next command ready: let them put it into the
            // batch that comes now, or callers fall into two groups that wait for each other.
            tokio::task::yield_now().await;
        }
    }

    /// Appends all and answers each.
    async fn write(&mut self, waiting: Vec<Waiting>) {
        let mut groups = VecDeque::from([waiting]);
        while let Some(mut group) = groups.pop_front() {
            match self.send(&group).await {
                Ok(outcomes) => self.answer(group, outcomes),
                Err(error) if is_refusal(&error) && group.len() > 1 => {
                    let rest = group.split_off(group.len() / 2);
                    groups.push_front(rest);
                    groups.push_front(group);
                }
                Err(error) => fail(group, error),
            }
        }
    }

    fn answer(&self, group: Vec<Waiting>, outcomes: Vec<Outcome>) {
        let awaited =
            |(w, outcome): (&Waiting, &Outcome)| w.command.is_awaited() && has_news(outcome);
        if group.iter().zip(&outcomes).any(awaited) {
            self.signals.appended();
        }
        for (waiting, outcome) in group.into_iter().zip(outcomes) {
            // Whoever asked may have gone away; what was appended stays.
            drop(waiting.answer.send(outcome));
        }
    }

    /// Sends one batch, again and again under the same number while the connection is to blame.
    async fn send(&mut self, group: &[Waiting]) -> Result<Vec<Outcome>, sqlx::Error> {
        let commands: Vec<&Command> = group.iter().map(|w| &w.command).collect();
        self.batch += 1;
        let deadline = Instant::now() + RETRY_FOR;
        let (mut pause, longest) = PAUSES;
        let mut again = false;
        loop {
            match self.attempt(&commands, again).await {
                Err(error) if is_transient(&error) && Instant::now() + pause < deadline => {
                    tracing::warn!(%error, commands = commands.len(), pause_ms = pause.as_millis(),
                        "appending to the log failed, sending the batch again");
                    again = true;
                    crate::pause::pause(pause).await;
                    pause = (pause * 2).min(longest);
                }
                result => return result,
            }
        }
    }

    async fn attempt(
        &mut self,
        commands: &[&Command],
        again: bool,
    ) -> Result<Vec<Outcome>, sqlx::Error> {
        let (mut connection, writer) = self.connect().await?;
        let sending = Sending {
            writer,
            batch: self.batch,
            again,
        };
        fault_point::reach("append.before_statement");
        let statement = batch::append(&mut connection, sending, commands);
        let result = tokio::time::timeout(STATEMENT_LIMIT, statement)
            .await
            .unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())));
        if result.is_ok() {
            fault_point::reach("append.after_commit");
        }
        if matches!(&result, Err(error) if is_transient(error)) {
            connection.close_on_drop();
        } else {
            self.connection = Some(connection);
        }
        result
    }

    /// The writer's connection and number; the number is asked for once.
    async fn connect(&mut self) -> Result<(PoolConnection<Postgres>, i64), sqlx::Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let mut connection = self.pool.acquire().await?;
                // Acknowledged means durable, whatever the role's defaults say.
                sqlx::query(
                    "SELECT set_config('synchronous_commit', 'on', false) \
                     WHERE current_setting('synchronous_commit') = 'off'",
                )
                .execute(&mut *connection)
                .await?;
                connection
            }
        };
        let id = match self.id {
            Some(id) => id,
            None => {
                sqlx::query_scalar("INSERT INTO writers DEFAULT VALUES RETURNING id")
                    .fetch_one(&mut *connection)
                    .await?
            }
        };
        self.id = Some(id);
        Ok((connection, id))
    }
}

/// Something was appended now.
fn has_news(outcome: &Outcome) -> bool {
    matches!(outcome, Ok(a) if !a.replayed && a.first_position <= a.position)
}

fn fail(group: Vec<Waiting>, error: sqlx::Error) {
    let refused = is_refusal(&error) && group.len() == 1;
    tracing::error!(%error, commands = group.len(), refused, "nothing was appended");
    let error = Arc::new(error);
    for waiting in group {
        let source = Arc::clone(&error);
        let answer = if refused {
            AppendError::Payload {
                source: Box::new(source),
            }
        } else {
            AppendError::Unavailable { source }
        };
        drop(waiting.answer.send(Err(answer)));
    }
}

/// The SQLSTATE begins with one of these.
fn has_class(error: &sqlx::Error, classes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(|e| e.code());
    code.is_some_and(|code| classes.iter().any(|class| code.starts_with(class)))
}

/// The database refuses what is in the batch: data exception, constraint, or limit exceeded.
fn is_refusal(error: &sqlx::Error) -> bool {
    has_class(error, &["22", "23", "54"])
}

/// The connection or the server's state is to blame: another try may go well.
fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        // Connection, rollback for concurrency, resources, operator (restart), lock, read-only.
        sqlx::Error::Database(_) => has_class(error, &["08", "40", "53", "57", "55P03", "25006"]),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}
