//! Finds jobs whose message may be lost, or whose worker is, and has them published again.
//!
//! Looking costs one statement. A job that merely waits in a long queue looks the same as one
//! whose message is gone, so each time it is left in peace twice as long, up to 32 times.

use super::{Relay, RelayError, database};

impl Relay {
    /// Has what was left behind published again by the next turn.
    ///
    /// # Errors
    /// When the table of jobs cannot be written.
    pub async fn sweep(&self) -> Result<(), RelayError> {
        let found = sqlx::query(
            "UPDATE jobs SET published_at = NULL, published = published + 1
             WHERE published_at IS NOT NULL AND (
                   status = 'queued' AND due_at <= now()
                   AND published_at < now() - make_interval(secs => $1)
                                              * (2 * 2 ^ least(published, 5))
                OR status = 'running' AND lease_until < now()
                   AND published_at < now() - make_interval(secs => $1))",
        )
        .bind(self.settings.ack_wait.as_secs_f64())
        .execute(&self.pool)
        .await
        .map_err(database("look for jobs left behind"))?
        .rows_affected();
        if found > 0 {
            tracing::info!(jobs = found, "jobs left behind are published again");
        }
        Ok(())
    }
}
