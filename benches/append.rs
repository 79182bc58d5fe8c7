//! Append throughput: our store against stock postgres-es, in one run on one server.
//!
//! Each client commits one event for a new aggregate through cqrs-es' `EventStore`, waits for the
//! acknowledgement and goes on, for a fixed time. Both stores have the same schema rights, pool
//! size and durability. Run: `cargo bench --bench append`; `KMRL_BENCH_SECONDS` sets the time of a
//! cell (default 5).

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench ends at its first error and prints its table"
)]

use cqrs_es::EventStore;
use cqrs_es::persist::{EventStoreAggregateContext, PersistedEventStore};
use kmrl_domain::event::Uploaded;
use kmrl_domain::values::{Blob, Priority};
use kmrl_domain::{Document, DocumentEvent, PrivateDigest};
use kmrl_gateway::event_store::PostgresEventStore;
use kmrl_gateway::signals::Signals;
use postgres_es::PostgresEventRepository;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[path = "../tests/support/mod.rs"]
mod support;

const CLIENTS: [u64; 3] = [1, 8, 32];

#[tokio::main]
async fn main() {
    let seconds = std::env::var("KMRL_BENCH_SECONDS").ok();
    let time = Duration::from_secs(seconds.and_then(|s| s.parse().ok()).unwrap_or(5));
    let (our_database, stock_database) =
        (support::database().await, support::empty_database().await);
    let schema = include_str!("../tests/event_store/stock.sql");
    sqlx::raw_sql(schema)
        .execute(&stock_database.pool)
        .await
        .unwrap();
    let ours = Arc::new(PostgresEventStore::start(
        our_database.pool.clone(),
        Signals::local(),
    ));
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(32);
    let repository = PostgresEventRepository::new(pool.connect(&stock_database.url).await.unwrap());
    let stock = Arc::new(PersistedEventStore::<_, Document>::new_event_store(
        repository,
    ));

    println!("clients | ours/s  p50 ms  p99 ms | stock/s  p50 ms  p99 ms | ours : stock");
    for clients in CLIENTS {
        let stock = measure(&stock, clients, time).await;
        let ours = measure(&ours, clients, time).await;
        println!(
            "{clients:>7} | {:>6.0}  {:>6.2}  {:>6.2} | {:>7.0}  {:>6.2}  {:>6.2} | {:>5.2}",
            ours.rate,
            ours.p50,
            ours.p99,
            stock.rate,
            stock.p50,
            stock.p99,
            ours.rate / stock.rate
        );
    }
}

/// Commits per second, and milliseconds until the acknowledgement.
struct Measured {
    rate: f64,
    p50: f64,
    p99: f64,
}

async fn measure<S>(store: &Arc<S>, clients: u64, time: Duration) -> Measured
where
    S: EventStore<Document, AC = EventStoreAggregateContext<Document>> + 'static,
{
    let start = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while start.elapsed() < time {
                    let sent = Instant::now();
                    commit(&*store).await;
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
        latencies
            .get(latencies.len() * q / 100)
            .copied()
            .unwrap_or_default()
    };
    Measured {
        rate: latencies.len() as f64 / elapsed,
        p50: quantile(50),
        p99: quantile(99),
    }
}

async fn commit<S>(store: &S)
where
    S: EventStore<Document, AC = EventStoreAggregateContext<Document>>,
{
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let context = EventStoreAggregateContext {
        aggregate_id: uuid::Uuid::from_u128(n.into()).to_string(),
        aggregate: Document::default(),
        current_sequence: 0,
        current_snapshot: None,
    };
    let metadata = [("actor", "key:admin"), ("correlation_id", "c1")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()));
    store
        .commit(vec![uploaded()], context, HashMap::from(metadata))
        .await
        .unwrap();
}

fn uploaded() -> DocumentEvent {
    DocumentEvent::Uploaded(Uploaded {
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
        private: PrivateDigest(format!("sha256:{}", "0".repeat(64))),
        uploaded_at: time::OffsetDateTime::UNIX_EPOCH,
    })
}
