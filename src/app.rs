//! The one composition root: makes every part, connects them, runs the roles, stops in order.
//!
//! The only module that knows all others. Holds no rule of its own.

use crate::adapters::local_blobs::LocalBlobs;
use crate::adapters::s3_blobs::S3Blobs;
use crate::adapters::system::{SystemClock, SystemIds};
use crate::adapters::{nats, nats_queue::NatsQueue};
use crate::audit::AccessRecorder;
use crate::commands::Commands;
use crate::config::{Secret, SettingFlags, Settings};
use crate::door::Door;
use crate::event_store::{self, EventLog, PostgresEventStore};
use crate::metrics::{Measured, Metrics};
use crate::ports::{BlobStore, JobQueue};
use crate::projector::{BlobTexts, Delays};
use crate::removal::Removals;
use crate::signals::Signals;
use crate::spool::Spool;
use crate::tls::{Certificate, Tls};
use crate::traces::Traces;
use crate::{engines, eraser, notary, projector, reconciler, relay, work};
use kmrl_projections::Projector;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

mod audit;
mod reload;
mod roles;
mod spans;
mod tools;

use reload::Reloadable;
pub use tools::{Tools, extraction_child, tools};

pub use audit::{AuditTools, audit_tools};

/// How long a start waits for PostgreSQL, NATS and the schema.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// A part of the gateway that can run as a process of its own, any number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Takes requests and pushes live updates.
    Api,
    /// Turns the log into jobs and publishes them, and destroys what was erased.
    Relay,
    /// Keeps the read models.
    Projector,
    /// Extracts text.
    Worker,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Api, Self::Relay, Self::Projector, Self::Worker];
}

/// Where PostgreSQL and NATS are.
#[derive(Clone)]
pub struct Backends {
    /// PostgreSQL.
    pub database_url: String,
    /// NATS.
    pub nats_url: String,
}

/// Why the gateway did not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A part could not be made.
    #[error("{operation}")]
    Start {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A setting that this command needs is absent.
    #[error("{0}")]
    Missing(&'static str),
    /// A role ended although nobody asked it to.
    #[error("the {0} ended unexpectedly; see the log")]
    Ended(&'static str),
}

fn start<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    operation: &'static str,
) -> impl FnOnce(E) -> AppError {
    move |source| AppError::Start {
        operation,
        source: source.into(),
    }
}

/// The backends of the settings, else those of an `up` running on the same data folder.
///
/// # Errors
/// When neither names them.
pub fn backends(settings: &Settings) -> Result<Backends, AppError> {
    let running = engines::read_connection(&settings.data_dir)
        .map_err(start("reading the connection file of the data folder"))?;
    let pick = |given: &Option<Secret>, running: Option<&String>| {
        given
            .as_ref()
            .map(|s| s.reveal().to_owned())
            .or_else(|| running.cloned())
    };
    Ok(Backends {
        database_url: database_url(settings)?,
        nats_url: pick(&settings.nats.url, running.as_ref().map(|c| &c.nats_url)).ok_or(
            AppError::Missing(
                "no NATS server: set NATS_URL, or name the data folder of a running `up`",
            ),
        )?,
    })
}

/// The database of the settings, else that of an `up` running on the same data folder.
fn database_url(settings: &Settings) -> Result<String, AppError> {
    if let Some(url) = &settings.database.url {
        return Ok(url.reveal().to_owned());
    }
    let running = engines::read_connection(&settings.data_dir)
        .map_err(start("reading the connection file of the data folder"))?;
    running.map(|c| c.database_url).ok_or(AppError::Missing(
        "no database: set DATABASE_URL, or name the data folder of a running `up`",
    ))
}

/// A pool of connections, once PostgreSQL answers.
///
/// # Errors
/// When it does not within a minute.
pub async fn connect_database(
    settings: &Settings,
    backends: &Backends,
) -> Result<PgPool, AppError> {
    connect_to(settings, &backends.database_url).await
}

async fn connect_to(settings: &Settings, url: &str) -> Result<PgPool, AppError> {
    let options = PgPoolOptions::new()
        .max_connections(settings.database.max_connections)
        .acquire_timeout(Duration::from_secs(10));
    let connect = || options.clone().connect(url);
    patiently(connect)
        .await
        .map_err(start("connecting to PostgreSQL"))
}

/// A projector for command-line tools.
///
/// # Errors
/// When the database or the blob store cannot be reached.
pub async fn projector_for_tools(settings: &Settings) -> Result<Projector, AppError> {
    let pool = connect_database(settings, &backends(settings)?).await?;
    let (blobs, _spool) = open_blobs(settings).await?;
    Ok(make_projector(&pool, &blobs))
}

/// The database and the blob store, for command-line tools.
///
/// # Errors
/// When one of them cannot be reached.
pub async fn stores_for_tools(
    settings: &Settings,
) -> Result<(PgPool, Arc<dyn BlobStore>), AppError> {
    let pool = connect_database(settings, &backends(settings)?).await?;
    let (blobs, _spool) = open_blobs(settings).await?;
    Ok((pool, blobs))
}

/// The OpenAPI document, as JSON.
///
/// # Errors
/// When it cannot be written.
pub fn openapi() -> Result<String, serde_json::Error> {
    crate::http::openapi::document().to_pretty_json()
}

/// The AsyncAPI document, as JSON.
///
/// # Errors
/// When it cannot be written.
pub fn asyncapi() -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&crate::http::asyncapi::document())
}

