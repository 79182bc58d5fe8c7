//! `/api/v1/documents/{id}/quarantine`: a release is requested by one person and approved or rejected
//! by another. Destruction is an erasure: requested here, approved or rejected at `/erasure`.

use super::super::context::Caller;
use super::super::etag::IfMatch;
use super::super::json::Json;
use super::super::problem::{Problem, ProblemBody, ProblemType};
use super::super::state::ApiState;
use super::change::{Change, Changed, parse_id};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use kmrl_domain::DocumentCommand;
use kmrl_domain::command::{ApproveRelease, RejectRelease, RequestErasure, RequestRelease};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the door objects to in a file.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the form of the domain's Objection")]
pub(crate) struct DoorObjection {
    /// Stable word.
    #[schema(example = "macros")]
    code: String,
    /// One sentence.
    detail: String,
}

/// Whether a document in this state of quarantine is kept from ordinary reads and from work.
pub(crate) fn holds(state: Option<&str>) -> bool {
    matches!(state, Some("quarantined" | "release_requested"))
}

/// Why.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QuarantineRequest {
    /// 1 to 1000 characters. It stays in the log.
    #[schema(
        example = "the macros were looked at: they number the rows",
        min_length = 1,
        max_length = 1000
    )]
    reason: String,
}

async fn carry_out(
    state: &ApiState,
    caller: &Caller,
    headers: &HeaderMap,
    id: &str,
    fingerprint: (&'static str, String),
    command: DocumentCommand,
) -> Result<Response, Problem> {
    let change = Change {
        caller,
        headers,
        id: parse_id(id)?,
        condition: IfMatch::of(headers)?.required()?,
        fingerprint,
        private: None,
    };
    change.execute(state, command).await
}

fn body_of(request: &QuarantineRequest) -> Result<String, Problem> {
    serde_json::to_string(request).map_err(|e| Problem::internal(&e))
}

/// Request that a document be released from quarantine; another person has to approve
#[utoipa::path(
    post, path = "/api/v1/documents/{id}/quarantine/release", tag = "commands",
    params(
        ("id" = Uuid, Path, description = "The document"),
        ("If-Match" = String, Header, description = "The version that was read, or *"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe"),
    ),
    request_body = QuarantineRequest,
    responses(
        (status = 202, description = "It waits for another person", body = Changed),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It is not in quarantine, was withdrawn, or another request waits", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "It was erased", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "It is at another version", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The reason cannot be used, or the idempotency key was used for another request", body = ProblemBody, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn request_release(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<QuarantineRequest>,
) -> Result<Response, Problem> {
    let fingerprint = ("request-release", body_of(&request)?);
    let by = caller.principal.actor.clone();
    let at = state.clock.now();
    let command = DocumentCommand::RequestRelease(RequestRelease {
        reason: request.reason,
        by,
        at,
    });
    let answer = carry_out(&state, &caller, &headers, &id, fingerprint, command).await;
    Ok((StatusCode::ACCEPTED, answer?).into_response())
}

/// Approve a requested release, as another person than asked; the document is queued
#[utoipa::path(
    post, path = "/api/v1/documents/{id}/quarantine/release/approve", tag = "commands",
    params(
        ("id" = Uuid, Path, description = "The document"),
        ("If-Match" = String, Header, description = "The version that was read, or *"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe"),
    ),
    responses(
        (status = 202, description = "It is queued for processing", body = Changed),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Whoever requested it cannot approve it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It is not in quarantine, no release is requested, or no second person has a key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "It was erased", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "It is at another version", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The idempotency key was used for another request", body = ProblemBody, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn approve_release(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let fingerprint = ("approve-release", String::new());
    let by = caller.principal.actor.clone();
    let at = state.clock.now();
    let command = DocumentCommand::ApproveRelease(ApproveRelease { by, at });
    let answer = carry_out(&state, &caller, &headers, &id, fingerprint, command).await;
    match answer {
        Ok(answer) => Ok((StatusCode::ACCEPTED, answer).into_response()),
        Err(problem)
            if problem.kind() == ProblemType::SecondPersonRequired
                && !state.identity.has_approver() =>
        {
            Err(Problem::new(ProblemType::ApproverNotConfigured)
                .detail("set KMRL_APPROVER_KEY to a key that another person holds"))
        }
        Err(problem) => Err(problem),
    }
}

/// Reject a requested release
#[utoipa::path(
    post, path = "/api/v1/documents/{id}/quarantine/release/reject", tag = "commands",
    params(
        ("id" = Uuid, Path, description = "The document"),
        ("If-Match" = String, Header, description = "The version that was read, or *"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe"),
    ),
    request_body = QuarantineRequest,
    responses(
        (status = 200, description = "It is rejected", body = Changed),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It is not in quarantine, or no release is requested", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "It was erased", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "It is at another version", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The reason cannot be used, or the idempotency key was used for another request", body = ProblemBody, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn reject_release(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<QuarantineRequest>,
) -> Result<Response, Problem> {
    let fingerprint = ("reject-release", body_of(&request)?);
    let by = caller.principal.actor.clone();
    let at = state.clock.now();
    let command = DocumentCommand::RejectRelease(RejectRelease {
        reason: request.reason,
        by,
        at,
    });
    carry_out(&state, &caller, &headers, &id, fingerprint, command).await
}

/// Request that a document in quarantine be destroyed: an erasure, which another person has to approve
#[utoipa::path(
    post, path = "/api/v1/documents/{id}/quarantine/destroy", tag = "commands",
    params(
        ("id" = Uuid, Path, description = "The document"),
        ("If-Match" = String, Header, description = "The version that was read, or *"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe"),
    ),
    request_body = QuarantineRequest,
    responses(
        (status = 202, description = "Its erasure waits for another person", body = Changed),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It is not in quarantine, a legal matter holds it, or another request waits", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "It was erased", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "It is at another version", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The reason cannot be used, or the idempotency key was used for another request", body = ProblemBody, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn destroy_quarantined(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<QuarantineRequest>,
) -> Result<Response, Problem> {
    let fingerprint = ("destroy-quarantined", body_of(&request)?);
    let by = caller.principal.actor.clone();
    let at = state.clock.now();
    let command = DocumentCommand::DestroyQuarantined(RequestErasure {
        reason: request.reason,
        by,
        at,
    });
    let answer = carry_out(&state, &caller, &headers, &id, fingerprint, command).await;
    Ok((StatusCode::ACCEPTED, answer?).into_response())
}
