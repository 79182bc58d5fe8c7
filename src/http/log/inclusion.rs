//! `GET /api/v1/log/proof/inclusion`: that an entry is in the tree of a size.

use super::super::problem::{Problem, ProblemBody};
use super::super::query::Query;
use super::super::state::ApiState;
use super::{check_position, hashes, size_or_newest};
use crate::notary::TreeError;
use crate::proof::hex;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct InclusionQuery {
    /// Position of the entry, from 1.
    #[param(minimum = 1)]
    position: i64,
    /// Size of the tree; that of the newest checkpoint when absent.
    #[param(minimum = 1)]
    size: Option<i64>,
}

/// Proof that an entry is in a tree (RFC 9162, 2.1.3). Hashes are in hexadecimal.
#[derive(Serialize, ToSchema)]
pub(super) struct InclusionProof {
    position: i64,
    /// Index of the leaf: position - 1.
    leaf_index: i64,
    size: i64,
    /// Hash of the entry.
    leaf: String,
    /// Root of the tree.
    root: String,
    proof: Vec<String>,
    /// The signed checkpoint of this size, if one was made at it.
    checkpoint: Option<String>,
}

/// Proof that an entry is in the log
#[utoipa::path(
    get, path = "/api/v1/log/proof/inclusion", tag = "log", params(InclusionQuery),
    responses(
        (status = 200, description = "The proof", body = InclusionProof),
        (status = 400, description = "A parameter cannot be used, or the tree has no such position", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "The log has no such position, or was not signed at such a size", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "No checkpoint covers it yet, or the log cannot be read now", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn inclusion(
    State(state): State<ApiState>,
    Query(query): Query<InclusionQuery>,
) -> Result<Json<InclusionProof>, Problem> {
    let InclusionQuery { position, size } = query;
    check_position(&state, position).await?;
    let asked = size.is_some();
    let size = size_or_newest(&state, size).await?;
    if !asked && position > size {
        return Err(TreeError::NotCovered { position }.into());
    }
    let proof = state.tree.inclusion(position, size).await?;
    Ok(Json(InclusionProof {
        position,
        leaf_index: position - 1,
        size,
        leaf: hex(&state.tree.leaf(position).await?),
        root: hex(&state.tree.root(size).await?),
        proof: hashes(&proof),
        checkpoint: state.tree.at(size).await?.map(|c| c.note),
    }))
}
