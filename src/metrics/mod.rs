//! What this process counts, for Prometheus: counters and durations since its start.
//!
//! Owns the families, their labels and the bounds of these: whatever clients send, a label has one
//! of a few values. Figures that are the same for every process (lag, queue) are not counted here
//! but asked when somebody scrapes: `scrape`.

mod family;
mod names;
mod readers;
mod scrape;

pub use names::{JobEnd, Limit, Reload, Stage, UploadOutcome};
pub use prometheus::Error as MetricsError;
pub use readers::Measured;
pub use scrape::{CONTENT_TYPE, Scrape};

use crate::config::{Current, UploadSettings};
use family::{counter, counters, gauge, histograms};
use prometheus::{HistogramVec, IntCounter, IntCounterVec, IntGauge, Registry};
use std::time::Duration;

/// Seconds of requests: from a cached read to a slow upload.
const REQUEST_SECONDS: &[f64] = &[
    0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];
/// Seconds of a document's way: from a text file to a scanned book, or a queue over night.
const STAGE_SECONDS: &[f64] = &[
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1_800.0, 14_400.0,
];

/// Counters of this process since its start.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    upload: Current<UploadSettings>,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    in_flight: IntGauge,
    uploads: IntCounterVec,
    upload_bytes: IntCounterVec,
    stages: HistogramVec,
    projection_delay: HistogramVec,
    jobs_ended: IntCounterVec,
    jail_outcomes: IntCounterVec,
    jail_seconds: HistogramVec,
    limits_hit: IntCounterVec,
    health_rounds: IntCounter,
    reloads: IntCounterVec,
    reload_well: IntGauge,
}

impl Metrics {
    /// Families with nothing in them. Sources beside these are counted as `other`.
    ///
    /// # Errors
    /// When two families have one name.
    pub fn new(upload: Current<UploadSettings>) -> Result<Self, MetricsError> {
        let r = Registry::new();
        let metrics = Self {
            upload,
            requests: counters(
                &r,
                "kmrl_http_requests_total",
                "Answered requests.",
                &["method", "route", "status"],
            )?,
            request_seconds: histograms(
                &r,
                "kmrl_http_request_duration_seconds",
                "From the head of a request to the head of its answer.",
                &["method", "route"],
                REQUEST_SECONDS,
            )?,
            in_flight: gauge(
                &r,
                "kmrl_http_requests_in_flight",
                "Requests without an answer yet.",
            )?,
            uploads: counters(
                &r,
                "kmrl_uploads_total",
                "Uploads by source and outcome.",
                &["source", "outcome"],
            )?,
            upload_bytes: counters(
                &r,
                "kmrl_upload_bytes_total",
                "Bytes of accepted uploads.",
                &["source"],
            )?,
            stages: histograms(
                &r,
                "kmrl_stage_duration_seconds",
                "How long documents took for each stage of their way, by the times of the log.",
                &["stage"],
                STAGE_SECONDS,
            )?,
            projection_delay: histograms(
                &r,
                "kmrl_projection_delay_seconds",
                "From an event's time to its row.",
                &["projection"],
                STAGE_SECONDS,
            )?,
            jobs_ended: counters(
                &r,
                "kmrl_jobs_ended_total",
                "Runs and attempts that ended, as the log told the relay.",
                &["end"],
            )?,
            jail_outcomes: counters(
                &r,
                "kmrl_jail_outcomes_total",
                "How work on documents ended inside the jail.",
                &["task", "outcome"],
            )?,
            jail_seconds: histograms(
                &r,
                "kmrl_jail_duration_seconds",
                "How long work on documents took inside the jail.",
                &["task"],
                STAGE_SECONDS,
            )?,
            limits_hit: counters(
                &r,
                "kmrl_limits_hit_total",
                "Requests that a limit stopped.",
                &["limit"],
            )?,
            health_rounds: counter(
                &r,
                "kmrl_health_rounds_total",
                "Rounds in which everything was probed.",
            )?,
            reloads: counters(
                &r,
                "kmrl_config_reloads_total",
                "Times that the settings were read again.",
                &["outcome"],
            )?,
            reload_well: gauge(
                &r,
                "kmrl_config_last_reload_successful",
                "1 when the settings in force are those of the last reading.",
            )?,
            registry: r,
        };
        metrics.reload_well.set(1);
        metrics.begin_at_zero();
        family::process(&metrics.registry)?;
        Ok(metrics)
    }

    /// What is not there cannot rise: rates need the zero before the first.
    fn begin_at_zero(&self) {
        for stage in Stage::ALL {
            let _ = self.stages.with_label_values(&[stage.word()]);
        }
        for end in JobEnd::ALL {
            let _ = self.jobs_ended.with_label_values(&[end.word()]);
        }
        for limit in Limit::ALL {
            let _ = self.limits_hit.with_label_values(&[limit.word()]);
        }
        for reload in Reload::ALL {
            let _ = self.reloads.with_label_values(&[reload.word()]);
        }
        for (source, outcome) in self
            .upload
            .now()
            .sources
            .iter()
            .flat_map(|s| UploadOutcome::ALL.map(|outcome| (s, outcome)))
        {
            let _ = self
                .uploads
                .with_label_values(&[source.as_str(), outcome.word()]);
        }
    }

    /// A request has come; it counts as in flight until this is dropped.
    #[must_use]
    pub fn arrived(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Counts an answered request under its route's template.
    pub fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let method = names::method(method);
        self.requests
            .with_label_values(&[method, route, names::status(status).as_str()])
            .inc();
        self.request_seconds
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
        self.uploads
            .with_label_values(&[source, outcome.word()])
            .inc();
        if outcome == UploadOutcome::Accepted {
            self.upload_bytes.with_label_values(&[source]).inc_by(bytes);
        }
    }

    /// A document has passed a stage.
    pub fn stage(&self, stage: Stage, took: Duration) {
        self.stages
            .with_label_values(&[stage.word()])
            .observe(took.as_secs_f64());
    }

    /// A row shows an event.
    pub fn projected(&self, projection: &'static str, took: Duration) {
        self.projection_delay
            .with_label_values(&[projection])
            .observe(took.as_secs_f64());
    }

    /// Jobs ended.
    pub fn jobs_ended(&self, end: JobEnd, count: u64) {
        self.jobs_ended
            .with_label_values(&[end.word()])
            .inc_by(count);
    }

    /// A limit stopped a request.
    pub fn limit_hit(&self, limit: Limit) {
        self.limits_hit.with_label_values(&[limit.word()]).inc();
    }

    /// Everything is being probed.
    pub fn health_round(&self) {
        self.health_rounds.inc();
    }

    /// The settings were read again.
    pub fn reloaded(&self, outcome: Reload) {
        self.reloads.with_label_values(&[outcome.word()]).inc();
        self.reload_well.set(i64::from(outcome != Reload::Failed));
    }

    fn jailed(&self, task: &'static str, outcome: &'static str, took: Duration) {
        self.jail_outcomes.with_label_values(&[task, outcome]).inc();
        self.jail_seconds
            .with_label_values(&[task])
            .observe(took.as_secs_f64());
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
