//! Publishes the jobs that are due and have no message, and marks those that were kept.
//!
//! No row is locked meanwhile. Two relays, or one that died between publishing and marking, publish
//! under the same message id, which JetStream keeps once; and whatever slips through its window
//! finds the job claimed. The mark counts only for the publication it was made for.

use super::{Relay, RelayError, database};
use crate::fault_point;
use crate::metrics::Stage;
use crate::ports::JobMessage;
use crate::traces::{Kind, Open};
use kmrl_domain::values::Priority;
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::time::Duration;

/// Jobs published at a time.
const BATCH: i64 = 500;

impl Relay {
    pub(super) async fn publish_due(&self) -> Result<(), RelayError> {
        loop {
            let mut jobs = self
                .due()
                .await
                .map_err(database("look for jobs that are due"))?;
            if jobs.is_empty() {
                return Ok(());
            }
            // Over once the messages are kept and marked, or the turn ends.
            let _traced: Vec<Open> = jobs.iter_mut().filter_map(|job| self.trace(job)).collect();
            let results = self.queue.publish(&jobs).await;
            let kept: Vec<&JobMessage> = jobs
                .iter()
                .zip(&results)
                .filter_map(|(job, result)| result.is_ok().then_some(job))
                .collect();
            if !kept.is_empty() {
                fault_point::reach("relay.after_publish");
                self.mark(&kept)
                    .await
                    .map_err(database("mark jobs as published"))?;
                self.signals.jobs_published();
            }
            if let Some(error) = results.into_iter().find_map(Result::err) {
                return Err(error.into());
            }
        }
    }

    /// The worker's part of the trace goes below this one.
    fn trace(&self, job: &mut JobMessage) -> Option<Open> {
        let parent = job.traceparent.as_deref();
        let mut traced = self.traces.begin(Kind::Producer, "publish", parent)?;
        traced.note("kmrl.document_id", job.document_id);
        traced.note("kmrl.priority", job.priority);
        job.traceparent = traced.traceparent();
        Some(traced)
    }

    async fn due(&self) -> Result<Vec<JobMessage>, sqlx::Error> {
        sqlx::query(
            "SELECT id, document_id, run, attempt + 1 AS attempt, priority, correlation_id,
                    traceparent, published
             FROM jobs
             WHERE published_at IS NULL
               AND (status = 'queued' AND due_at <= now()
                    OR status = 'running' AND lease_until < now())
             ORDER BY due_at, id LIMIT $1",
        )
        .bind(BATCH)
        .try_map(|row| message(&row))
        .fetch_all(&self.pool)
        .await
    }

    async fn mark(&self, kept: &[&JobMessage]) -> Result<(), sqlx::Error> {
        // A job's time is that of the event that asked for it. Only its first message counts.
        let queued: Vec<(bool, f64)> = sqlx::query_as(
            "UPDATE jobs AS j SET published_at = now()
             FROM unnest($1::bigint[], $2::int[]) AS t (id, published)
             WHERE j.id = t.id AND j.published = t.published AND j.published_at IS NULL
             RETURNING j.published = 0 AND j.attempt = 0,
                       greatest(extract(epoch FROM now() - j.created_at), 0)::float8",
        )
        .bind(kept.iter().map(|j| j.job_id).collect::<Vec<_>>())
        .bind(
            kept.iter()
                .map(|j| j.published.cast_signed())
                .collect::<Vec<_>>(),
        )
        .fetch_all(&self.pool)
        .await?;
        for (_, seconds) in queued.into_iter().filter(|(is_first, _)| *is_first) {
            let took = Duration::try_from_secs_f64(seconds).unwrap_or_default();
            self.metrics.stage(Stage::Queued, took);
        }
        Ok(())
    }
}

fn message(row: &PgRow) -> Result<JobMessage, sqlx::Error> {
    let priority: &str = row.try_get("priority")?;
    let number = |name: &str| row.try_get::<i32, _>(name).map(i32::cast_unsigned);
    Ok(JobMessage {
        job_id: row.try_get("id")?,
        document_id: row.try_get("document_id")?,
        run: number("run")?,
        attempt: number("attempt")?,
        priority: priority
            .parse::<Priority>()
            .map_err(|source| sqlx::Error::Decode(source.into()))?,
        correlation_id: row.try_get("correlation_id")?,
        traceparent: row.try_get("traceparent")?,
        published: number("published")?,
    })
}
