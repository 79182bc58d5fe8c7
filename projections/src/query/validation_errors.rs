//! What did not become a processed document, the newest first.

use super::{QueryError, ReadModel, visible};
use serde::Serialize;
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

/// An upload that was refused, or processing that was given up.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct ValidationErrorRow {
    /// Id of the stream of its event: of the refusal, or of the document.
    pub id: Uuid,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// `refused_upload`, `quarantined_upload` or `failed_processing`.
    pub kind: String,
    /// Stable word of the problem.
    pub problem: String,
    /// One sentence for people.
    pub detail: String,
    /// Where the document came from, if that is known.
    pub source: Option<String>,
    /// Name of the file, if there was one and it was not erased.
    pub file_name: Option<String>,
    /// The document, if there is one.
    pub document_id: Option<Uuid>,
    /// What the door objected to in the file: a JSON array.
    pub objections: Option<serde_json::Value>,
    /// Position of its event: one row has it alone.
    pub position: i64,
}

impl ReadModel {
    /// Up to `limit` errors of what somebody sees with a position under `before`, the newest first. An
    /// upload that was refused belongs to no department: whoever sent it sees it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn validation_errors(
        &self,
        limit: i64,
        before: Option<i64>,
    ) -> Result<Vec<ValidationErrorRow>, QueryError> {
        let seen = visible::condition("d", 3, 4);
        let (departments, uploader) = visible::parts(&self.visible);
        sqlx::query_as(&format!(
            "SELECT v.id, v.at, v.kind, v.problem, v.detail, coalesce(v.source, d.source) AS source, \
             coalesce(v.file_name, nullif(d.original_filename, '')) AS file_name, \
             v.document_id, v.objections, v.position \
             FROM read.validation_errors v LEFT JOIN read.documents d ON d.id = v.document_id \
             WHERE v.position < $1 AND ({seen} OR v.uploader = $4) ORDER BY v.position DESC LIMIT $2",
        ))
        .bind(before.unwrap_or(i64::MAX))
        .bind(limit)
        .bind(departments)
        .bind(uploader)
        .fetch_all(&self.pool)
        .await
        .map_err(QueryError::reading("the validation errors"))
    }
}
