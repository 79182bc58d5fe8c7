//! What health calls too much, and where traces go.

use super::reader::Reader;
use super::sections::seconds;
use std::time::Duration;

/// What health calls too much.
#[derive(Clone, Debug)]
pub struct HealthSettings {
    /// Longest that the relay, a projection or the notary may be behind.
    pub lag: Duration,
    /// Most jobs that may wait.
    pub queue_jobs: u64,
    /// Longest that a job may wait for a worker.
    pub queue_wait: Duration,
    /// Least room on the disk of the data folder, in bytes.
    pub disk_free_bytes: u64,
    /// Most that this machine's clock may differ from the database's.
    pub clock_skew: Duration,
    /// Between trials of the jail.
    pub jail_every: Duration,
}

/// Where traces are sent.
#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// Base address of a collector; absent: there are no traces.
    pub endpoint: Option<String>,
    /// Name of this service among others.
    pub service: String,
}

pub(super) fn health(r: &mut Reader) -> HealthSettings {
    HealthSettings {
        lag: seconds(r, "health.lag"),
        queue_jobs: r.number("health.queue_jobs", 1, 1 << 40),
        queue_wait: seconds(r, "health.queue_wait"),
        disk_free_bytes: r.number("health.disk_free_bytes", 0, 1 << 60),
        clock_skew: seconds(r, "health.clock_skew"),
        jail_every: seconds(r, "health.jail_every"),
    }
}

pub(super) fn traces(r: &mut Reader) -> TraceSettings {
    let endpoint: Option<String> = r.optional("traces.endpoint");
    if endpoint.as_ref().is_some_and(|e| !e.starts_with("http://")) {
        r.error("traces.endpoint", "must begin with http://");
    }
    TraceSettings {
        endpoint,
        service: r.required("traces.service", String::new()),
    }
}
