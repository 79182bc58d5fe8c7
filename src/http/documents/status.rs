//! `GET /api/v1/documents/{id}/status`: where a document is on its way. Cheap to poll.

use super::super::arrival;
use super::super::audited::Touched;
use super::super::min_position;
use super::super::problem::{Problem, ProblemBody};
use super::super::query::Query;
use super::super::state::ApiState;
use super::change::parse_id;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use kmrl_domain::values::FailureReason;
use kmrl_projections::query::StatusRow;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StatusQuery {
    /// Wait until this position can be read: one's own write.
    #[param(minimum = 0)]
    min_position: Option<i64>,
}

/// Where a document is on its way.
#[derive(Serialize, ToSchema)]
pub(super) struct DocumentStatus {
    document_id: Uuid,
    /// queued, processing, processed or failed.
    status: String,
    /// 0 or 100; what lies between is pushed over WebSocket.
    progress: u8,
    /// One sentence for people.
    message: String,
    #[schema(value_type = Option<super::view::Reason>)]
    error: Option<FailureReason>,
    run: i64,
    attempt: i64,
    version: i64,
    position: i64,
    #[serde(with = "time::serde::rfc3339")]
    upload_time: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    retry_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    processing_started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    processed_at: Option<OffsetDateTime>,
    withdrawn: bool,
    erased: bool,
    /// It waits for two persons, not for a worker.
    quarantined: bool,
}

/// Where a document is on its way
#[utoipa::path(
    get, path = "/api/v1/documents/{id}/status", tag = "documents",
    params(("id" = Uuid, Path, description = "The document"), StatusQuery),
    responses(
        (status = 200, description = "Its status", body = DocumentStatus),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The position cannot be read yet, or a part does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn status(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Query(query): Query<StatusQuery>,
) -> Result<Response, Problem> {
    let id = parse_id(&id)?;
    min_position::wait(&state, query.min_position).await?;
    let row = arrival::row(&state, id, || state.everything.status(id)).await?;
    let touched = Touched::document(id, row.version, row.shown_at);
    Ok(touched.with(Json(view(row))))
}

fn view(row: StatusRow) -> DocumentStatus {
    let ended = row.status == "processed" || row.status == "failed";
    let quarantined =
        row.erased_at.is_none() && super::quarantine::holds(row.quarantine_state.as_deref());
    let message = match (row.status.as_str(), &row.error) {
        _ if row.erased_at.is_some() => "it was erased".into(),
        _ if quarantined => "it is in quarantine until a second person releases it".into(),
        ("failed", Some(reason)) => reason.detail.clone(),
        ("queued", Some(reason)) => format!("will be tried again: {}", reason.detail),
        ("queued", None) => "waits for a worker".into(),
        ("processing", _) => format!("attempt {} is under way", row.attempt),
        _ => "its text is there".into(),
    };
    DocumentStatus {
        document_id: row.id,
        progress: if ended { 100 } else { 0 },
        message,
        status: row.status,
        error: row.error,
        run: row.run,
        attempt: row.attempt,
        version: row.version,
        position: row.position,
        upload_time: row.upload_time,
        retry_at: row.retry_at,
        processing_started_at: row.processing_started_at,
        processed_at: row.processed_at,
        withdrawn: row.withdrawn_at.is_some(),
        erased: row.erased_at.is_some(),
        quarantined,
    }
}
