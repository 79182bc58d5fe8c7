//! One probe: how long it took, and what it says.

use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;
use utoipa::ToSchema;

/// Longest that a probe may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// How a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It answers, and is within its thresholds.
    Up,
    /// It answers, but is beyond a threshold.
    Degraded,
    /// It does not answer.
    Down,
}

/// What a probe found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Probe {
    /// What was probed.
    pub name: &'static str,
    /// up, degraded (it answers, but is beyond a threshold) or down.
    pub status: State,
    /// How long the round trip took, in milliseconds.
    pub latency_ms: f64,
    /// Without it nothing can be served.
    pub required: bool,
    /// What is wrong with it; absent when nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Probe {
    /// Judges what was found: what is said of it makes it degraded.
    pub(super) fn judged(mut self, complaint: Option<String>) -> Self {
        if self.status == State::Up && complaint.is_some() {
            self.status = State::Degraded;
            self.detail = complaint;
        }
        self
    }

    /// Nothing is served without it.
    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

/// Probes. What it found is absent when it did not answer in time.
pub(super) async fn probe<T, E: std::error::Error>(
    name: &'static str,
    check: impl Future<Output = Result<T, E>>,
) -> (Option<T>, Probe) {
    probe_within(PATIENCE, name, check).await
}

/// As [`probe`], for what may take longer.
pub(super) async fn probe_within<T, E: std::error::Error>(
    patience: Duration,
    name: &'static str,
    check: impl Future<Output = Result<T, E>>,
) -> (Option<T>, Probe) {
    let begun = Instant::now();
    let answer = tokio::time::timeout(patience, check).await;
    let latency_ms = begun.elapsed().as_secs_f64() * 1_000.0;
    let (value, detail) = match answer {
        Ok(Ok(value)) => (Some(value), None),
        // The error goes to the log: it may name hosts and accounts.
        Ok(Err(error)) => {
            let error: &dyn std::error::Error = &error;
            tracing::debug!(component = name, %error, "a probe failed");
            (None, Some("it does not answer as it should".to_owned()))
        }
        Err(_elapsed) => {
            let detail = format!("no answer within {} s", patience.as_secs());
            (None, Some(detail))
        }
    };
    let probe = Probe {
        name,
        status: match value {
            Some(_) => State::Up,
            None => State::Down,
        },
        latency_ms,
        required: false,
        detail,
    };
    (value, probe)
}
