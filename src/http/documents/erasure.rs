//! `/api/v1/documents/{id}/erasure`: requested by one person, approved or rejected by another.

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
use kmrl_domain::command::{ApproveErasure, RejectErasure, RequestErasure};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ErasureRequest {
    /// 1 to 1000 characters. It stays in the log: it must not repeat what is to be erased.
    #[schema(
        example = "asked for by the person concerned, under the data protection act",
        min_length = 1,
        max_length = 1000
    )]
    reason: String,
}

/// A command of an erasure as the other commands are carried out.
struct Step<'a> {
    state: &'a ApiState,
    caller: &'a Caller,
    headers: &'a HeaderMap,
    id: &'a str,
}

impl Step<'_> {
    async fn execute(
        &self,
        name: &'static str,
        body: String,
        command: DocumentCommand,
    ) -> Result<Response, Problem> {
        let change = Change {
            caller: self.caller,
            headers: self.headers,
            id: parse_id(self.id)?,
            condition: IfMatch::of(self.headers)?.required()?,
            fingerprint: (name, body),
            private: None,
        };
        change.execute(self.state, command).await
    }
}

/// Request that a document's content be erased; another person has to approve
#[utoipa::path(
    post, path = "/api/v1/documents/{id}/erasure", tag = "commands",
    params(
        ("id" = Uuid, Path, description = "The document"),
        ("If-Match" = String, Header, description = "The version that was read, or *"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe"),
    ),
    request_body = ErasureRequest,
    responses(
        (status = 202, description = "It waits for another person", body = Changed),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "A legal matter holds it, or its erasure is requested already", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "It was erased", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "It is at another version", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The reason cannot be used, or the idempotency key was used for another request", body = ProblemBody, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn request_erasure(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<ErasureRequest>,
) -> Result<Response, Problem> {
    let body = serde_json::to_string(&request).map_err(|e| Problem::internal(&e))?;
    let command = DocumentCommand::RequestErasure(RequestErasure {
        reason: request.reason,
        by: caller.principal.actor.clone(),
        at: state.clock.now(),
    });
    let step = Step {
        state: &state,
        caller: &caller,
        headers: &headers,
        id: &id,
    };
    let answer = step.execute("request-erasure", body, command).await?;
    Ok((StatusCode::ACCEPTED, answer).into_response())
}

/// Approve a requested erasure, as another person than asked; the content is destroyed
#[utoipa::path(
    post, path = "/api/v1/documents/{id}/erasure/approve", tag = "commands",
    params(
        ("id" = Uuid, Path, description = "The document"),
        ("If-Match" = String, Header, description = "The version that was read, or *"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe"),
    ),
    responses(
        (status = 202, description = "It is erased; its content is being destroyed", body = Changed),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Whoever requested it cannot approve it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "No erasure is requested, a legal matter holds it, or no second person has a key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "It was erased before", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "It is at another version", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The idempotency key was used for another request", body = ProblemBody, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn approve_erasure(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let command = DocumentCommand::ApproveErasure(ApproveErasure {
        by: caller.principal.actor.clone(),
        at: state.clock.now(),
    });
    let step = Step {
        state: &state,
        caller: &caller,
        headers: &headers,
        id: &id,
    };
    match step
        .execute("approve-erasure", String::new(), command)
        .await
    {
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

/// Reject a requested erasure
#[utoipa::path(
    post, path = "/api/v1/documents/{id}/erasure/reject", tag = "commands",
    params(
        ("id" = Uuid, Path, description = "The document"),
        ("If-Match" = String, Header, description = "The version that was read, or *"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe"),
    ),
    request_body = ErasureRequest,
    responses(
        (status = 200, description = "It is rejected", body = Changed),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "No erasure is requested", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "It was erased", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "It is at another version", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The reason cannot be used, or the idempotency key was used for another request", body = ProblemBody, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn reject_erasure(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<ErasureRequest>,
) -> Result<Response, Problem> {
    let body = serde_json::to_string(&request).map_err(|e| Problem::internal(&e))?;
    let command = DocumentCommand::RejectErasure(RejectErasure {
        reason: request.reason,
        by: caller.principal.actor.clone(),
        at: state.clock.now(),
    });
    let step = Step {
        state: &state,
        caller: &caller,
        headers: &headers,
        id: &id,
    };
    step.execute("reject-erasure", body, command).await
}
