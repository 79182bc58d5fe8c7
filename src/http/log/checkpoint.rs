//! `GET /api/v1/log/checkpoint`: the newest signed checkpoint, as a note or as JSON.

use super::super::problem::{Problem, ProblemBody};
use super::super::query::Query;
use super::super::state::ApiState;
use super::newest;
use crate::proof::hex;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

/// No parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CheckpointQuery {}

/// A checkpoint.
#[derive(Serialize, ToSchema)]
pub(super) struct CheckpointBody {
    /// Which log: the name of its key.
    origin: String,
    /// Entries in the tree, which is the position of the newest.
    size: u64,
    /// Root of the tree, in hexadecimal.
    root: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    time: OffsetDateTime,
    /// The signed note, which proves the rest.
    note: String,
}

/// The newest signed checkpoint of the log
#[utoipa::path(
    get, path = "/api/v1/log/checkpoint", tag = "log", params(CheckpointQuery),
    responses(
        (status = 200, description = "A C2SP signed note with a tlog-checkpoint; with `Accept: application/json` the same in JSON", content((String = "text/plain"), (CheckpointBody = "application/json"))),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "None has been signed yet", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The log cannot be read now", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn checkpoint(
    State(state): State<ApiState>,
    _: Query<CheckpointQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let signed = newest(&state).await?;
    if !wants_json(&headers) {
        return Ok(signed.note.into_response());
    }
    let checkpoint = signed.checkpoint;
    let body = CheckpointBody {
        origin: checkpoint.origin,
        size: checkpoint.size,
        root: hex(&checkpoint.root),
        time: checkpoint.time,
        note: signed.note,
    };
    Ok(Json(body).into_response())
}

/// Whether the first thing asked for is JSON.
fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok());
    let first = accept.unwrap_or_default().split([',', ';']).next();
    first.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
