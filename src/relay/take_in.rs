//! Events in, rows of jobs out, with the cursor in the same transaction: each event counts once.
//!
//! A batch is folded first: what it means for each run is decided in memory, then written by a
//! statement for each kind of change.

use super::{CURSOR, Relay, RelayError, database};
use crate::fault_point;
use crate::metrics::JobEnd;
use kmrl_domain::event::DocumentEvent;
use kmrl_domain::recorded::{DecodeError, RecordedEvent};
use kmrl_domain::values::Priority;
use sqlx::{Postgres, Transaction};
use std::collections::HashMap;
use time::OffsetDateTime;
use uuid::Uuid;

/// Events taken in by one transaction.
const BATCH: i64 = 1_000;

/// What a batch of events asks of the table of jobs.
#[derive(Default)]
struct Changes {
    new: Vec<NewJob>,
    /// By document and run. The last outcome in the batch is the one that stands.
    outcomes: HashMap<(Uuid, u32), RunOutcome>,
    /// Withdrawn or erased: nothing of them is worked on any more.
    gone: Vec<Uuid>,
    /// In quarantine: the run that their upload opened is not worked on. A release opens another.
    held: Vec<Uuid>,
}

struct NewJob {
    id: i64,
    document_id: Uuid,
    run: u32,
    priority: Priority,
    correlation_id: String,
    traceparent: Option<String>,
    at: OffsetDateTime,
}

#[derive(Clone, Copy)]
enum RunOutcome {
    Done,
    Failed,
    Retry { attempt: u32, at: OffsetDateTime },
}

impl Changes {
    fn of(events: &[RecordedEvent]) -> Self {
        let mut changes = Self::default();
        for event in events {
            if let Err(error) = changes.fold(event) {
                // Stopping here would stop every document after it. Projections park it.
                tracing::error!(
                    position = event.position,
                    error = &error as &dyn std::error::Error,
                    "an event is passed over by the relay: it cannot be read"
                );
            }
        }
        changes
    }

    fn fold(&mut self, event: &RecordedEvent) -> Result<(), DecodeError> {
        let Some(what) = event.document()? else {
            return Ok(());
        };
        let document_id = event.id()?;
        match what {
            DocumentEvent::Uploaded(e) => self.add(event, document_id, 1, e.priority),
            DocumentEvent::ReprocessingRequested(e) => {
                self.add(event, document_id, e.run, e.priority);
            }
            DocumentEvent::Extracted(e) => {
                self.outcomes
                    .insert((document_id, e.attempt.run), RunOutcome::Done);
            }
            DocumentEvent::Failed(e) => {
                let outcome = e
                    .retry_at
                    .map_or(RunOutcome::Failed, |at| RunOutcome::Retry {
                        attempt: e.attempt.attempt,
                        at,
                    });
                self.outcomes.insert((document_id, e.attempt.run), outcome);
            }
            DocumentEvent::Withdrawn(_) | DocumentEvent::Erased(_) => self.gone.push(document_id),
            DocumentEvent::QuarantineReleased(e) => {
                self.add(event, document_id, e.run, e.priority);
            }
            DocumentEvent::Quarantined(_) => self.held.push(document_id),
            DocumentEvent::ProcessingStarted(_)
            | DocumentEvent::Reviewed(_)
            | DocumentEvent::Corrected(_)
            | DocumentEvent::LegalHoldPlaced(_)
            | DocumentEvent::LegalHoldReleased(_)
            | DocumentEvent::RetentionExpired(_)
            | DocumentEvent::ErasureRequested(_)
            | DocumentEvent::ErasureRejected(_)
            | DocumentEvent::ContentDestroyed(_)
            | DocumentEvent::RisksAccepted(_)
            | DocumentEvent::QuarantineReleaseRequested(_)
            | DocumentEvent::QuarantineReleaseRejected(_) => {}
        }
        Ok(())
    }

