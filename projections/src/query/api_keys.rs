//! Issued keys, the newest first.

use super::{QueryError, ReadModel};
use serde::Serialize;
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

/// An issued key, without anything of its secret.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct ApiKeyRow {
    /// Its id.
    pub id: Uuid,
    /// Name, owner and what it is allowed: a JSON object.
    pub terms: serde_json::Value,
    /// When it was issued.
    pub issued_at: OffsetDateTime,
    /// Who issued it.
    pub issued_by: String,
    /// When it got another secret last.
    pub rotated_at: Option<OffsetDateTime>,
    /// Until when the secret before is good.
    pub overlap_until: Option<OffsetDateTime>,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
    /// Who revoked it.
    pub revoked_by: Option<String>,
    /// Why it was revoked.
    pub revocation_reason: Option<String>,
    /// When it was used last.
    pub last_used_at: Option<OffsetDateTime>,
    /// Position of its first event: one row has it alone.
    pub position: i64,
}

impl ReadModel {
    /// Up to `limit` keys issued before the one at a position, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn api_keys(
        &self,
        limit: i64,
        before: Option<i64>,
    ) -> Result<Vec<ApiKeyRow>, QueryError> {
        sqlx::query_as(
            "SELECT id, terms, issued_at, issued_by, rotated_at, overlap_until, revoked_at, \
             revoked_by, revocation_reason, last_used_at, position \
             FROM read.api_keys WHERE position < $1 ORDER BY position DESC LIMIT $2",
        )
        .bind(before.unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(QueryError::reading("the keys"))
    }
}
