//! Jobs against the log: each run that events ask for has one job, one ending, and they agree.

use super::{Check, CheckError, Difference, TOLD};

const AREA: &str = "jobs";
const MISSING: &str = "the run has neither an ending nor a job";
const STILL_OPEN: &str = "the run has ended but its job has not";
const ENDED_EARLY: &str = "the job has ended but the run has not";
const TWICE: &str = "the run has ended more than once";

/// Runs as events tell of them, up to where the relay has come: who asked, and how often they
/// ended. A withdrawn or erased document's run needs no ending.
const RUNS: &str = "WITH runs AS (
    SELECT position, aggregate_id::uuid AS document_id, recorded_at,
           CASE event_type WHEN 'Uploaded' THEN 1 ELSE (es_readable(payload) ->> 'run')::int END AS run,
           es_readable(payload) ->> 'priority' AS priority,
           coalesce(metadata ->> 'correlation_id', '') AS correlation_id,
           metadata ->> 'traceparent' AS traceparent
    FROM events WHERE aggregate_type = 'document' AND event_type IN ('Uploaded', 'ReprocessingRequested')
      AND position <= (SELECT position FROM log_cursors WHERE name = 'relay')),
  endings AS (
    SELECT aggregate_id::uuid AS document_id, (es_readable(payload) ->> 'run')::int AS run, count(*) AS endings
    FROM events WHERE aggregate_type = 'document'
      AND (event_type = 'Extracted' OR event_type = 'Failed' AND es_readable(payload) ->> 'retry_at' IS NULL)
      AND position <= (SELECT position FROM log_cursors WHERE name = 'relay')
    GROUP BY 1, 2),
  dropped AS (
    SELECT aggregate_id::uuid AS document_id FROM events
    WHERE aggregate_type = 'document' AND event_type IN ('Withdrawn', 'Erased')),
  compared AS (
    SELECT r.*, coalesce(e.endings, 0) AS endings, j.status,
           r.document_id IN (SELECT document_id FROM dropped) AS is_dropped
    FROM runs r LEFT JOIN endings e USING (document_id, run) LEFT JOIN jobs j ON j.id = r.position) ";

const LOOKS: [(&str, &str); 4] = [
    (TWICE, "endings > 1"),
    (MISSING, "endings = 0 AND status IS NULL AND NOT is_dropped"),
    (
        STILL_OPEN,
        "endings > 0 AND status IN ('queued', 'running')",
    ),
    (
        ENDED_EARLY,
        "endings = 0 AND status IN ('done', 'failed', 'cancelled') AND NOT is_dropped",
    ),
];

impl Check {
    pub(super) async fn jobs(&self) -> Result<(i64, Vec<Difference>), CheckError> {
        let mut found = Vec::new();
        for (problem, condition) in LOOKS {
            let sql = format!(
                "{RUNS} SELECT position::text FROM compared WHERE {condition} ORDER BY position LIMIT {TOLD}"
            );
            let positions: Vec<String> = sqlx::query_scalar(&sql).fetch_all(&self.pool).await?;
            let difference = |position| Difference::new(AREA, problem, position);
            found.extend(positions.into_iter().map(difference));
        }
        let count = sqlx::query_scalar("SELECT count(*) FROM jobs")
            .fetch_one(&self.pool)
            .await?;
        Ok((count, found))
    }

    /// A job is made again from its event, closed, or opened. What ended twice stays told.
    pub(super) async fn mend_jobs(&self, found: &mut [Difference]) -> Result<(), CheckError> {
        for difference in found {
            let statement = match difference.problem {
                MISSING => {
                    "INSERT INTO jobs (id, document_id, run, priority, status, due_at, \
                                       correlation_id, traceparent, created_at) \
                     SELECT position, document_id, run, priority, 'queued', now(), \
                            correlation_id, traceparent, recorded_at \
                     FROM compared WHERE position = $1 ON CONFLICT DO NOTHING"
                }
                STILL_OPEN => {
                    "UPDATE jobs SET status = 'done', lease_until = NULL \
                     FROM compared c WHERE jobs.id = $1 AND c.position = $1"
                }
                ENDED_EARLY => {
                    "UPDATE jobs SET status = 'queued', due_at = now(), published_at = NULL, \
                            published = published + 1, lease_until = NULL, worker = NULL \
                     FROM compared c WHERE jobs.id = $1 AND c.position = $1"
                }
                _ => continue,
            };
            let position: i64 = difference.subject.parse().unwrap_or_default();
            sqlx::query(&format!("{RUNS} {statement}"))
                .bind(position)
                .execute(&self.pool)
                .await?;
            difference.repaired = true;
        }
        Ok(())
    }
}
