//! What it costs that a read is recorded before it is answered: `GET` of a document through the
//! API's router with and without the layer that records, in one run on one server.
//!
//! Each client reads, waits for the whole answer and goes on, for a fixed time. Projections run
//! beside it as in the product. Run: `cargo bench --bench recorded_read`; `KMRL_BENCH_SECONDS`
//! sets the time of a cell (default 5).

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench ends at its first error and prints its table"
)]

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use kmrl_domain::PrivatePart;
use kmrl_domain::command::Upload;
use kmrl_domain::private::UploadedPrivate;
use kmrl_domain::quarantine::Admission;
use kmrl_domain::values::{Blob, Priority};
use kmrl_gateway::adapters::extraction_child::{ChildSettings, ExtractionChild};
use kmrl_gateway::adapters::local_blobs::LocalBlobs;
use kmrl_gateway::adapters::nats;
use kmrl_gateway::adapters::nats_queue::NatsQueue;
use kmrl_gateway::adapters::system::{SystemClock, SystemIds};
use kmrl_gateway::audit::AccessRecorder;
use kmrl_gateway::commands::{CommandOptions, Commands};
use kmrl_gateway::config::{Current, Reader, Secret, Settings};
use kmrl_gateway::dead_letters::DeadLetters;
use kmrl_gateway::door::Door;
use kmrl_gateway::engines::Nats;
use kmrl_gateway::event_store::PostgresEventStore;
use kmrl_gateway::evidence::Evidence;
use kmrl_gateway::health::jail::Jail;
use kmrl_gateway::health::{Health, Probed};
use kmrl_gateway::http::live::LiveHub;
use kmrl_gateway::http::router::{router, unrecorded_router};
use kmrl_gateway::http::state::{ApiState, Parts};
use kmrl_gateway::identity::{ApiKeys, Identity, Tickets, load_pepper};
use kmrl_gateway::limits::Limits;
use kmrl_gateway::metrics::Metrics;
use kmrl_gateway::notary::LogTree;
use kmrl_gateway::ports::{BlobStore, Clock, Ids, JobQueue};
use kmrl_gateway::projector::{self, BlobTexts};
use kmrl_gateway::removal::Removals;
use kmrl_gateway::signals::Signals;
use kmrl_gateway::spool::Spool;
use kmrl_gateway::traces::Traces;
use kmrl_projections::Projector;
use kmrl_projections::query::ReadModel;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

#[path = "../tests/support/mod.rs"]
mod support;

const CLIENTS: [usize; 3] = [1, 8, 32];
const KEY: &str = "bench-key-0123456789abcdef";

#[tokio::main]
async fn main() {
    let seconds = std::env::var("KMRL_BENCH_SECONDS").ok();
    let time = Duration::from_secs(seconds.and_then(|s| s.parse().ok()).unwrap_or(5));
    let database = support::database().await;
    let (dir, nats_dir) = (
        support::TempDir::new("bench"),
        support::TempDir::new("nats"),
    );
    let nats = Nats::start(&support::engine_options(nats_dir.path()))
        .await
        .unwrap();
    let signals = Signals::local();
    let store = PostgresEventStore::start(database.pool.clone(), signals.clone());
    let blobs: Arc<dyn BlobStore> = Arc::new(LocalBlobs::open(dir.path().join("blobs")).unwrap());
    let projector = Projector::new(
        database.pool.clone(),
        Arc::new(store.log().clone()),
        Arc::new(BlobTexts(Arc::clone(&blobs))),
    );
    projector.prepare().await.unwrap();
    let id = upload(&Commands::new(store.clone())).await;
    projector.catch_up().await.unwrap();
    let state = state(&database.pool, &nats, &store, &signals, blobs, &dir).await;
    let stop = CancellationToken::new();
    let projections = tokio::spawn(projector::run(projector, signals, stop.clone()));
    let (recorded, unrecorded) = (router(state.clone()), unrecorded_router(state));

    println!("clients | recorded/s  p50 ms  p99 ms | unrecorded/s  p50 ms  p99 ms | ratio");
    for clients in CLIENTS {
        let without = measure(&unrecorded, id, clients, time).await;
        let with = measure(&recorded, id, clients, time).await;
        println!(
            "{clients:>7} | {:>10.0}  {:>6.2}  {:>6.2} | {:>12.0}  {:>6.2}  {:>6.2} | {:>5.2}",
            with.rate,
            with.p50,
            with.p99,
            without.rate,
            without.p50,
            without.p99,
            with.rate / without.rate
        );
    }
    let sql = "SELECT count(*), sum(json_array_length(payload->'records'))::bigint, \
               sum(pg_column_size(e.*))::bigint FROM events e WHERE aggregate_type = 'access'";
    let (events, records, bytes): (i64, i64, i64) =
        sqlx::query_as(sql).fetch_one(&database.pool).await.unwrap();
    println!(
        "{records} records in {events} events, {} bytes of log a record",
        bytes / records
    );
    stop.cancel();
    projections.await.unwrap();
}

