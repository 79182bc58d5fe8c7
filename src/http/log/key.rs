//! `GET /.well-known/kmrl-log-key`: the public key of the log, for everybody.

use super::super::problem::{Problem, ProblemBody, ProblemType};
use super::super::state::ApiState;
use axum::extract::State;

/// The public key that the log's checkpoints are signed with
#[utoipa::path(
    get, path = "/.well-known/kmrl-log-key", tag = "log", security(()),
    responses(
        (status = 200, description = "The key as in C2SP signed-note: name+id+key", body = String, content_type = "text/plain"),
        (status = 404, description = "No checkpoint has been signed yet", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The log cannot be read now", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn key(State(state): State<ApiState>) -> Result<String, Problem> {
    let key = state.tree.key().await?;
    let key = key.ok_or_else(|| Problem::new(ProblemType::LogNotSigned))?;
    Ok(format!("{}\n", key.vkey()))
}
