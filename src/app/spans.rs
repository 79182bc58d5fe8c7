//! Makes traces where a collector is configured, and ends them.

use super::Role;
use crate::adapters::otlp::{self, Collector};
use crate::adapters::system::{SystemClock, SystemIds};
use crate::config::TraceSettings;
use crate::metrics::Metrics;
use crate::traces::Traces;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long the last spans may take.
const LAST: Duration = Duration::from_secs(5);

type Exporting = (JoinHandle<()>, CancellationToken);

pub(super) fn start(
    settings: &TraceSettings,
    roles: &[Role],
    ids: &Arc<SystemIds>,
    metrics: &Arc<Metrics>,
) -> (Traces, Option<Exporting>) {
    let Some(endpoint) = settings.endpoint.clone() else {
        return (Traces::off(), None);
    };
    let (traces, spans) =
        Traces::to_collector(ids.clone(), Arc::new(SystemClock), Arc::clone(metrics));
    let roles: Vec<String> = roles
        .iter()
        .map(|role| format!("{role:?}").to_lowercase())
        .collect();
    let collector = Collector {
        endpoint,
        service: settings.service.clone(),
        roles: roles.join(","),
    };
    let stop = CancellationToken::new();
    let exporting = otlp::run(collector, spans, Arc::clone(metrics), stop.clone());
    (traces, Some((tokio::spawn(exporting), stop)))
}

/// Lets the last spans leave.
pub(super) async fn finish(exporting: JoinHandle<()>, stop: CancellationToken) {
    stop.cancel();
    if tokio::time::timeout(LAST, exporting).await.is_err() {
        tracing::warn!("the last spans did not leave in time");
    }
}