async fn upload(commands: &Commands) -> Uuid {
    let private = UploadedPrivate {
        file_name: "job card.pdf".into(),
        metadata: serde_json::Map::new(),
        uploaded_by: "depot".into(),
    };
    let private = PrivatePart::seal([7; 32], &private).unwrap();
    let upload = Upload {
        blob: Blob {
            key: format!("sha256/{}", "0".repeat(64)),
            sha256: "0".repeat(64),
            size: 100_000,
        },
        content_type: "application/pdf".into(),
        source: "maximo".into(),
        priority: Priority::Normal,
        duplicate_of: None,
        parent: None,
        private: private.digest(),
        admission: Admission::default(),
        at: SystemClock.now(),
    };
    let (id, options) = (SystemIds.new_id(), CommandOptions::default());
    let done = commands.upload(id, upload, private, options).await;
    done.unwrap().document_id
}

async fn state(
    pool: &sqlx::PgPool,
    engine: &Nats,
    store: &PostgresEventStore,
    signals: &Signals,
    blobs: Arc<dyn BlobStore>,
    dir: &support::TempDir,
) -> ApiState {
    // What is measured must not be stopped by a limit.
    let unlimited = ["limits.queries", "limits.address_requests"];
    let flags = unlimited.map(|key| (key.to_owned(), "0".to_owned()));
    let reader = Reader::new(flags.into(), HashMap::new(), None);
    let settings = Settings::read(reader.unwrap()).unwrap();
    let client = nats::connect(engine.nats_url()).await.unwrap();
    let queue = NatsQueue::open(client, "bench", settings.jobs.ack_wait).await;
    let queue: Arc<dyn JobQueue> = Arc::new(queue.unwrap());
    let (log, read) = (store.log().clone(), ReadModel::new(pool.clone()));
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let live = LiveHub::start(
        log.clone(),
        read.clone(),
        signals.clone(),
        clock.clone(),
        settings.live,
    );
    let readers = ChildSettings::new(settings.jobs.extraction_memory, settings.jobs.hard_limit);
    let readers = Arc::new(ExtractionChild::new(readers).unwrap());
    let commands = Commands::new(store.clone());
    let log_source = Arc::new(log.clone());
    let texts = Arc::new(BlobTexts(Arc::clone(&blobs)));
    let upload: Current<_> = settings.upload.into();
    let metrics = Arc::new(Metrics::new(upload.clone()).unwrap());
    ApiState::new(Parts {
        tree: LogTree::new(pool.clone()),
        evidence: Evidence {
            pool: pool.clone(),
            blobs: Arc::clone(&blobs),
            spool: Spool::new(dir.path().join("packs")).unwrap(),
            key_file: settings.notary.key_file.clone(),
        },
        removals: Removals::new(pool.clone(), Arc::clone(&blobs), ids.clone()),
        dead_letters: DeadLetters {
            pool: pool.clone(),
            projector: Projector::new(pool.clone(), log_source, texts),
            commands: commands.clone(),
            clock: clock.clone(),
        },
        commands,
        access: AccessRecorder::start(store.clone(), ids.clone()),
        live: live.await.unwrap(),
        health: Health::new(Probed {
            pool: pool.clone(),
            log: log.clone(),
            read: read.clone(),
            blobs: Arc::clone(&blobs),
            queue,
            scanner: None,
            jail: Jail::new(None, settings.health.jail_every),
            clock: clock.clone(),
            data_dir: dir.path().to_owned(),
            notary_every: settings.notary.every,
            metrics: Arc::clone(&metrics),
            settings: settings.health.into(),
            roles: vec!["api".into()],
        }),
        pool: pool.clone(),
        traces: Traces::off(),
        log,
        everything: read,
        origins: Vec::new().into(),
        encrypted: false,
        limits: Limits::new(pool.clone(), clock.clone(), settings.limits.into()),
        trusted_proxies: settings.connections.trusted_proxies,
        patience: settings.connections.patience,
        identity: Identity::new(
            Secret::new(KEY.into()),
            None,
            ApiKeys::new(
                store.clone(),
                load_pepper(None, dir.path()).unwrap(),
                clock.clone(),
                ids.clone(),
            ),
            None,
            Tickets::new(pool.clone(), ids.clone()),
        ),
        blobs,
        spool: Spool::new(dir.path().join("spool")).unwrap(),
        signals: signals.clone(),
        clock,
        ids,
        metrics,
        upload,
        door: Arc::new(Door::new(settings.door, readers, None)),
        min_position_wait: settings.http.min_position_wait,
    })
}

/// Reads per second, and milliseconds until the answer.
struct Measured {
    rate: f64,
    p50: f64,
    p99: f64,
}

async fn measure(router: &Router, id: Uuid, clients: usize, time: Duration) -> Measured {
    let start = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let router = router.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while start.elapsed() < time {
                    let sent = Instant::now();
                    read(router.clone(), id).await;
                    latencies.push(sent.elapsed().as_secs_f64() * 1_000.0);
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.unwrap());
    }
    let elapsed = start.elapsed().as_secs_f64();
    latencies.sort_by(f64::total_cmp);
    let quantile = |q: usize| {
        let at = latencies.len() * q / 100;
        latencies.get(at).copied().unwrap_or_default()
    };
    Measured {
        rate: latencies.len() as f64 / elapsed,
        p50: quantile(50),
        p99: quantile(99),
    }
}

async fn read(router: Router, id: Uuid) {
    let request = Request::get(format!("/api/v1/documents/{id}"))
        .header("x-api-key", KEY)
        .header("host", "bench")
        .header("user-agent", "bench/1")
        .body(Body::empty())
        .unwrap();
    let answer = router.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    assert!(!body.is_empty());
}
