//! What is counted where clients meet the gateway: requests, uploads and limits.

use super::family::{counters, gauge, histograms};
use super::names::{self, Limit, UploadOutcome};
use super::{Metrics, MetricsError};
use prometheus::{HistogramVec, IntCounterVec, IntGauge, Registry};
use std::time::Duration;

/// Seconds of requests: from a cached read to a slow upload.
const REQUEST_SECONDS: &[f64] = &[
    0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];
/// The families.
#[derive(Debug)]
pub(super) struct Front {
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    in_flight: IntGauge,
    uploads: IntCounterVec,
    upload_bytes: IntCounterVec,
    limits_hit: IntCounterVec,
}

impl Front {
    pub(super) fn new(r: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            requests: counters(
                r,
                "kmrl_http_requests_total",
                "Answered requests.",
                &["method", "route", "status"],
            )?,
            request_seconds: histograms(
                r,
                "kmrl_http_request_duration_seconds",
                "From the head of a request to the head of its answer.",
                &["method", "route"],
                REQUEST_SECONDS,
            )?,
            in_flight: gauge(
                r,
                "kmrl_http_requests_in_flight",
                "Requests without an answer yet.",
            )?,
            uploads: counters(
                r,
                "kmrl_uploads_total",
                "Uploads by source and outcome.",
                &["source", "outcome"],
            )?,
            upload_bytes: counters(
                r,
                "kmrl_upload_bytes_total",
                "Bytes of accepted uploads.",
                &["source"],
            )?,
            limits_hit: counters(
                r,
                "kmrl_limits_hit_total",
                "Requests that a limit stopped.",
                &["limit"],
            )?,
        })
    }
}

impl Metrics {
    pub(super) fn front_at_zero(&self) {
        for limit in Limit::ALL {
            let _ = self.front.limits_hit.with_label_values(&[limit.word()]);
        }
        for (source, outcome) in self
            .upload
            .now()
            .sources
            .iter()
            .flat_map(|s| UploadOutcome::ALL.map(|outcome| (s, outcome)))
        {
            let _ = self
                .front
                .uploads
                .with_label_values(&[source.as_str(), outcome.word()]);
        }
    }

    /// A request has come; it counts as in flight until this is dropped.
    #[must_use]
    pub fn arrived(&self) -> InFlight {
        self.front.in_flight.inc();
        InFlight(self.front.in_flight.clone())
    }

    /// Counts an answered request under its route's template.
    pub fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let method = names::method(method);
        self.front
            .requests
            .with_label_values(&[method, route, status.to_string().as_str()])
            .inc();
        self.front
            .request_seconds
            .with_label_values(&[method, route])
            .observe(took.as_secs_f64());
    }

    /// Counts an upload by what its sender said is its source, and outcome.
    pub fn upload(&self, source: &str, outcome: UploadOutcome, bytes: u64) {
        let known = self
            .upload
            .now()
            .sources
            .iter()
            .any(|known| known == source);
        let source = if known { source } else { "other" };
        self.front
            .uploads
            .with_label_values(&[source, outcome.word()])
            .inc();
        if outcome == UploadOutcome::Accepted {
            self.front
                .upload_bytes
                .with_label_values(&[source])
                .inc_by(bytes);
        }
    }

    /// A limit stopped a request.
    pub fn limit_hit(&self, limit: Limit) {
        self.front
            .limits_hit
            .with_label_values(&[limit.word()])
            .inc();
    }
}

/// A request that has no answer yet.
#[derive(Debug)]
pub struct InFlight(IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
