//! `POST /api/v1/keys/{key_id}/rotate` and `/revoke`.

use super::super::audited::Deeds;
use super::super::context::Caller;
use super::super::json::{Json, OptionalJson};
use super::super::problem::{Problem, ProblemBody, ProblemType};
use super::super::state::ApiState;
use super::IssuedKey;
use super::issue::secret;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// A day: enough for whoever has the key to get the new one.
const OVERLAP: i64 = 86_400;

/// How.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateRequest {
    /// Seconds for which the key before stays good, 0 to 2592000; 86400 when absent.
    #[schema(minimum = 0, maximum = 2592000)]
    overlap_seconds: Option<i64>,
}

/// Why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeRequest {
    /// 1 to 1000 characters.
    #[schema(example = "the laptop was stolen", min_length = 1, max_length = 1000)]
    reason: String,
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub(super) struct RevokedKey {
    id: Uuid,
    /// Position of the event; of the newest one, when it was revoked before.
    position: i64,
}

fn key_id(text: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(text)
        .map_err(|_| Problem::new(ProblemType::InvalidId).detail("a key's id is a UUID"))
}

/// Give a key another secret
///
/// The secret before stays good for the overlap, so that whoever has it can change without a gap. A
/// rotation within an overlap ends the good of the secret before the last one.
#[utoipa::path(
    post, path = "/api/v1/keys/{key_id}/rotate", tag = "keys",
    params(("key_id" = Uuid, Path, description = "The key")),
    request_body = Option<RotateRequest>,
    responses(
        (status = 200, description = "The new key", body = IssuedKey),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It was revoked or has expired", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The values cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn rotate_key(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    OptionalJson(request): OptionalJson<RotateRequest>,
) -> Result<Response, Problem> {
    let overlap = request.unwrap_or_default().overlap_seconds;
    let overlap = Duration::seconds(overlap.unwrap_or(OVERLAP));
    let keys = state.identity.keys();
    let issued = keys
        .rotate(key_id(&id)?, overlap, caller.metadata())
        .await?;
    let mut response = secret(StatusCode::OK, IssuedKey::of(issued));
    response.extensions_mut().insert(Deeds::default());
    Ok(response)
}

/// Make a key good for nothing
///
/// When this is answered, no process of the gateway takes the key any more, and live connections
/// that it opened are being closed. Twice is as good as once.
#[utoipa::path(
    post, path = "/api/v1/keys/{key_id}/revoke", tag = "keys",
    params(("key_id" = Uuid, Path, description = "The key")),
    request_body = RevokeRequest,
    responses(
        (status = 200, description = "It is revoked", body = RevokedKey),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The reason cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn revoke_key(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<RevokeRequest>,
) -> Result<Response, Problem> {
    let id = key_id(&id)?;
    let keys = state.identity.keys();
    let position = keys.revoke(id, request.reason, caller.metadata()).await?;
    Ok(axum::Json(RevokedKey { id, position }).into_response())
}
