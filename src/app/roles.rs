//! Makes each role out of the shared parts, and serves HTTP.

use super::{AppError, Parts, Role, start};
use crate::adapters::clamd::{Clamd, ClamdAddress};
use crate::adapters::extraction_child::ExtractionChild;
use crate::config::{ClamdPlace, Secret, Settings};
use crate::door::Door;
use crate::eraser::{Eraser, EraserSettings};
use crate::evidence::Evidence;
use crate::health::jail::Jail;
use crate::health::{Health, Probed};
use crate::http::live::LiveHub;
use crate::http::router;
use crate::http::server;
use crate::http::state::{ApiState, Parts as ApiParts};
use crate::identity::{ApiKeys, Identity, Tickets, Tokens, load_pepper};
use crate::limits::Limits;
use crate::metrics::Measured;
use crate::notary::{LogTree, Notary};
use crate::ports::{JailProbe, Scanner};
use crate::relay::{Relay, RelaySettings};
use crate::spool::Spool;
use crate::work::{WorkSettings, Worker};
use kmrl_projections::query::ReadModel;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) fn relay(parts: &Parts) -> Relay {
    Relay {
        pool: parts.pool.clone(),
        log: parts.store.log().clone(),
        queue: Arc::clone(&parts.queue),
        signals: parts.signals.clone(),
        traces: parts.traces.clone(),
        metrics: Arc::clone(&parts.metrics),
        settings: RelaySettings {
            ack_wait: parts.settings.jobs.ack_wait,
            sweep_every: parts.settings.jobs.sweep_every,
        },
    }
}

/// A worker that lost its job notices within this long, unless it stands still.
const STRAGGLING: Duration = Duration::from_secs(3_600);

pub(super) fn eraser(parts: &Parts) -> Eraser {
    Eraser {
        pool: parts.pool.clone(),
        log: parts.store.log().clone(),
        read: ReadModel::new(parts.pool.clone()),
        commands: parts.commands.clone(),
        blobs: Arc::clone(&parts.blobs),
        removals: parts.removals(),
        signals: parts.signals.clone(),
        clock: parts.clock.clone(),
        ids: parts.ids.clone(),
        settings: EraserSettings {
            sweep_every: parts.settings.erasure.sweep_every,
            watch: parts.settings.jobs.hard_limit + STRAGGLING,
            retention: parts.reloadable.retention.clone(),
        },
    }
}

pub(super) fn worker(
    parts: &Parts,
    extractor: Arc<ExtractionChild>,
    door: Arc<Door>,
) -> Result<Worker, AppError> {
    let jobs = &parts.settings.jobs;
    let spool = Spool::new(parts.settings.data_dir.join("work"))
        .map_err(start("opening the work folder"))?;
    Ok(Worker {
        pool: parts.pool.clone(),
        queue: Arc::clone(&parts.queue),
        blobs: Arc::clone(&parts.blobs),
        extractor: Arc::new(Measured::new(extractor, Arc::clone(&parts.metrics))),
        traces: parts.traces.clone(),
        metrics: Arc::clone(&parts.metrics),
        commands: parts.commands.clone(),
        log: parts.store.log().clone(),
        signals: parts.signals.clone(),
        clock: parts.clock.clone(),
        ids: parts.ids.clone(),
        removals: parts.removals(),
        door,
        spool,
        settings: WorkSettings {
            name: worker_name(crate::ports::Ids::new_id(parts.ids.as_ref())),
            slots: jobs.workers,
            soft_limit: jobs.soft_limit,
            hard_limit: jobs.hard_limit,
            max_attempts: jobs.max_attempts,
            retry_first: jobs.retry_first,
            retry_longest: jobs.retry_longest,
            ack_wait: jobs.ack_wait,
            grace: parts.settings.http.shutdown_grace,
            judge: parts.reloadable.judging.clone(),
        },
    })
}

pub(super) fn notary(parts: &Parts) -> Arc<Notary> {
    Arc::new(Notary::new(
        parts.pool.clone(),
        Arc::clone(&parts.blobs),
        parts.clock.clone(),
        parts.ids.clone(),
        parts.settings.notary.clone(),
    ))
}

/// Unlike any other worker's, also of the same process id on another machine.
fn worker_name(id: Uuid) -> String {
    format!("worker-{}-{}", std::process::id(), id.simple())
}

/// The bound server of a process.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    server: server::Server,
    live: LiveHub,
    grace: Duration,
    shutdown: CancellationToken,
}

pub(super) fn scanner(settings: &Settings) -> Option<Arc<dyn Scanner>> {
    let clamd = settings.door.clamd.as_ref()?;
    let address = match &clamd.address {
        ClamdPlace::Tcp(place) => ClamdAddress::Tcp(place.clone()),
        ClamdPlace::Unix(path) => ClamdAddress::Unix(path.clone()),
    };
    Some(Arc::new(Clamd::new(address, clamd.within, clamd.max_bytes)))
}

