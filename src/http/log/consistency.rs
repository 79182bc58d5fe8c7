//! `GET /api/v1/log/proof/consistency`: that a tree begins with an older one.

use super::super::problem::{Problem, ProblemBody};
use super::super::query::Query;
use super::super::state::ApiState;
use super::{hashes, size_or_newest};
use crate::proof::hex;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ConsistencyQuery {
    /// Size of the older tree.
    #[param(minimum = 1)]
    from: i64,
    /// Size of the newer tree; that of the newest checkpoint when absent.
    #[param(minimum = 1)]
    to: Option<i64>,
}

/// Proof that a tree begins with an older one (RFC 9162, 2.1.4). Hashes are in hexadecimal.
#[derive(Serialize, ToSchema)]
pub(super) struct ConsistencyProof {
    from: i64,
    to: i64,
    /// Root of the older tree.
    from_root: String,
    /// Root of the newer tree.
    to_root: String,
    proof: Vec<String>,
    /// The signed checkpoint of the older size, if one was made at it.
    from_checkpoint: Option<String>,
    /// The signed checkpoint of the newer size, if one was made at it.
    to_checkpoint: Option<String>,
}

/// Proof that the log only grew between two sizes
#[utoipa::path(
    get, path = "/api/v1/log/proof/consistency", tag = "log", params(ConsistencyQuery),
    responses(
        (status = 200, description = "The proof", body = ConsistencyProof),
        (status = 400, description = "A parameter cannot be used, or the sizes are reversed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "The log was not signed at such a size", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The log cannot be read now", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn consistency(
    State(state): State<ApiState>,
    Query(query): Query<ConsistencyQuery>,
) -> Result<Json<ConsistencyProof>, Problem> {
    let from = query.from;
    let to = size_or_newest(&state, query.to).await?;
    let proof = state.tree.consistency(from, to).await?;
    Ok(Json(ConsistencyProof {
        from,
        to,
        from_root: hex(&state.tree.root(from).await?),
        to_root: hex(&state.tree.root(to).await?),
        proof: hashes(&proof),
        from_checkpoint: state.tree.at(from).await?.map(|c| c.note),
        to_checkpoint: state.tree.at(to).await?.map(|c| c.note),
    }))
}
