//! How entries of the audit trail look in answers.

use kmrl_projections::query::AuditRow;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A page of the audit trail.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditPage {
    #[schema(value_type = Vec<AuditEntry>)]
    pub(super) entries: Vec<AuditRow>,
    /// For the next page; absent on the last.
    pub(super) next_cursor: Option<String>,
    /// Position up to which the trail shows the log.
    pub(super) position: i64,
}

/// An entry: a change, or an access.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "documents the rows, which are written as they are"
)]
struct AuditEntry {
    /// Position of its event in the log.
    position: i64,
    /// Place in its event, from 0.
    index: i32,
    /// change or access.
    #[schema(example = "access")]
    kind: String,
    /// When it was answered, by the clock of the process.
    at: OffsetDateTime,
    /// When its event was recorded; never decreases along positions.
    recorded_at: OffsetDateTime,
    #[schema(example = "key:admin")]
    actor: String,
    key_id: Option<String>,
    #[schema(example = "view")]
    action: String,
    /// shown, accepted, unchanged, replayed, refused, denied or failed.
    #[schema(example = "shown")]
    outcome: String,
    document_id: Option<Uuid>,
    /// Version of the document that was shown or made.
    version: Option<i64>,
    /// Position of the log that the answer was made at.
    shown_at: Option<i64>,
    /// How many things were shown.
    count: Option<i64>,
    /// The HTTP status.
    status: Option<i32>,
    /// Stable word of the problem.
    problem: Option<String>,
    /// Why: in the words of who asked, else why it was refused.
    reason: Option<String>,
    /// Address of the other end of the connection.
    address: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
    correlation_id: Option<String>,
    traceparent: Option<String>,
    /// What was asked for, without secrets.
    #[schema(value_type = Object)]
    parameters: serde_json::Value,
}
