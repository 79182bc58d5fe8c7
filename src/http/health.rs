//! `/health`, `/health/live`, `/health/ready`, `/health/detailed`: what the probes found.

use super::problem::ProblemBody;
use super::state::ApiState;
use crate::health::HealthReport;
use crate::health::jail::JailView;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Routes that need no key.
pub(super) fn open_routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(health))
}

/// Routes that need the key.
pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(detailed))
}

/// In few words.
#[derive(Serialize, ToSchema)]
pub(super) struct Brief {
    /// healthy, degraded or unhealthy; alive or ready where that was asked.
    status: &'static str,
    /// Version of the program.
    version: &'static str,
    /// Asked whether it is ready: full when all that readers of documents should be refused is,
    /// partial when this system lacks some of it. Absent where the process has no readers.
    #[serde(skip_serializing_if = "Option::is_none")]
    jail: Option<&'static str>,
}

fn brief(status: &'static str) -> Json<Brief> {
    Json(Brief {
        status,
        version: env!("CARGO_PKG_VERSION"),
        jail: None,
    })
}

/// The process answers
#[utoipa::path(get, path = "/health/live", tag = "health", security(()), responses((status = 200, description = "It answers", body = Brief)))]
async fn live() -> Json<Brief> {
    brief("alive")
}

/// Requests can be served
///
/// Not ready is a process that can answer nothing: without the database, or without read models.
/// While another part is down, such as the object store or the virus scanner, what needs it is
/// answered with 503 and the rest is served.
#[utoipa::path(
    get, path = "/health/ready", tag = "health", security(()),
    responses(
        (status = 200, description = "They can", body = Brief),
        (status = 503, description = "A required part is down", body = Brief),
    ),
)]
async fn ready(State(state): State<ApiState>) -> (StatusCode, Json<Brief>) {
    let report = state.health.report().await;
    if !report.is_ready() {
        return (StatusCode::SERVICE_UNAVAILABLE, brief("not ready"));
    }
    let Json(mut answer) = brief("ready");
    answer.jail = report.jail.as_ref().map(JailView::word);
    (StatusCode::OK, Json(answer))
}

/// How the gateway is, in one word
#[utoipa::path(
    get, path = "/health", tag = "health", security(()),
    responses(
        (status = 200, description = "healthy or degraded", body = Brief),
        (status = 503, description = "unhealthy", body = Brief),
    ),
)]
async fn health(State(state): State<ApiState>) -> (StatusCode, Json<Brief>) {
    let report = state.health.report().await;
    (code(&report), brief(report.status))
}

/// How each part is
#[utoipa::path(
    get, path = "/health/detailed", tag = "health",
    responses(
        (status = 200, description = "healthy or degraded", body = HealthReport),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "unhealthy", body = HealthReport),
    ),
)]
async fn detailed(State(state): State<ApiState>) -> (StatusCode, Json<HealthReport>) {
    let report = state.health.report().await;
    (code(&report), Json(HealthReport::clone(&report)))
}

fn code(report: &HealthReport) -> StatusCode {
    if report.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}
