//! How the gateway is, from real probes: one round at a time, kept for a second.
//!
//! Owns what is probed, what counts as down or degraded, and what readiness needs. A probe is a
//! round trip to the real thing, bounded in time. What is required is what nothing can be answered
//! without: the database with the log, and read models that can be asked. Everything else that is
//! away makes some requests fail, each with its own answer, while the others go on: taking the whole
//! process out of service for it would turn a part into all.

mod disk;
mod figures;
pub mod jail;
mod probe;
mod round;

pub use figures::{Figures, Lag, QueueFigure};
pub use probe::{Probe, State};

use crate::config::{Current, HealthSettings};
use crate::event_store::EventLog;
use crate::metrics::Metrics;
use crate::ports::{BlobStore, Clock, JobQueue, Scanner};
use jail::{Jail, JailView};
use kmrl_projections::query::ReadModel;
use serde::Serialize;
use sqlx::PgPool;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;

/// How long a round counts.
const KEPT: Duration = Duration::from_secs(1);

/// What is probed.
pub struct Probed {
    /// Connections to PostgreSQL, as everything else here uses them.
    pub pool: PgPool,
    /// The log.
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
    /// This machine's clock.
    pub clock: Arc<dyn Clock>,
    /// The folder whose disk may fill up.
    pub data_dir: PathBuf,
    /// The roles of this process.
    pub roles: Vec<String>,
    /// What is too much.
    pub settings: Current<HealthSettings>,
    /// Between checkpoints of the log.
    pub notary_every: Duration,
    /// Counts rounds.
    pub metrics: Arc<Metrics>,
}

/// Probes and keeps what they found. Cheap to clone; clones are one and the same.
#[derive(Clone)]
pub struct Health {
    probed: Arc<Probed>,
    kept: Arc<Mutex<Option<Kept>>>,
}

/// The last round, and when it ended.
type Kept = (Instant, Arc<HealthReport>);

/// How the gateway is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HealthReport {
    /// healthy, degraded (requests are served, but a part is down or beyond its threshold) or
    /// unhealthy (nothing can be served).
    pub status: &'static str,
    /// Version of the program.
    pub version: &'static str,
    /// The roles of this process.
    pub roles: Vec<String>,
    /// Position of the newest event; absent when unknown.
    pub head: Option<i64>,
    /// Position that can be read; absent when unknown.
    pub visible: Option<i64>,
    /// What was probed.
    pub components: Vec<Probe>,
    /// What the readers of this process may not do; absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jail: Option<JailView>,
    /// What was counted and measured meanwhile.
    pub figures: Figures,
}

impl Health {
    /// Of what is to be probed.
    #[must_use]
    pub fn new(probed: Probed) -> Self {
        Self {
            probed: Arc::new(probed),
            kept: Arc::default(),
        }
    }

    /// How it is now, or was within the last second. However many ask, one round goes on at a time.
    pub async fn report(&self) -> Arc<HealthReport> {
        let mut kept = Arc::clone(&self.kept).lock_owned().await;
        if let Some((at, report)) = &*kept
            && at.elapsed() < KEPT
        {
            return Arc::clone(report);
        }
        let probed = Arc::clone(&self.probed);
        // A task of its own: whoever asked may go away, and the next would begin again.
        let round = tokio::spawn(async move {
            let report = Arc::new(round::of(&probed).await);
            *kept = Some((Instant::now(), Arc::clone(&report)));
            report
        });
        match round.await {
            Ok(report) => report,
            Err(error) => {
                tracing::error!(%error, "a round of probes broke off");
                Arc::new(HealthReport::of(&self.probed, Vec::new(), "unhealthy"))
            }
        }
    }
}

impl HealthReport {
    fn of(probed: &Probed, components: Vec<Probe>, status: &'static str) -> Self {
        Self {
            status,
            version: env!("CARGO_PKG_VERSION"),
            roles: probed.roles.clone(),
            head: None,
            visible: None,
            components,
            jail: None,
            figures: Figures::default(),
        }
    }

    /// Requests can be served.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status != "unhealthy"
    }
}
