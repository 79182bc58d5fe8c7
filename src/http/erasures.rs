//! `GET /api/v1/erasures`: erasures that wait, were refused, are under way or done.

use super::audited::Touched;
use super::problem::{Problem, ProblemBody, ProblemType};
use super::query::{Query, within};
use super::seen::Seen;
use super::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use kmrl_projections::query::ErasureRow;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const STATES: [&str; 4] = ["requested", "rejected", "approved", "done"];

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ErasuresQuery {
    /// Only in this state: requested, rejected, approved (its content is being destroyed) or done.
    state: Option<String>,
    /// How many at most; 100 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i64>,
    /// Only those before this position: `next_before` of the page before.
    #[param(minimum = 0)]
    before: Option<i64>,
}

/// The newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Erasures {
    erasures: Vec<Erasure>,
    /// For the next page; absent on the last.
    next_before: Option<i64>,
}

/// The erasure of a document.
#[derive(Serialize, ToSchema)]
struct Erasure {
    document_id: Uuid,
    /// requested, rejected, approved or done.
    state: String,
    /// reason, requested_by, requested_at; then rejection_reason, rejected_by, rejected_at or
    /// approved_by, approved_at, destroyed_at, private_parts, objects_removed, objects_kept.
    #[schema(value_type = Object)]
    erasure: Value,
    /// The retention rule that expired, if one did.
    retention_rule: Option<String>,
    source: String,
    department: Option<String>,
    /// Version of the document, for If-Match.
    version: i64,
    /// Position of its newest event.
    position: i64,
}

/// Erasures, the newest first
#[utoipa::path(
    get, path = "/api/v1/erasures", tag = "documents", params(ErasuresQuery),
    responses(
        (status = 200, description = "The newest first", body = Erasures),
        (status = 400, description = "A parameter cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn erasures(
    State(state): State<ApiState>,
    Seen(read): Seen,
    Query(query): Query<ErasuresQuery>,
) -> Result<Response, Problem> {
    let limit = within("limit", query.limit, 100, 1..=500)?;
    let wanted = query.state.as_deref();
    if wanted.is_some_and(|wanted| !STATES.contains(&wanted)) {
        let what = format!("`state` is one of {}", STATES.join(", "));
        return Err(Problem::new(ProblemType::InvalidParameter).detail(what));
    }
    let at = state.everything.visible_position().await?;
    let rows = read.erasures(wanted, limit, query.before).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|n| n == limit);
    Ok(Touched::many(rows.len(), at).with(Json(Erasures {
        next_before: rows.last().filter(|_| full).map(|r| r.position),
        erasures: rows.into_iter().map(view).collect(),
    })))
}

fn view(row: ErasureRow) -> Erasure {
    Erasure {
        document_id: row.document_id,
        state: row.state,
        erasure: row.erasure,
        retention_rule: row.retention_rule,
        source: row.source,
        department: row.department,
        version: row.version,
        position: row.position,
    }
}