fn identity(parts: &Parts, key: &Secret) -> Result<Identity, AppError> {
    let settings = &parts.settings;
    let pepper = load_pepper(settings.identity.pepper.as_ref(), &settings.data_dir)
        .map_err(start("reading what keys are hashed with"))?;
    let (clock, ids) = (parts.clock.clone(), parts.ids.clone());
    let tokens = Tokens::new(settings.identity.tokens.clone())
        .map_err(start("preparing the check of users' tokens"))?;
    Ok(Identity::new(
        key.clone(),
        settings.approver_key.clone(),
        ApiKeys::new(parts.store.clone(), pepper, clock, ids.clone()),
        tokens,
        Tickets::new(parts.pool.clone(), ids),
    ))
}

fn health(
    parts: &Parts,
    roles: &[Role],
    readers: Option<Arc<ExtractionChild>>,
    door: &Door,
) -> Health {
    Health::new(Probed {
        pool: parts.pool.clone(),
        log: parts.store.log().clone(),
        read: ReadModel::new(parts.pool.clone()),
        blobs: Arc::clone(&parts.blobs),
        queue: Arc::clone(&parts.queue),
        scanner: readers.is_some().then(|| door.scanner()).flatten(),
        jail: Jail::new(
            readers.map(|readers| readers as Arc<dyn JailProbe>),
            parts.settings.health.jail_every,
        ),
        clock: parts.clock.clone(),
        data_dir: parts.settings.data_dir.clone(),
        roles: roles
            .iter()
            .map(|r| format!("{r:?}").to_lowercase())
            .collect(),
        settings: parts.reloadable.health.clone(),
        notary_every: parts.settings.notary.every,
        metrics: Arc::clone(&parts.metrics),
    })
}

pub(super) async fn serve(
    parts: &Parts,
    roles: &[Role],
    key: &Secret,
    readers: Option<Arc<ExtractionChild>>,
    door: Arc<Door>,
    shutdown: CancellationToken,
) -> Result<Server, AppError> {
    let read = ReadModel::new(parts.pool.clone());
    let log = parts.store.log().clone();
    // Made by the projector role, maybe in another process: nothing can be read before.
    super::patiently(|| read.status(Uuid::nil()))
        .await
        .map_err(start("waiting for the read models"))?;
    let live = LiveHub::start(
        log.clone(),
        read.clone(),
        parts.signals.clone(),
        parts.clock.clone(),
        parts.settings.live.clone(),
    )
    .await
    .map_err(start("starting the live hub"))?;
    let state = ApiState::new(ApiParts {
        commands: parts.commands.clone(),
        access: parts.access.clone(),
        log: log.clone(),
        everything: read.clone(),
        tree: LogTree::new(parts.pool.clone()),
        evidence: Evidence {
            pool: parts.pool.clone(),
            blobs: Arc::clone(&parts.blobs),
            spool: parts.spool.clone(),
            key_file: parts.settings.notary.key_file.clone(),
        },
        blobs: Arc::clone(&parts.blobs),
        removals: parts.removals(),
        dead_letters: super::tools::dead_letters(&parts.pool, &parts.blobs, parts.commands.clone()),
        spool: parts.spool.clone(),
        signals: parts.signals.clone(),
        clock: parts.clock.clone(),
        ids: parts.ids.clone(),
        live: live.clone(),
        health: health(parts, roles, readers, &door),
        metrics: Arc::clone(&parts.metrics),
        pool: parts.pool.clone(),
        traces: parts.traces.clone(),
        identity: identity(parts, key)?,
        origins: parts.reloadable.origins.clone(),
        encrypted: parts.settings.http.is_encrypted(),
        limits: Limits::new(
            parts.pool.clone(),
            parts.clock.clone(),
            parts.reloadable.limits.clone(),
        ),
        trusted_proxies: parts.settings.connections.trusted_proxies.clone(),
        patience: parts.settings.connections.patience,
        upload: parts.reloadable.upload.clone(),
        door,
        min_position_wait: parts.settings.http.min_position_wait,
    });
    let router = if roles.contains(&Role::Api) {
        router::router(state)
    } else {
        router::health_router(state)
    };
    let listener = TcpListener::bind(parts.settings.http.listen)
        .await
        .map_err(start("opening the HTTP address"))?;
    let address = listener
        .local_addr()
        .map_err(start("reading the HTTP address"))?;
    let bounds = parts.settings.connections.clone();
    Ok(Server {
        address,
        server: server::Server::new(listener, router, bounds, Arc::clone(&parts.metrics))
            .with_tls(parts.tls.clone()),
        live,
        grace: parts.settings.http.shutdown_grace,
        shutdown,
    })
}

impl Server {
    /// Serves until shutdown, then lets requests finish within the grace.
    pub(super) async fn run(self) {
        let server = self.server.run(self.shutdown.clone());
        let live = self.live;
        let (shutdown, grace) = (self.shutdown, self.grace);
        let bound = async move {
            shutdown.cancelled().await;
            // Sockets are no requests any more: they are told to come back elsewhere.
            let _late = tokio::time::timeout(grace, live.shutdown()).await;
            // The grace is counted once requests alone are left.
            let far = tokio::time::Instant::now() + grace;
            tokio::time::sleep_until(far).await;
        };
        tokio::select! {
            () = server => {}
            () = bound => tracing::warn!("requests still open after the grace were cut off"),
        }
    }
}