fn make_projector(pool: &PgPool, blobs: &Arc<dyn BlobStore>) -> Projector {
    Projector::new(
        pool.clone(),
        Arc::new(EventLog::new(pool.clone())),
        Arc::new(BlobTexts(Arc::clone(blobs))),
    )
}

async fn open_blobs(settings: &Settings) -> Result<(Arc<dyn BlobStore>, Spool), AppError> {
    let spool_dir = settings.data_dir.join("spool");
    let spool = Spool::new(&spool_dir).map_err(start("opening the spool folder"))?;
    let blobs: Arc<dyn BlobStore> = match &settings.s3 {
        Some(s3) => Arc::new(
            S3Blobs::connect(s3)
                .await
                .map_err(start("connecting to the S3 bucket"))?,
        ),
        None => Arc::new(
            LocalBlobs::open(settings.data_dir.join("blobs"))
                .map_err(start("opening the documents' folder"))?,
        ),
    };
    Ok((blobs, spool))
}

/// What a process is to run.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// How.
    pub settings: &'a Settings,
    /// On what.
    pub backends: &'a Backends,
    /// Which roles.
    pub roles: &'a [Role],
    /// Bring the schema up first, instead of waiting for it.
    pub migrate: bool,
    /// The administrator's key.
    pub key: &'a Secret,
    /// Where the settings are read again from.
    pub flags: &'a SettingFlags,
}

/// The parts that roles share.
struct Parts {
    settings: Settings,
    reloadable: Reloadable,
    pool: PgPool,
    store: PostgresEventStore,
    commands: Commands,
    access: AccessRecorder,
    signals: Signals,
    metrics: Arc<Metrics>,
    traces: Traces,
    /// Sends spans; it is stopped last.
    exporter: Option<(JoinHandle<()>, CancellationToken)>,
    tls: Option<Tls>,
    /// The files of the certificate are to be looked at.
    look: Arc<Notify>,
    queue: Arc<dyn JobQueue>,
    blobs: Arc<dyn BlobStore>,
    spool: Spool,
    clock: Arc<SystemClock>,
    ids: Arc<SystemIds>,
}

impl Parts {
    fn removals(&self) -> Removals {
        Removals::new(self.pool.clone(), Arc::clone(&self.blobs), self.ids.clone())
    }

    async fn make(
        settings: &Settings,
        backends: &Backends,
        roles: &[Role],
        migrate: bool,
    ) -> Result<Self, AppError> {
        let tls = settings.http.tls.clone().map(Tls::load).transpose();
        let tls = tls.map_err(start("preparing the certificate of the server"))?;
        let pool = connect_database(settings, backends).await?;
        if migrate {
            event_store::migrate(&pool)
                .await
                .map_err(start("migrating the database"))?;
        }
        patiently(|| event_store::check_schema(&pool))
            .await
            .map_err(start("waiting for the database's schema"))?;
        let client = patiently(|| nats::connect(&backends.nats_url))
            .await
            .map_err(start("connecting to NATS"))?;
        let prefix = &settings.nats.prefix;
        let signals = Signals::connect(client.clone(), prefix);
        let queue = patiently(|| NatsQueue::open(client.clone(), prefix, settings.jobs.ack_wait))
            .await
            .map_err(start("opening the job queue"))?;
        let (blobs, spool) = open_blobs(settings).await?;
        let store = PostgresEventStore::start(pool.clone(), signals.clone());
        let ids = Arc::new(SystemIds);
        let reloadable = Reloadable::of(settings);
        let metrics = Metrics::new(reloadable.upload.clone());
        let metrics = Arc::new(metrics.map_err(start("making the metrics"))?);
        let (traces, exporter) = spans::start(&settings.traces, roles, &ids, &metrics);
        Ok(Self {
            settings: settings.clone(),
            access: AccessRecorder::start(store.clone(), ids.clone()),
            pool,
            commands: Commands::new(store.clone()).traced(traces.clone()),
            store,
            signals,
            metrics,
            traces,
            exporter,
            reloadable,
            tls,
            look: Arc::default(),
            queue: Arc::new(queue),
            blobs,
            spool,
            clock: Arc::new(SystemClock),
            ids,
        })
    }
}

