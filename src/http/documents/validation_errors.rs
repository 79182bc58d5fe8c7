//! `GET /api/v1/documents/validation-errors`: uploads refused or put into quarantine, and documents that
//! could not be read.

use super::super::audited::Touched;
use super::super::problem::{Problem, ProblemBody};
use super::super::query::{Query, within};
use super::super::seen::Seen;
use super::super::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use kmrl_projections::query::ValidationErrorRow;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ErrorsQuery {
    /// How many at most; 100 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i64>,
    /// Only those before this position: `next_before` of the page before.
    #[param(minimum = 0)]
    before: Option<i64>,
}

/// The newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct ValidationErrors {
    errors: Vec<ValidationError>,
    /// For the next page; absent on the last.
    next_before: Option<i64>,
}

/// What was refused or could not be read.
#[derive(Serialize, ToSchema)]
struct ValidationError {
    id: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// refused_upload, quarantined_upload or failed_processing.
    kind: String,
    /// Stable word.
    problem: String,
    detail: String,
    source: Option<String>,
    file_name: Option<String>,
    /// What the door objected to in the file.
    #[schema(value_type = Option<Vec<super::quarantine::DoorObjection>>)]
    objections: Option<serde_json::Value>,
    /// Absent for refused uploads.
    document_id: Option<Uuid>,
    position: i64,
}

/// Uploads refused and documents that could not be read
#[utoipa::path(
    get, path = "/api/v1/documents/validation-errors", tag = "documents", params(ErrorsQuery),
    responses(
        (status = 200, description = "The newest first", body = ValidationErrors),
        (status = 400, description = "A parameter cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn validation_errors(
    State(state): State<ApiState>,
    Seen(read): Seen,
    Query(query): Query<ErrorsQuery>,
) -> Result<Response, Problem> {
    let limit = within("limit", query.limit, 100, 1..=500)?;
    let at = state.everything.visible_position().await?;
    let rows = read.validation_errors(limit, query.before).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|n| n == limit);
    Ok(Touched::many(rows.len(), at).with(Json(ValidationErrors {
        next_before: rows.last().filter(|_| full).map(|r| r.position),
        errors: rows.into_iter().map(view).collect(),
    })))
}

fn view(row: ValidationErrorRow) -> ValidationError {
    ValidationError {
        id: row.id,
        at: row.at,
        kind: row.kind,
        problem: row.problem,
        detail: row.detail,
        source: row.source,
        file_name: row.file_name,
        objections: row.objections,
        document_id: row.document_id,
        position: row.position,
    }
}
