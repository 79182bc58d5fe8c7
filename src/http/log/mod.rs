//! `/api/v1/log`: what proves the log to somebody who does not trust this server.

mod checkpoint;
mod consistency;
mod entries;
mod inclusion;
mod key;

use super::problem::{Problem, ProblemType};
use super::state::ApiState;
use crate::notary::SignedCheckpoint;
use crate::proof::{Hash, hex};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Routes that need a key.
pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(checkpoint::checkpoint))
        .routes(routes!(inclusion::inclusion))
        .routes(routes!(consistency::consistency))
        .routes(routes!(entries::entries))
}

/// Routes that need none.
pub(super) fn open_routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(key::key))
}

async fn newest(state: &ApiState) -> Result<SignedCheckpoint, Problem> {
    let newest = state.tree.latest().await?;
    newest.ok_or_else(|| Problem::new(ProblemType::LogNotSigned))
}

/// The size asked for, or that of the newest checkpoint.
async fn size_or_newest(state: &ApiState, size: Option<i64>) -> Result<i64, Problem> {
    match size {
        Some(size) => Ok(size),
        None => Ok(i64::try_from(newest(state).await?.checkpoint.size).unwrap_or(i64::MAX)),
    }
}

/// A position, which must be of the log: from 1 to its head.
async fn check_position(state: &ApiState, position: i64) -> Result<(), Problem> {
    if position < 1 {
        return Err(Problem::new(ProblemType::InvalidParameter).detail("positions begin at 1"));
    }
    let head = state
        .log
        .head()
        .await
        .map_err(crate::event_store::LogError::from)?;
    if position > head {
        let what = format!("the newest entry is at position {head}");
        return Err(Problem::new(ProblemType::LogPositionFuture).detail(what));
    }
    Ok(())
}

fn hashes(proof: &[Hash]) -> Vec<String> {
    proof.iter().map(hex).collect()
}
