//! How many documents wait for a worker: those with a job, and those whose upload the relay has not seen yet.

use super::fresh::Fresh;
use sqlx::PgPool;
use std::sync::Arc;

/// Counts, up to a limit. Clones are one and the same.
#[derive(Clone, Debug)]
pub(super) struct Waiting(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: PgPool,
    count: Fresh<i64>,
}

impl Waiting {
    pub(super) fn new(pool: PgPool) -> Self {
        Self(Arc::new(Inner {
            pool,
            count: Fresh::new(),
        }))
    }

    /// So many wait, or more, as of a second ago.
    pub(super) fn reaches(&self, most: u32) -> bool {
        let most = i64::from(most);
        let count = self.0.count.get(|| {
            tokio::spawn(self.clone().count(most));
        });
        *count >= most
    }

    async fn count(self, most: i64) {
        let counted = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM (SELECT FROM jobs WHERE status = 'queued' LIMIT $1) j)
                  + (SELECT count(*) FROM (
                        SELECT FROM events e, log_cursors c
                        WHERE c.name = 'relay' AND e.position > c.position
                          AND e.aggregate_type <> 'access' AND e.event_type = 'Uploaded'
                        LIMIT $1) u)",
        )
        .bind(most)
        .fetch_one(&self.0.pool)
        .await;
        if let Err(error) = &counted {
            tracing::warn!(%error, "what waits could not be counted");
        }
        self.0.count.put(counted.ok());
    }
}
