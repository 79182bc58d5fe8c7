//! Claims: which worker has which attempt at a job. PostgreSQL is the fence.
//!
//! An attempt is claimed by one statement that raises the job's attempt number, and held by a
//! lease that is renewed while work goes on. A lease that ran out can be claimed over, as the next
//! attempt, while the job has attempts left; a job that waits was granted one by the domain. What
//! counts of an attempt is decided there, not here.

use super::WorkSettings;
use crate::ports::JobMessage;
use sqlx::{PgPool, Row};
use std::time::Duration;
use time::OffsetDateTime;

/// Beyond a lease's end, so that it has surely ended when the job is looked at again.
const AFTER_LEASE: Duration = Duration::from_millis(100);

/// What became of a try to claim a job.
pub(super) enum Claimed {
    /// The attempt is ours.
    Ours(Claim),
    /// Another attempt is under way; look again after this time.
    Held(Duration),
    /// The job has ended, or waits for a message yet to come.
    Over,
    /// Every attempt that it had was started and none has an outcome: workers were lost.
    Exhausted(Claim),
    /// There is no such job.
    Unknown,
}

/// An attempt that is ours while the lease lasts.
#[derive(Clone)]
pub(super) struct Claim {
    pool: PgPool,
    job_id: i64,
    worker: String,
    lease: f64,
    /// Number of the attempt in its run, from 1.
    pub(super) attempt: u32,
    /// Earlier attempts that ended by no fault of the document.
    pub(super) excused: u32,
    /// When its message went into the queue, in the database's time.
    pub(super) queued_at: Option<OffsetDateTime>,
}

impl Claim {
    /// Tries to claim the next attempt at a job.
    pub(super) async fn take(
        pool: &PgPool,
        job: &JobMessage,
        settings: &WorkSettings,
    ) -> Result<Claimed, sqlx::Error> {
        let claim = |attempt: i32, excused: i32, queued_at| Self {
            queued_at,
            pool: pool.clone(),
            job_id: job.job_id,
            worker: settings.name.clone(),
            lease: settings.ack_wait.as_secs_f64(),
            attempt: attempt.cast_unsigned(),
            excused: excused.cast_unsigned(),
        };
        // The document's id is compared because messages of another database may have strayed here.
        let taken = sqlx::query_as::<_, (i32, i32, Option<OffsetDateTime>)>(
            "UPDATE jobs SET status = 'running', attempt = attempt + 1, worker = $3,
                             lease_until = now() + make_interval(secs => $4)
             WHERE id = $1 AND document_id = $2
               AND (status = 'queued' AND due_at <= now()
                    OR status = 'running' AND lease_until <= now() AND attempt - excused < $5)
             RETURNING attempt, excused, published_at",
        )
        .bind(job.job_id)
        .bind(job.document_id)
        .bind(&settings.name)
        .bind(settings.ack_wait.as_secs_f64())
        .bind(settings.max_attempts.max(1).cast_signed())
        .fetch_optional(pool)
        .await?;
        if let Some((attempt, excused, queued_at)) = taken {
            return Ok(Claimed::Ours(claim(attempt, excused, queued_at)));
        }
        let row = sqlx::query(
            "SELECT status, due_at <= now() AS due, attempt, excused,
                    extract(epoch FROM lease_until - now())::float8 AS lease_left,
                    attempt - excused >= $3 AS used_up
             FROM jobs WHERE id = $1 AND document_id = $2",
        )
        .bind(job.job_id)
        .bind(job.document_id)
        .bind(settings.max_attempts.max(1).cast_signed())
        .fetch_optional(pool)
        .await?;
        let Some(row) = row else {
            return Ok(Claimed::Unknown);
        };
        let status: &str = row.try_get("status")?;
        let lease_left: Option<f64> = row.try_get("lease_left")?;
        Ok(match (status, lease_left) {
            ("running", Some(left)) if left > 0.0 => {
                Claimed::Held(Duration::try_from_secs_f64(left).unwrap_or_default() + AFTER_LEASE)
            }
            ("queued", _) if !row.try_get::<bool, _>("due")? => Claimed::Over,
            ("running", _) if row.try_get("used_up")? => Claimed::Exhausted(claim(
                row.try_get("attempt")?,
                row.try_get("excused")?,
                None,
            )),
            // Somebody was faster between the two statements.
            ("queued" | "running", _) => Claimed::Held(AFTER_LEASE),
            _ => Claimed::Over,
        })
    }

    /// Renews the lease; `false` when the attempt is not ours any more.
    pub(super) async fn renew(&self) -> Result<bool, sqlx::Error> {
        sqlx::query(
            "UPDATE jobs SET lease_until = now() + make_interval(secs => $4)
             WHERE id = $1 AND attempt = $2 AND worker = $3 AND status = 'running'",
        )
        .bind(self.job_id)
        .bind(self.attempt.cast_signed())
        .bind(&self.worker)
        .bind(self.lease)
        .execute(&self.pool)
        .await
        .map(|done| done.rows_affected() == 1)
    }

    /// Gives the job back so that it costs the document none of its attempts. One that was not
    /// started never was; a started one is excused.
    pub(super) async fn release(&self, started: bool) -> Result<(), sqlx::Error> {
        // Published just now: its message goes back into the queue.
        sqlx::query(
            "UPDATE jobs SET status = 'queued', lease_until = NULL, worker = NULL,
                             published_at = now(),
                             attempt = attempt - CASE WHEN $4 THEN 0 ELSE 1 END,
                             excused = excused + CASE WHEN $4 THEN 1 ELSE 0 END
             WHERE id = $1 AND attempt = $2 AND worker = $3 AND status = 'running'",
        )
        .bind(self.job_id)
        .bind(self.attempt.cast_signed())
        .bind(&self.worker)
        .bind(started)
        .execute(&self.pool)
        .await
        .map(drop)
    }

    /// Gives the job back and raises its number to that of an attempt the document knows of. Jobs
    /// made anew from the log count from 0 again.
    pub(super) async fn catch_up(&self, current: u32) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE jobs SET status = 'queued', lease_until = NULL, worker = NULL,
                             published_at = now(),
                             attempt = greatest(attempt, $3), excused = greatest(excused, $3)
             WHERE id = $1 AND attempt = $2 AND status IN ('queued', 'running')",
        )
        .bind(self.job_id)
        .bind(self.attempt.cast_signed())
        .bind(current.cast_signed())
        .execute(&self.pool)
        .await
        .map(drop)
    }
}