    fn add(&mut self, event: &RecordedEvent, document_id: Uuid, run: u32, priority: Priority) {
        let of = |name: &str| event.metadata.get(name).cloned();
        self.new.push(NewJob {
            id: event.position,
            document_id,
            run,
            priority,
            correlation_id: of("correlation_id").unwrap_or_default(),
            traceparent: of("traceparent"),
            at: event.recorded_at,
        });
    }
}

impl Relay {
    /// Takes in one batch; answers whether there may be more.
    pub(super) async fn take_in(&self) -> Result<bool, RelayError> {
        let cursor: i64 = sqlx::query_scalar("SELECT position FROM log_cursors WHERE name = $1")
            .bind(CURSOR)
            .fetch_one(&self.pool)
            .await
            .map_err(database("read its cursor"))?;
        let events = self.log.read_without_access(cursor, BATCH).await?;
        let Some(last) = events.last() else {
            return Ok(false);
        };
        let changes = Changes::of(&events);
        let mut tx = self
            .pool
            .begin()
            .await
            .map_err(database("begin a transaction"))?;
        // Moves the cursor from where it was read, and holds its row until the commit: another
        // relay waits here, then finds the cursor moved and the batch not its own.
        let moved =
            sqlx::query("UPDATE log_cursors SET position = $3 WHERE name = $1 AND position = $2")
                .bind(CURSOR)
                .bind(cursor)
                .bind(last.position)
                .execute(&mut *tx)
                .await
                .map_err(database("move its cursor"))?
                .rows_affected();
        if moved == 1 {
            let ended = write(&mut tx, &changes)
                .await
                .map_err(database("write jobs"))?;
            tx.commit().await.map_err(database("commit jobs"))?;
            for (end, count) in ended {
                self.metrics.jobs_ended(end, count);
            }
            if !changes.new.is_empty() {
                fault_point::reach("relay.after_jobs");
            }
        }
        Ok(true)
    }
}

/// Answers how many jobs ended how: each row ends once, so all relays together count it once.
async fn write(
    tx: &mut Transaction<'_, Postgres>,
    changes: &Changes,
) -> Result<[(JobEnd, u64); 4], sqlx::Error> {
    insert(tx, &changes.new).await?;
    let (done, failed) = finish(tx, &changes.outcomes).await?;
    let retried = put_off(tx, &changes.outcomes).await?;
    let mut cancelled = 0;
    if !changes.held.is_empty() {
        // Where a batch ended between an upload and its quarantine, the job is there already; a
        // worker that has it cannot start.
        cancelled += sqlx::query(
            "UPDATE jobs SET status = 'cancelled', lease_until = NULL
             WHERE document_id = ANY($1) AND run = 1 AND status IN ('queued', 'running')",
        )
        .bind(&changes.held)
        .execute(&mut **tx)
        .await?
        .rows_affected();
    }
    if !changes.gone.is_empty() {
        cancelled += sqlx::query(
            "UPDATE jobs SET status = 'cancelled', lease_until = NULL
             WHERE document_id = ANY($1) AND status IN ('queued', 'running')",
        )
        .bind(&changes.gone)
        .execute(&mut **tx)
        .await?
        .rows_affected();
    }
    Ok([
        (JobEnd::Done, done),
        (JobEnd::Failed, failed),
        (JobEnd::Retried, retried),
        (JobEnd::Cancelled, cancelled),
    ])
}

