//! `GET /api/v1/status`: the gateway in one answer: how its parts are and how much it holds.

use super::live::Connections;
use super::problem::{Problem, ProblemBody};
use super::seen::Seen;
use super::state::ApiState;
use crate::health::HealthReport;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// The gateway in one answer.
#[derive(Serialize, ToSchema)]
pub(super) struct SystemStatus {
    health: HealthReport,
    /// Documents, without withdrawn ones.
    documents: i64,
    /// Waiting for a worker.
    queued: i64,
    /// With a worker.
    processing: i64,
    /// Live subscribers of this process.
    #[schema(value_type = Object)]
    connections: Connections,
    #[serde(with = "time::serde::rfc3339")]
    timestamp: OffsetDateTime,
}

/// The gateway in one answer
#[utoipa::path(
    get, path = "/api/v1/status", operation_id = "system_status", tag = "health",
    responses(
        (status = 200, description = "How it is", body = SystemStatus),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn status(
    State(state): State<ApiState>,
    Seen(read): Seen,
) -> Result<Json<SystemStatus>, Problem> {
    let statistics = read.statistics().await?;
    let of = |status: &str| statistics.by_status.get(status).copied().unwrap_or(0);
    Ok(Json(SystemStatus {
        documents: statistics.total,
        queued: of("queued"),
        processing: of("processing"),
        connections: state.live.connections(),
        timestamp: state.clock.now(),
        health: HealthReport::clone(&*state.health.report().await),
    }))
}
