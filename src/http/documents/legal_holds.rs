//! `/api/v1/documents/{id}/legal-holds`: matters that hold a document, placed, listed, released.

use super::super::arrival;
use super::super::audited::Touched;
use super::super::context::Caller;
use super::super::etag::{IfMatch, etag};
use super::super::json::Json;
use super::super::min_position;
use super::super::problem::{Problem, ProblemBody};
use super::super::query::Query;
use super::super::seen::Seen;
use super::super::state::ApiState;
use super::change::{Change, Changed, parse_id};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use kmrl_domain::DocumentCommand;
use kmrl_domain::command::{PlaceLegalHold, ReleaseLegalHold};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Which matter holds the document, and why.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LegalHoldRequest {
    /// 1 to 64 letters, digits, -, _ and .; the first a letter or digit.
    #[schema(
        example = "case-2026-17",
        pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
    )]
    matter: String,
    /// 1 to 1000 characters.
    #[schema(
        example = "inquiry into the accident of 3 May",
        min_length = 1,
        max_length = 1000
    )]
    reason: String,
}

/// Why the hold ends.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReleaseRequest {
    /// 1 to 1000 characters.
    #[schema(example = "the inquiry is closed", min_length = 1, max_length = 1000)]
    reason: String,
}

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HoldsQuery {
    /// Wait until this position can be read: one's own write.
    #[param(minimum = 0)]
    min_position: Option<i64>,
}

/// A legal matter that holds a document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the form of the read model's JSON")]
pub(super) struct LegalHold {
    /// Which.
    matter: String,
    /// Why.
    reason: String,
    /// Who placed it.
    placed_by: String,
    /// When (RFC 3339).
    placed_at: String,
}

/// The legal matters that hold a document.
#[derive(Serialize, ToSchema)]
pub(super) struct LegalHolds {
    document_id: Uuid,
    /// Version of the document; the ETag.
    version: i64,
    /// None: it is not held.
    #[schema(value_type = Vec<LegalHold>)]
    legal_holds: Value,
}

/// The legal matters that hold a document
#[utoipa::path(
    get, path = "/api/v1/documents/{id}/legal-holds", tag = "documents",
    params(("id" = Uuid, Path, description = "The document"), HoldsQuery),
    responses(
        (status = 200, description = "The matters", body = LegalHolds, headers(("ETag" = String, description = "The document's version"))),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The position cannot be read yet, or a part does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn legal_holds(
    State(state): State<ApiState>,
    Seen(read): Seen,
    Path(id): Path<String>,
    Query(query): Query<HoldsQuery>,
) -> Result<Response, Problem> {
    let id = parse_id(&id)?;
    min_position::wait(&state, query.min_position).await?;
    let row = arrival::row(&state, id, || read.document(id)).await?;
    let holds = LegalHolds {
        document_id: id,
        version: row.version,
        legal_holds: row.legal_holds,
    };
    let touched = Touched::document(id, row.version, row.shown_at);
    Ok(touched.with(([(header::ETAG, etag(row.version))], axum::Json(holds))))
}

/// Hold a document for a legal matter: it is then neither withdrawn nor erased
#[utoipa::path(
    post, path = "/api/v1/documents/{id}/legal-holds", tag = "commands",
    params(
        ("id" = Uuid, Path, description = "The document"),
        ("If-Match" = String, Header, description = "The version that was read, or *"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe"),
    ),
    request_body = LegalHoldRequest,
    responses(
        (status = 200, description = "It is held", body = Changed),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The matter holds it already", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "It was erased", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "It is at another version", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Matter or reason cannot be used, or the idempotency key was used for another request", body = ProblemBody, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn place_legal_hold(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<LegalHoldRequest>,
) -> Result<Response, Problem> {
    let body = serde_json::to_string(&request).map_err(|e| Problem::internal(&e))?;
    let change = Change {
        caller: &caller,
        headers: &headers,
        id: parse_id(&id)?,
        condition: IfMatch::of(&headers)?.required()?,
        fingerprint: ("place-legal-hold", body),
        private: None,
    };
    let command = DocumentCommand::PlaceLegalHold(PlaceLegalHold {
        matter: request.matter,
        reason: request.reason,
        at: state.clock.now(),
    });
    change.execute(&state, command).await
}

/// End a legal matter's hold on a document; other matters go on holding it
#[utoipa::path(
    delete, path = "/api/v1/documents/{id}/legal-holds/{matter}", tag = "commands",
    params(
        ("id" = Uuid, Path, description = "The document"),
        ("matter" = String, Path, description = "The matter"),
        ("If-Match" = String, Header, description = "The version that was read, or *"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe"),
    ),
    request_body = ReleaseRequest,
    responses(
        (status = 200, description = "The matter holds it no more", body = Changed),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document, or the matter does not hold it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "It was erased", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "It is at another version", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The reason cannot be used, or the idempotency key was used for another request", body = ProblemBody, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn release_legal_hold(
    State(state): State<ApiState>,
    caller: Caller,
    Path((id, matter)): Path<(String, String)>,
    headers: HeaderMap,
    Json(request): Json<ReleaseRequest>,
) -> Result<Response, Problem> {
    let body = serde_json::to_string(&(&matter, &request)).map_err(|e| Problem::internal(&e))?;
    let change = Change {
        caller: &caller,
        headers: &headers,
        id: parse_id(&id)?,
        condition: IfMatch::of(&headers)?.required()?,
        fingerprint: ("release-legal-hold", body),
        private: None,
    };
    let command = DocumentCommand::ReleaseLegalHold(ReleaseLegalHold {
        matter,
        reason: request.reason,
        at: state.clock.now(),
    });
    change.execute(&state, command).await
}