async fn insert(tx: &mut Transaction<'_, Postgres>, jobs: &[NewJob]) -> Result<(), sqlx::Error> {
    if jobs.is_empty() {
        return Ok(());
    }
    // A job that is there already was made of the same event, before the cursor was set back.
    // The log's time never goes back, so it may be ahead of a clock that was: nobody waits for that.
    sqlx::query(
        "INSERT INTO jobs (id, document_id, run, priority, status, due_at, correlation_id,
                           traceparent, created_at)
         SELECT id, document_id, run, priority, 'queued', least(at, now()), correlation_id,
                traceparent, at
         FROM unnest($1::bigint[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[],
                     $7::timestamptz[])
              AS t (id, document_id, run, priority, correlation_id, traceparent, at)
         ON CONFLICT DO NOTHING",
    )
    .bind(jobs.iter().map(|j| j.id).collect::<Vec<_>>())
    .bind(jobs.iter().map(|j| j.document_id).collect::<Vec<_>>())
    .bind(jobs.iter().map(|j| j.run.cast_signed()).collect::<Vec<_>>())
    .bind(jobs.iter().map(|j| j.priority.as_str()).collect::<Vec<_>>())
    .bind(
        jobs.iter()
            .map(|j| j.correlation_id.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        jobs.iter()
            .map(|j| j.traceparent.as_deref())
            .collect::<Vec<_>>(),
    )
    .bind(jobs.iter().map(|j| j.at).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

type Outcomes = HashMap<(Uuid, u32), RunOutcome>;

/// Runs that have their outcome, whatever attempt gave it. Answers how many are done and failed.
async fn finish(
    tx: &mut Transaction<'_, Postgres>,
    outcomes: &Outcomes,
) -> Result<(u64, u64), sqlx::Error> {
    let (mut documents, mut runs, mut words) = (Vec::new(), Vec::new(), Vec::new());
    for ((document, run), outcome) in outcomes {
        words.push(match outcome {
            RunOutcome::Done => "done",
            RunOutcome::Failed => "failed",
            RunOutcome::Retry { .. } => continue,
        });
        documents.push(*document);
        runs.push(run.cast_signed());
    }
    if words.is_empty() {
        return Ok((0, 0));
    }
    let ended: Vec<String> = sqlx::query_scalar(
        "UPDATE jobs AS j SET status = t.status, lease_until = NULL
         FROM unnest($1::uuid[], $2::int[], $3::text[]) AS t (document_id, run, status)
         WHERE j.document_id = t.document_id AND j.run = t.run
           AND j.status IN ('queued', 'running')
         RETURNING j.status",
    )
    .bind(documents)
    .bind(runs)
    .bind(words)
    .fetch_all(&mut **tx)
    .await?;
    let done = ended.iter().filter(|status| *status == "done").count() as u64;
    Ok((done, ended.len() as u64 - done))
}

/// Runs whose attempt failed and that have another one, unless that one was claimed already.
async fn put_off(
    tx: &mut Transaction<'_, Postgres>,
    outcomes: &Outcomes,
) -> Result<u64, sqlx::Error> {
    let (mut documents, mut runs) = (Vec::new(), Vec::new());
    let (mut attempts, mut times) = (Vec::new(), Vec::new());
    for ((document, run), outcome) in outcomes {
        if let RunOutcome::Retry { attempt, at } = outcome {
            documents.push(*document);
            runs.push(run.cast_signed());
            attempts.push(attempt.cast_signed());
            times.push(*at);
        }
    }
    if times.is_empty() {
        return Ok(0);
    }
    // `greatest`: the row may know less than the log, when jobs were made anew from it.
    let put_off = sqlx::query(
        "UPDATE jobs AS j
         SET status = 'queued', due_at = t.at, attempt = greatest(j.attempt, t.attempt),
             lease_until = NULL, worker = NULL, published_at = NULL, published = published + 1
         FROM unnest($1::uuid[], $2::int[], $3::int[], $4::timestamptz[])
              AS t (document_id, run, attempt, at)
         WHERE j.document_id = t.document_id AND j.run = t.run AND j.attempt <= t.attempt
           AND j.status IN ('queued', 'running')",
    )
    .bind(documents)
    .bind(runs)
    .bind(attempts)
    .bind(times)
    .execute(&mut **tx)
    .await?;
    Ok(put_off.rows_affected())
}
