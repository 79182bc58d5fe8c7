//! What this process counts, for Prometheus: counters and durations since its start.
//!
//! Owns the families, their labels and the bounds of these: whatever clients send, a label has one
//! of a few values. Figures that are the same for every process (lag, queue) are not counted here
//! but asked when somebody scrapes: `scrape`.

mod family;
mod front;
mod names;
mod readers;
mod scrape;

pub use names::{JobEnd, Limit, Reload, SpanEnd, Stage, UploadOutcome};
pub use prometheus::Error as MetricsError;
pub use readers::Measured;
pub use scrape::{CONTENT_TYPE, Scrape};

use crate::config::{Current, UploadSettings};
use family::{counter, counters, gauge, histograms};
use front::Front;
use prometheus::{HistogramVec, IntCounter, IntCounterVec, IntGauge, Registry};
use std::time::Duration;

/// Seconds of a document's way: from a text file to a scanned book, or a queue over night.
const STAGE_SECONDS: &[f64] = &[
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1_800.0, 14_400.0,
];

/// Counters of this process since its start.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    upload: Current<UploadSettings>,
    front: Front,
    stages: HistogramVec,
    projection_delay: HistogramVec,
    jobs_ended: IntCounterVec,
    jail_outcomes: IntCounterVec,
    jail_seconds: HistogramVec,
    health_rounds: IntCounter,
    spans: IntCounterVec,
    reloads: IntCounterVec,
    reload_well: IntGauge,
    certificate_expires: IntGauge,
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
            front: Front::new(&r)?,
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
            health_rounds: counter(
                &r,
                "kmrl_health_rounds_total",
                "Rounds in which everything was probed.",
            )?,
            spans: counters(
                &r,
                "kmrl_trace_spans_total",
                "Spans for the collector of traces.",
                &["outcome"],
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
            certificate_expires: gauge(
                &r,
                "kmrl_tls_certificate_expires_timestamp_seconds",
                "When the certificate in use ends, in seconds since 1970; 0 without TLS.",
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
        self.front_at_zero();
        for stage in Stage::ALL {
            let _ = self.stages.with_label_values(&[stage.word()]);
        }
        for end in JobEnd::ALL {
            let _ = self.jobs_ended.with_label_values(&[end.word()]);
        }
        for end in SpanEnd::ALL {
            let _ = self.spans.with_label_values(&[end.word()]);
        }
        for reload in Reload::ALL {
            let _ = self.reloads.with_label_values(&[reload.word()]);
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

    /// Everything is being probed.
    pub fn health_round(&self) {
        self.health_rounds.inc();
    }

    /// Spans were sent, or not.
    pub fn spans(&self, end: SpanEnd, count: u64) {
        self.spans.with_label_values(&[end.word()]).inc_by(count);
    }

    /// The settings were read again.
    pub fn reloaded(&self, outcome: Reload) {
        // The count last: whoever sees it sees the rest.
        self.reload_well.set(i64::from(outcome != Reload::Failed));
        self.reloads.with_label_values(&[outcome.word()]).inc();
    }

    /// Another certificate is in use.
    pub fn certificate_expires(&self, at: i64) {
        self.certificate_expires.set(at);
    }

    fn jailed(&self, task: &'static str, outcome: &'static str, took: Duration) {
        self.jail_outcomes.with_label_values(&[task, outcome]).inc();
        self.jail_seconds
            .with_label_values(&[task])
            .observe(took.as_secs_f64());
    }
}
