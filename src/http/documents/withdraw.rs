//! `POST /api/v1/documents/{id}/withdraw`: withdraw it, with a reason; its history stays.

use super::super::context::Caller;
use super::super::etag::IfMatch;
use super::super::json::Json;
use super::super::problem::{Problem, ProblemBody};
use super::super::state::ApiState;
use super::change::{Change, Changed, parse_id};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use kmrl_domain::DocumentCommand;
use kmrl_domain::command::Withdraw;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// Why.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WithdrawRequest {
    /// 1 to 1000 characters.
    #[schema(example = "sent twice", min_length = 1, max_length = 1000)]
    reason: String,
}

impl WithdrawRequest {
    pub(crate) fn command(&self, at: OffsetDateTime) -> DocumentCommand {
        DocumentCommand::Withdraw(Withdraw {
            reason: self.reason.clone(),
            at,
        })
    }
}

/// Withdraw a document
#[utoipa::path(
    post, path = "/api/v1/documents/{id}/withdraw", tag = "commands",
    params(
        ("id" = Uuid, Path, description = "The document"),
        ("If-Match" = String, Header, description = "The version that was read, or *"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe"),
    ),
    request_body = WithdrawRequest,
    responses(
        (status = 200, description = "It is withdrawn", body = Changed),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It was withdrawn before", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "It is at another version", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The reason cannot be used, or the idempotency key was used for another request", body = ProblemBody, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn withdraw(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<WithdrawRequest>,
) -> Result<Response, Problem> {
    let body = serde_json::to_string(&request).map_err(|e| Problem::internal(&e))?;
    let change = Change {
        caller: &caller,
        headers: &headers,
        id: parse_id(&id)?,
        condition: IfMatch::of(&headers)?.required()?,
        fingerprint: ("withdraw", body),
        private: None,
    };
    change
        .execute(&state, request.command(state.clock.now()))
        .await
}
