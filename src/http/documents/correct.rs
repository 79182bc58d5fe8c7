//! `POST /api/v1/documents/{id}/correct`: correct department, language or metadata.

use super::super::context::Caller;
use super::super::etag::IfMatch;
use super::super::json::Json;
use super::super::problem::{Problem, ProblemBody, ProblemType};
use super::super::state::ApiState;
use super::change::{Change, Changed, parse_id};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use kmrl_domain::command::Correct;
use kmrl_domain::private::CorrectedPrivate;
use kmrl_domain::{DocumentCommand, PrivatePart};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What to correct; at least one. What is absent stays.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CorrectRequest {
    /// 1 to 64 characters.
    #[schema(example = "safety")]
    department: Option<String>,
    /// 1 to 64 characters.
    #[schema(example = "ml")]
    language: Option<String>,
    /// The whole new metadata, in place of the old.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

impl CorrectRequest {
    /// The command, and the content that is kept beside its event.
    pub(crate) fn command(
        &self,
        state: &ApiState,
    ) -> Result<(DocumentCommand, Option<PrivatePart>), Problem> {
        let seal = |metadata: &Map<String, Value>| {
            let content = CorrectedPrivate {
                metadata: metadata.clone(),
            };
            PrivatePart::seal(state.ids.salt(), &content).map_err(|e| Problem::internal(&e))
        };
        let text = self.metadata.as_ref().map(serde_json::to_string);
        let text = text.transpose().map_err(|e| Problem::internal(&e))?;
        if text.is_some_and(|text| text.contains("\\u0000")) {
            let what = "metadata may not hold the character U+0000";
            return Err(Problem::new(ProblemType::CommandInvalid).detail(what));
        }
        let private = self.metadata.as_ref().map(seal).transpose()?;
        let command = DocumentCommand::Correct(Correct {
            department: self.department.clone(),
            language: self.language.clone(),
            private: private.as_ref().map(PrivatePart::digest),
            at: state.clock.now(),
        });
        Ok((command, private))
    }
}

/// Correct what is said of a document
#[utoipa::path(
    post, path = "/api/v1/documents/{id}/correct", tag = "commands",
    params(
        ("id" = Uuid, Path, description = "The document"),
        ("If-Match" = String, Header, description = "The version that was read, or *"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe"),
    ),
    request_body = CorrectRequest,
    responses(
        (status = 200, description = "It is corrected", body = Changed),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It was withdrawn", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "It is at another version", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A value cannot be used, or the idempotency key was used for another request", body = ProblemBody, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn correct(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<CorrectRequest>,
) -> Result<Response, Problem> {
    let body = serde_json::to_string(&request).map_err(|e| Problem::internal(&e))?;
    let (command, private) = request.command(&state)?;
    let change = Change {
        caller: &caller,
        headers: &headers,
        id: parse_id(&id)?,
        condition: IfMatch::of(&headers)?.required()?,
        fingerprint: ("correct", body),
        private,
    };
    change.execute(&state, command).await
}
