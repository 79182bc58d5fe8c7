//! `/metrics` in the text format of Prometheus (exposition format 0.0.4).

use super::problem::ProblemBody;
use super::state::ApiState;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counters of this process since its start.
#[derive(Debug, Default)]
pub struct Metrics {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    requests: BTreeMap<(String, String, u16), u64>,
    uploads: BTreeMap<(String, &'static str), u64>,
    upload_bytes: u64,
}

impl Metrics {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Counters stay usable after a panic elsewhere.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an answered request under its route's template.
    pub fn request(&self, method: &str, route: &str, status: u16) {
        let key = (method.to_owned(), route.to_owned(), status);
        *self.counts().requests.entry(key).or_default() += 1;
    }

    /// Counts an upload by source (empty when unknown) and outcome.
    pub fn upload(&self, source: &str, outcome: &'static str, bytes: u64) {
        let mut counts = self.counts();
        *counts
            .uploads
            .entry((source.to_owned(), outcome))
            .or_default() += 1;
        if outcome == "accepted" {
            counts.upload_bytes += bytes;
        }
    }

    fn render(&self) -> String {
        let counts = self.counts();
        let mut out = String::new();
        family(
            &mut out,
            "kmrl_http_requests_total",
            "counter",
            "Answered requests.",
        );
        for ((method, route, status), n) in &counts.requests {
            line(
                &mut out,
                &format!(
                    "kmrl_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}"
                ),
                *n,
            );
        }
        family(
            &mut out,
            "kmrl_uploads_total",
            "counter",
            "Uploads by source and outcome.",
        );
        for ((source, outcome), n) in &counts.uploads {
            line(
                &mut out,
                &format!("kmrl_uploads_total{{source=\"{source}\",outcome=\"{outcome}\"}}"),
                *n,
            );
        }
        family(
            &mut out,
            "kmrl_upload_bytes_total",
            "counter",
            "Bytes of accepted uploads.",
        );
        line(&mut out, "kmrl_upload_bytes_total", counts.upload_bytes);
        out
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(out: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(out, "{name} {value}");
}

/// Metrics for Prometheus
#[utoipa::path(
    get, path = "/metrics", tag = "health",
    responses(
        (status = 200, description = "Metrics", body = String, content_type = "text/plain"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn metrics(
    State(state): State<ApiState>,
) -> ([(HeaderName, HeaderValue); 1], String) {
    let mut out = state.metrics.render();
    let report = state.health.report().await;
    // A figure that cannot be had is left out, never made up.
    if let Ok(head) = state.log.head().await {
        family(
            &mut out,
            "kmrl_log_head_position",
            "gauge",
            "Position of the newest event.",
        );
        line(&mut out, "kmrl_log_head_position", head);
    }
    if let Ok(visible) = state.everything.visible_position().await {
        family(
            &mut out,
            "kmrl_log_visible_position",
            "gauge",
            "Position that can be read.",
        );
        line(&mut out, "kmrl_log_visible_position", visible);
    }
    if let Ok(statistics) = state.everything.statistics().await {
        family(&mut out, "kmrl_documents", "gauge", "Documents by status.");
        for (status, n) in statistics.by_status {
            line(
                &mut out,
                &format!("kmrl_documents{{status=\"{status}\"}}"),
                n,
            );
        }
    }
    family(
        &mut out,
        "kmrl_live_connections",
        "gauge",
        "WebSocket subscribers.",
    );
    line(
        &mut out,
        "kmrl_live_connections",
        state.live.connections().total,
    );
    family(
        &mut out,
        "kmrl_component_up",
        "gauge",
        "1 when the component answered its probe.",
    );
    for (name, up) in report.up() {
        line(
            &mut out,
            &format!("kmrl_component_up{{component=\"{name}\"}}"),
            u8::from(up),
        );
    }
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], out)
}
