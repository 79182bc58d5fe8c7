//! `/api/v1/blocked-addresses`: addresses that are refused for a while, seen and let in again.

use super::problem::{Problem, ProblemBody, ProblemType};
use super::state::ApiState;
use crate::limits::Block;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use std::net::IpAddr;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Their routes.
pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(blocked_addresses))
        .routes(routes!(lift_block))
}

/// The longest first.
#[derive(Serialize, ToSchema)]
struct BlockedAddresses {
    blocked_addresses: Vec<BlockedAddress>,
}

/// An address that is refused.
#[derive(Serialize, ToSchema)]
struct BlockedAddress {
    /// Of IPv4 the address; of IPv6 the first address of its /64, all of which is blocked.
    #[schema(example = "203.0.113.9")]
    address: String,
    /// Credentials from there that were not good.
    #[schema(example = 20)]
    failures: i32,
    #[serde(with = "time::serde::rfc3339")]
    blocked_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    blocked_until: OffsetDateTime,
}

impl From<Block> for BlockedAddress {
    fn from(block: Block) -> Self {
        Self {
            address: block.address,
            failures: block.failures,
            blocked_at: block.blocked_at,
            blocked_until: block.blocked_until,
        }
    }
}

fn unavailable(error: &sqlx::Error) -> Problem {
    Problem::unavailable(ProblemType::Unavailable, error)
}

/// Addresses that are refused for a while
///
/// An address is blocked after credentials from there were not good again and again
/// (`limits.failures`), for `limits.block` seconds.
#[utoipa::path(
    get, path = "/api/v1/blocked-addresses", tag = "operations",
    responses(
        (status = 200, description = "The longest first", body = BlockedAddresses),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
async fn blocked_addresses(
    State(state): State<ApiState>,
) -> Result<Json<BlockedAddresses>, Problem> {
    let blocks = state.limits.blocks().list().await;
    let blocks = blocks.map_err(|error| unavailable(&error))?;
    Ok(Json(BlockedAddresses {
        blocked_addresses: blocks.into_iter().map(Into::into).collect(),
    }))
}

/// Let an address in again
///
/// Its failures are forgotten too. Other processes let it in two seconds later at the latest.
#[utoipa::path(
    delete, path = "/api/v1/blocked-addresses/{address}", tag = "operations",
    params(("address" = String, Path, description = "The address, or any of the /64", example = "203.0.113.9")),
    responses(
        (status = 204, description = "It is let in again"),
        (status = 400, description = "That is no address", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "It is not blocked", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
async fn lift_block(
    State(state): State<ApiState>,
    Path(address): Path<String>,
) -> Result<StatusCode, Problem> {
    let address: IpAddr = address.parse().map_err(|_| {
        Problem::new(ProblemType::InvalidParameter).detail("`address` is no IPv4 or IPv6 address")
    })?;
    let lifted = state.limits.blocks().lift(address).await;
    match lifted.map_err(|error| unavailable(&error))? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::new(ProblemType::BlockNotFound)),
    }
}
