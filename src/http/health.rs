//! Health from real probes: `/health`, `/health/live`, `/health/ready`, `/health/detailed`.
//!
//! A probe is a round trip to the real thing, bounded in time. None is cached or assumed.

use super::jail::{Jail, JailView};
use super::problem::ProblemBody;
use super::state::ApiState;
use crate::event_store::EventLog;
use crate::ports::{BlobStore, JobQueue, Scanner};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use kmrl_projections::query::ReadModel;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest that a probe may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is probed.
pub struct Health {
    /// PostgreSQL, through the log.
    pub log: EventLog,
    /// The read models.
    pub read: ReadModel,
    /// The object store.
    pub blobs: Arc<dyn BlobStore>,
    /// JetStream.
    pub queue: Arc<dyn JobQueue>,
    /// The virus scanner, where there is one: without it nothing is taken in.
    pub scanner: Option<Arc<dyn Scanner>>,
    /// What readers may do, where this process has any.
    pub jail: Jail,
    /// The roles of this process.
    pub roles: Vec<String>,
}

/// What a probe found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Probe {
    /// What was probed.
    name: &'static str,
    /// up or down.
    status: &'static str,
    /// How long the round trip took, in milliseconds.
    latency_ms: f64,
    /// Without it nothing can be accepted or read.
    required: bool,
}

/// How the gateway is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HealthReport {
    /// healthy, degraded (a part that others can wait for is down) or unhealthy.
    status: &'static str,
    /// Version of the program.
    version: &'static str,
    /// The roles of this process.
    roles: Vec<String>,
    /// Position of the newest event; absent when unknown.
    head: Option<i64>,
    /// Position that can be read; absent when unknown.
    visible: Option<i64>,
    /// What was probed.
    components: Vec<Probe>,
    /// What the readers of this process may not do; absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    jail: Option<JailView>,
}

impl Health {
    /// Probes everything.
    pub async fn report(&self) -> HealthReport {
        let head = async { self.log.head().await.ok() };
        let visible = async { self.read.visible_position().await.ok() };
        let blobs = async { self.blobs.probe().await.ok() };
        let queue = async { self.queue.probe().await.ok() };
        let scanner = async {
            let scanner = self.scanner.as_ref()?;
            let ping = async { scanner.probe().await.ok() };
            Some(probe("clamd", true, ping).await.1)
        };
        let ((head, postgres), (visible, projections), (_, blobs), (_, queue), scanner, jail) = tokio::join!(
            probe("postgresql", true, head),
            probe("projections", true, visible),
            probe("object_store", true, blobs),
            probe("jetstream", false, queue),
            scanner,
            self.jail.view(),
        );
        let mut components = vec![postgres, projections, blobs, queue];
        components.extend(scanner);
        let down = |required: bool| {
            components
                .iter()
                .any(|p| p.status == "down" && p.required == required)
        };
        let status = match (down(true), down(false)) {
            (true, _) => "unhealthy",
            (false, true) => "degraded",
            (false, false) => "healthy",
        };
        HealthReport {
            status,
            version: env!("CARGO_PKG_VERSION"),
            roles: self.roles.clone(),
            head,
            visible,
            components,
            jail,
        }
    }
}

impl HealthReport {
    /// Each component's name and whether it answered.
    pub fn up(&self) -> impl Iterator<Item = (&'static str, bool)> + '_ {
        self.components.iter().map(|p| (p.name, p.status == "up"))
    }
}

async fn probe<T>(
    name: &'static str,
    required: bool,
    check: impl Future<Output = Option<T>>,
) -> (Option<T>, Probe) {
    let begun = Instant::now();
    let value = tokio::time::timeout(PATIENCE, check).await.ok().flatten();
    let probe = Probe {
        name,
        status: if value.is_some() { "up" } else { "down" },
        latency_ms: begun.elapsed().as_secs_f64() * 1_000.0,
        required,
    };
    (value, probe)
}

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
#[utoipa::path(
    get, path = "/health/ready", tag = "health", security(()),
    responses(
        (status = 200, description = "They can", body = Brief),
        (status = 503, description = "A required part is down", body = Brief),
    ),
)]
async fn ready(State(state): State<ApiState>) -> (StatusCode, Json<Brief>) {
    let report = state.health.report().await;
    if report.status == "unhealthy" {
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
    (code(&report), Json(report))
}

fn code(report: &HealthReport) -> StatusCode {
    if report.status == "unhealthy" {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    }
}
