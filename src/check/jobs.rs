//! Jobs against the log: each run that events ask for has one job, one ending, and they agree.

use super::{Check, CheckError, Difference};

const AREA: &str = "jobs";
const MISSING: &str = "the run has neither an ending nor a job";
const STILL_OPEN: &str = "the run has ended but its job has not";
const ENDED_EARLY: &str = "the job has ended but the run has not";
const TWICE: &str = "the run has ended more than once";

/// Runs as events tell of them, up to where the relay has come: who asked, and how often they
/// ended. A withdrawn or erased document's run needs no ending, and none that a quarantine stopped.
const RUNS: &str = "WITH runs AS (
    SELECT position, aggregate_id::uuid AS document_id, recorded_at,
           CASE event_type WHEN 'Uploaded' THEN 1 ELSE (es_readable(payload) ->> 'run')::int END AS run,
           es_readable(payload) ->> 'priority' AS priority,
           coalesce(metadata ->> 'correlation_id', '') AS correlation_id,
           metadata ->> 'traceparent' AS traceparent
    FROM events WHERE aggregate_type = 'document' AND event_type IN ('Uploaded', 'ReprocessingRequested', 'QuarantineReleased')
      AND position <= (SELECT position FROM log_cursors WHERE name = 'relay')),
  endings AS (
    SELECT aggregate_id::uuid AS document_id, (es_readable(payload) ->> 'run')::int AS run, count(*) AS endings,
           bool_or(event_type = 'Failed') AS has_failed
    FROM events WHERE aggregate_type = 'document'
      AND (event_type = 'Extracted' OR event_type = 'Failed' AND es_readable(payload) ->> 'retry_at' IS NULL)
      AND position <= (SELECT position FROM log_cursors WHERE name = 'relay')
    GROUP BY 1, 2),
  dropped AS (
    SELECT aggregate_id::uuid AS document_id FROM events
    WHERE aggregate_type = 'document' AND event_type IN ('Withdrawn', 'Erased')),
  quarantined AS (
    SELECT aggregate_id::uuid AS document_id FROM events
    WHERE aggregate_type = 'document' AND event_type = 'Quarantined'),
  compared AS (
    SELECT r.*, coalesce(e.endings, 0) AS endings, e.has_failed, j.status,
           r.document_id IN (SELECT document_id FROM dropped)
             OR r.run = 1 AND r.document_id IN (SELECT document_id FROM quarantined) AS is_dropped
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

/// What is done about it; `$1` is the positions.
const MENDS: [(&str, &str); 3] = [
    (
        MISSING,
        "INSERT INTO jobs (id, document_id, run, priority, status, due_at, \
                           correlation_id, traceparent, created_at) \
         SELECT position, document_id, run, priority, 'queued', now(), \
                correlation_id, traceparent, recorded_at \
         FROM compared WHERE position = ANY($1::bigint[]) AND endings = 0 \
         ON CONFLICT DO NOTHING",
    ),
    (
        STILL_OPEN,
        "UPDATE jobs SET status = CASE WHEN c.has_failed THEN 'failed' ELSE 'done' END, \
                lease_until = NULL \
         FROM compared c WHERE jobs.id = c.position AND c.position = ANY($1::bigint[]) \
           AND c.endings > 0 AND jobs.status IN ('queued', 'running')",
    ),
    (
        ENDED_EARLY,
        "UPDATE jobs SET status = 'queued', due_at = now(), published_at = NULL, \
                published = published + 1, lease_until = NULL, worker = NULL \
         FROM compared c WHERE jobs.id = c.position AND c.position = ANY($1::bigint[]) \
           AND c.endings = 0 AND jobs.status IN ('done', 'failed', 'cancelled')",
    ),
];

impl Check {
    pub(super) async fn jobs(&self) -> Result<(i64, Vec<Difference>), CheckError> {
        let mut found = Vec::new();
        for (problem, condition) in LOOKS {
            let sql = format!(
                "{RUNS} SELECT position::text, document_id::text FROM compared WHERE {condition} \
                 ORDER BY position LIMIT {}",
                self.most()
            );
            let runs: Vec<(String, String)> = sqlx::query_as(&sql).fetch_all(&self.pool).await?;
            let difference = |(position, document)| Difference {
                document_id: Some(document),
                ..Difference::new(AREA, problem, position)
            };
            found.extend(runs.into_iter().map(difference));
        }
        let count = sqlx::query_scalar("SELECT count(*) FROM jobs")
            .fetch_one(&self.pool)
            .await?;
        Ok((count, found))
    }

    /// A job is made again from its event, closed, or opened. What ended twice stays told.
    pub(super) async fn mend_jobs(&self, found: &mut [Difference]) -> Result<(), CheckError> {
        for (problem, statement) in MENDS {
            let is_it = |d: &&mut Difference| d.problem == problem;
            let positions: Vec<String> = found
                .iter_mut()
                .filter(is_it)
                .map(|d| d.subject.clone())
                .collect();
            if positions.is_empty() {
                continue;
            }
            // All at once: each statement reads the log once. Runs that ended meanwhile are left.
            sqlx::query(&format!("{RUNS} {statement}"))
                .bind(&positions)
                .execute(&self.pool)
                .await?;
            found
                .iter_mut()
                .filter(is_it)
                .for_each(|d| d.repaired = true);
        }
        Ok(())
    }
}
