//! How families are made and registered.

use super::MetricsError;
use prometheus::core::Collector;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};

type Made<T> = Result<T, MetricsError>;

fn register<T: Collector + Clone + 'static>(registry: &Registry, made: T) -> Made<T> {
    registry.register(Box::new(made.clone()))?;
    Ok(made)
}

pub(super) fn counter(registry: &Registry, name: &str, help: &str) -> Made<IntCounter> {
    register(registry, IntCounter::new(name, help)?)
}

pub(super) fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Made<IntCounterVec> {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

pub(super) fn gauge(registry: &Registry, name: &str, help: &str) -> Made<IntGauge> {
    register(registry, IntGauge::new(name, help)?)
}

pub(super) fn histograms(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
    buckets: &[f64],
) -> Made<HistogramVec> {
    let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    register(registry, HistogramVec::new(opts, labels)?)
}

/// Processor time, memory, threads and open files of this process.
#[cfg(target_os = "linux")]
pub(super) fn process(registry: &Registry) -> Made<()> {
    use prometheus::process_collector::ProcessCollector;
    registry.register(Box::new(ProcessCollector::for_self()))
}

/// Only Linux tells them.
#[cfg(not(target_os = "linux"))]
pub(super) fn process(_registry: &Registry) -> Made<()> {
    Ok(())
}
