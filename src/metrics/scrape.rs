//! One scrape: what was counted, and what is asked now.
//!
//! A figure that cannot be had is left out, never made up: each scrape makes its gauges anew.

use super::{Metrics, MetricsError};
use prometheus::{GaugeVec, Opts, Registry, TextEncoder};

/// Media type of the text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A scrape being answered.
pub struct Scrape<'a> {
    metrics: &'a Metrics,
    asked: Registry,
}

impl Metrics {
    /// Begins to answer a scrape.
    #[must_use]
    pub fn scrape(&self) -> Scrape<'_> {
        Scrape {
            metrics: self,
            asked: Registry::new(),
        }
    }
}

impl Scrape<'_> {
    /// A figure without labels.
    ///
    /// # Errors
    /// When there is one of this name.
    pub fn figure(&self, name: &str, help: &str, value: f64) -> Result<(), MetricsError> {
        self.figures(name, help, &[], [(Vec::new(), value)])
    }

    /// A figure for each value of its labels.
    ///
    /// # Errors
    /// When there is one of this name, or values are not as many as labels.
    pub fn figures<'v>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        values: impl IntoIterator<Item = (Vec<&'v str>, f64)>,
    ) -> Result<(), MetricsError> {
        let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
        for (of, value) in values {
            gauges.get_metric_with_label_values(&of)?.set(value);
        }
        self.asked.register(Box::new(gauges))
    }

    /// The text of the scrape.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn text(self) -> Result<String, MetricsError> {
        let mut families = self.metrics.registry.gather();
        families.extend(self.asked.gather());
        TextEncoder::new().encode_to_string(&families)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Limit, UploadOutcome};
    use super::*;
    use std::time::Duration;

    fn metrics() -> Metrics {
        let upload = crate::config::UploadSettings {
            sources: vec!["scan".to_owned()],
            max_file_bytes: 1,
        };
        Metrics::new(upload.into()).unwrap()
    }

    fn text_of(metrics: &Metrics) -> String {
        metrics.scrape().text().unwrap()
    }

    #[test]
    fn whatever_clients_send_the_labels_are_few() {
        let metrics = metrics();
        let before = text_of(&metrics).lines().count();
        for n in 0..500 {
            metrics.upload(&format!("made-up-{n}"), UploadOutcome::Refused, 0);
            metrics.request(&format!("M{n}"), "(none)", 404, Duration::ZERO);
        }
        let text = text_of(&metrics);
        assert!(text.contains("kmrl_uploads_total{outcome=\"refused\",source=\"other\"} 500"));
        assert!(text.contains(
            "kmrl_http_requests_total{method=\"OTHER\",route=\"(none)\",status=\"404\"} 500"
        ));
        // One of uploads, one of requests, and a histogram of 12 buckets, with their heads.
        assert!(text.lines().count() < before + 25, "{text}");
    }

    #[test]
    fn counters_begin_at_zero_and_bytes_are_of_what_was_accepted() {
        let metrics = metrics();
        assert!(text_of(&metrics).contains("kmrl_limits_hit_total{limit=\"rate\"} 0"));
        metrics.limit_hit(Limit::Rate);
        metrics.upload("scan", UploadOutcome::Accepted, 7);
        metrics.upload("scan", UploadOutcome::Failed, 9);
        let text = text_of(&metrics);
        assert!(text.contains("kmrl_limits_hit_total{limit=\"rate\"} 1"));
        assert!(text.contains("kmrl_upload_bytes_total{source=\"scan\"} 7"));
    }

    #[test]
    fn what_cannot_be_had_is_left_out() {
        let metrics = metrics();
        let scrape = metrics.scrape();
        scrape.figure("kmrl_here", "There.", 2.0).unwrap();
        assert!(scrape.text().unwrap().contains("kmrl_here 2"));
        assert!(!text_of(&metrics).contains("kmrl_here"));
    }
}