/// Runs the roles until shutdown, then stops in order: requests and jobs first, then relay and
/// projections, then the writer, last a signed checkpoint over everything.
///
/// # Errors
/// When a part cannot be made or ends unasked.
pub async fn run(
    plan: Plan<'_>,
    shutdown: CancellationToken,
    started: impl FnOnce(std::net::SocketAddr),
) -> Result<(), AppError> {
    let Plan {
        settings,
        backends,
        roles,
        migrate,
        key,
        flags,
    } = plan;
    let parts = Parts::make(settings, backends, roles, migrate).await?;
    if roles.contains(&Role::Projector) {
        let projector = make_projector(&parts.pool, &parts.blobs);
        patiently(|| projector.prepare())
            .await
            .map_err(start("making the read models"))?;
    }
    let background = CancellationToken::new();
    let notary = roles
        .contains(&Role::Projector)
        .then(|| roles::notary(&parts));
    let mut back = start_background(&parts, roles, &background);
    if let Some(notary) = notary.clone() {
        let (every, stop) = (settings.notary.every, background.clone());
        back.spawn(async move {
            notary::run(notary, every, stop).await;
            "notary"
        });
    }
    if let Some(tls) = parts.tls.clone() {
        let (look, stop) = (Arc::clone(&parts.look), background.clone());
        let metrics = Arc::clone(&parts.metrics);
        back.spawn(async move {
            let renewed = move |certificate: Certificate| {
                metrics.certificate_expires(certificate.expires);
            };
            tls.follow(look, stop, renewed).await;
            "look at the certificate"
        });
    }
    let mut front = JoinSet::new();
    // Starts nothing before it is first needed.
    let readers = Arc::new(tools::extraction_child(settings)?);
    let door = Arc::new(Door::new(
        parts.reloadable.door.clone(),
        Arc::new(Measured::new(readers.clone(), Arc::clone(&parts.metrics))),
        roles::scanner(settings),
    ));
    if roles.contains(&Role::Worker) {
        let worker = roles::worker(&parts, Arc::clone(&readers), Arc::clone(&door))?;
        let stop = shutdown.clone();
        front.spawn(async move {
            work::run(worker, stop).await;
            "worker"
        });
    }
    // What touches documents answers for its readers and for the virus scanner.
    let readers = [Role::Api, Role::Worker]
        .iter()
        .any(|role| roles.contains(role))
        .then_some(readers);
    // Every role answers health checks; only the api role answers the rest.
    let server = roles::serve(&parts, roles, key, readers, door, shutdown.clone()).await?;
    started(server.address);
    front.spawn(async move {
        server.run().await;
        "HTTP server"
    });
    // Roles end once shutdown is asked for: that must be looked at first.
    let ended = tokio::select! {
        biased;
        () = shutdown.cancelled() => None,
        // Ends with shutdown only.
        () = reload::run(&parts, flags.clone(), shutdown.clone()) => None,
        Some(name) = front.join_next() => Some(name),
        Some(name) = back.join_next() => Some(name),
    };
    shutdown.cancel();
    while front.join_next().await.is_some() {}
    background.cancel();
    while back.join_next().await.is_some() {}
    parts.access.shutdown().await;
    parts.store.shutdown().await;
    if let Some(notary) = notary {
        notary::last_checkpoint(&notary).await;
    }
    parts.pool.close().await;
    if let Some((exporting, stop)) = parts.exporter {
        spans::finish(exporting, stop).await;
    }
    match ended {
        None => Ok(()),
        Some(name) => Err(AppError::Ended(name.unwrap_or("role that panicked"))),
    }
}

/// The roles that others' work depends on: they stop last.
fn start_background(
    parts: &Parts,
    roles: &[Role],
    background: &CancellationToken,
) -> JoinSet<&'static str> {
    let mut back = JoinSet::new();
    if roles.contains(&Role::Projector) {
        let delays = Arc::new(Delays {
            metrics: Arc::clone(&parts.metrics),
            traces: parts.traces.clone(),
        });
        let projector = make_projector(&parts.pool, &parts.blobs).watched_by(delays);
        let (signals, stop) = (parts.signals.clone(), background.clone());
        back.spawn(async move {
            projector::run(projector, signals, stop).await;
            "projector"
        });
    }
    if roles.contains(&Role::Relay) {
        let reconciler = tools::reconciler(&parts.settings, &parts.pool, &parts.blobs);
        let (every, stop) = (parts.settings.orphans.look_every, background.clone());
        back.spawn(async move {
            reconciler::run(reconciler, every, stop).await;
            "reconciler"
        });
        let relay = roles::relay(parts);
        let stop = background.clone();
        back.spawn(async move {
            relay::run(relay, stop).await;
            "relay"
        });
        let eraser = roles::eraser(parts);
        let stop = background.clone();
        back.spawn(async move {
            eraser::run(eraser, stop).await;
            "eraser"
        });
    }
    back
}

/// Tries until it works or patience ends; the last error is told.
async fn patiently<T, E, F>(mut attempt: impl FnMut() -> F) -> Result<T, E>
where
    E: std::error::Error + 'static,
    F: Future<Output = Result<T, E>>,
{
    let deadline = tokio::time::Instant::now() + START_PATIENCE;
    let mut ticks = tokio::time::interval(Duration::from_millis(250));
    loop {
        ticks.tick().await;
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) if tokio::time::Instant::now() >= deadline => return Err(error),
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "not there yet");
            }
        }
    }
}
