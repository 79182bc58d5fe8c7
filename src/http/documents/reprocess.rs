//! `POST /api/v1/documents/{id}/reprocess`: process it once more.

use super::super::context::Caller;
use super::super::etag::IfMatch;
use super::super::json::OptionalJson;
use super::super::problem::{Problem, ProblemBody};
use super::super::state::ApiState;
use super::change::{Change, Changed, parse_id};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use kmrl_domain::DocumentCommand;
use kmrl_domain::command::RequestReprocessing;
use kmrl_domain::values::Priority;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// How.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReprocessRequest {
    /// high, normal (the default) or low.
    #[serde(default)]
    #[schema(value_type = String, required = false, example = "high", pattern = "^(high|normal|low)$")]
    priority: Priority,
}

impl ReprocessRequest {
    pub(crate) const fn command(&self, at: OffsetDateTime) -> DocumentCommand {
        DocumentCommand::RequestReprocessing(RequestReprocessing {
            priority: self.priority,
            at,
        })
    }
}

/// Process a document once more
#[utoipa::path(
    post, path = "/api/v1/documents/{id}/reprocess", tag = "commands",
    params(
        ("id" = Uuid, Path, description = "The document"),
        ("If-Match" = Option<String>, Header, description = "Only at this version"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe"),
    ),
    request_body = Option<ReprocessRequest>,
    responses(
        (status = 200, description = "It is queued", body = Changed),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It is still being processed, or was withdrawn", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "It is at another version", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The idempotency key was used for another request", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn reprocess(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    OptionalJson(request): OptionalJson<ReprocessRequest>,
) -> Result<Response, Problem> {
    let request = request.unwrap_or_default();
    let body = serde_json::to_string(&request).map_err(|e| Problem::internal(&e))?;
    let change = Change {
        caller: &caller,
        headers: &headers,
        id: parse_id(&id)?,
        condition: IfMatch::of(&headers)?,
        fingerprint: ("reprocess", body),
        private: None,
    };
    change
        .execute(&state, request.command(state.clock.now()))
        .await
}
