//! What an append and each query of the log cost as the log grows.
//!
//! Seeds one database to each size in turn, then measures on it. `KMRL_BENCH_EVENTS` names the
//! sizes (default `1000000,10000000`); 50 million need some 45 GB of disk. Rows are seeded by SQL
//! beside the append function, with the leaf hashes that it would give them, so a log of any size is
//! made in minutes; what is measured then goes through the product's own code.
//! Run: `cargo bench --bench scale`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench ends at its first error and prints its table"
)]

use kmrl_gateway::event_store::{
    Append, CommandMetadata, EventFilter, EventLog, NewEvent, PostgresEventStore,
};
use kmrl_gateway::signals::Signals;
use sqlx::PgPool;
use std::time::{Duration, Instant};
use uuid::Uuid;

#[path = "../tests/support/mod.rs"]
mod support;

/// Rows that one seeding statement makes.
const CHUNK: i64 = 250_000;
/// Each document has as many events; every query below counts on it.
const PER_DOCUMENT: i64 = 4;
const RUNS: u32 = 40;

#[tokio::main]
async fn main() {
    let sizes = std::env::var("KMRL_BENCH_EVENTS").unwrap_or("1000000,10000000".into());
    let database = support::database().await;
    let pool = database.pool.clone();
    prepare(&pool).await;
    let store = PostgresEventStore::start(pool.clone(), Signals::local());
    let mut seeded = 0;
    for size in sizes.split(',').map(|s| s.trim().parse::<i64>().unwrap()) {
        let start = Instant::now();
        seed(&pool, seeded, size).await;
        seeded = size;
        println!(
            "\n{size} events, seeded in {:.0} s",
            start.elapsed().as_secs_f64()
        );
        disk(&pool).await;
        for clients in [1, 8, 32] {
            append(&store, clients).await;
        }
        queries(&EventLog::new(pool.clone()), size).await;
    }
}

/// Loading writes no log of its own and needs no flush: it can be made again.
async fn prepare(pool: &PgPool) {
    for statement in [
        "ALTER SYSTEM SET max_wal_size = '8GB'",
        "ALTER SYSTEM SET maintenance_work_mem = '512MB'",
    ] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
    sqlx::query("SELECT pg_reload_conf()")
        .execute(pool)
        .await
        .unwrap();
    sqlx::query("ALTER TABLE events ALTER COLUMN chain DROP NOT NULL")
        .execute(pool)
        .await
        .unwrap();
}

const SECONDARY: [(&str, &str); 3] = [
    ("events_by_type", "(event_type, position)"),
    ("events_by_actor", "(actor, position)"),
    ("events_by_time", "(recorded_at, position)"),
];

/// Events `from + 1` to `to`: documents of four events each, by 50 actors, ids ordered by time.
async fn seed(pool: &PgPool, from: i64, to: i64) {
    for (name, _) in SECONDARY {
        let drop = format!("DROP INDEX {name}");
        sqlx::query(&drop).execute(pool).await.unwrap();
    }
    // What was appended while measuring makes room for what is seeded.
    let clear = "SET session_replication_role = replica; DELETE FROM events WHERE position > $1";
    let mut connection = pool.acquire().await.unwrap();
    sqlx::raw_sql(&clear.replace("$1", &from.to_string()))
        .execute(&mut *connection)
        .await
        .unwrap();
    let mut at = from;
    while at < to {
        let end = (at + CHUNK).min(to);
        let insert = INSERT
            .replace("$1", &at.to_string())
            .replace("$2", &end.to_string());
        sqlx::raw_sql(&insert)
            .execute(&mut *connection)
            .await
            .unwrap();
        at = end;
    }
    let finish = format!(
        "UPDATE es_head SET position = {to}, recorded_at = '2026-01-01'::timestamptz + {to} * interval '10 ms';
         SET session_replication_role = origin;"
    );
    sqlx::raw_sql(&finish)
        .execute(&mut *connection)
        .await
        .unwrap();
    for (name, columns) in SECONDARY {
        let create = format!("CREATE INDEX {name} ON events {columns}");
        sqlx::query(&create).execute(pool).await.unwrap();
    }
    sqlx::query("VACUUM ANALYZE events")
        .execute(pool)
        .await
        .unwrap();
}

/// `d` numbers the document, `s` the event in it.
const INSERT: &str = "SET synchronous_commit = off;
INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version,
                    payload, metadata, actor, recorded_at, leaf)
SELECT p, 'document', id, s, t, '1.0', pl::json, md::json, actor, at,
       sha256('\\x00'::bytea || convert_to(concat_ws(E'\\n', p, 'document', id, s, t, '1.0',
              (extract(epoch FROM at) * 1000000)::bigint, pl, md), 'UTF8'))
FROM (SELECT g AS p, lpad(to_hex((g - 1) / 4), 12, '0') AS d, (g - 1) % 4 + 1 AS s,
             'key:connector-' || (g / 7) % 50 AS actor,
             '2026-01-01'::timestamptz + g * interval '10 ms' AS at
      FROM generate_series($1 + 1, $2) AS g) AS a,
     LATERAL (SELECT substr(d, 1, 8) || '-' || substr(d, 9, 4) || '-7000-8000-000000000000' AS id,
             (ARRAY['Uploaded', 'ProcessingStarted', 'Extracted', 'Corrected'])[s] AS t,
             '{\"type\":\"x\",\"blob\":{\"key\":\"sha256/00/00/' || repeat(d, 5) || '\",\"sha256\":\"' || repeat(d, 5)
             || '\",\"size\":100000},\"content_type\":\"application/pdf\",\"source\":\"maximo\",\"priority\":\"normal\",'
             || '\"uploaded_at\":\"2026-01-01T00:00:00Z\",\"private\":\"sha256:' || repeat(d, 5) || '\"}' AS pl,
             '{\"actor\":\"' || actor || '\",\"key_id\":\"connector\",\"request_id\":\"' || repeat(d, 3)
             || '\",\"correlation_id\":\"' || repeat(d, 3) || '\"}' AS md) AS b;";

async fn disk(pool: &PgPool) {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT 'events', pg_table_size('events') UNION ALL \
         SELECT indexrelid::regclass::text, pg_relation_size(indexrelid) \
         FROM pg_index WHERE indrelid = 'events'::regclass",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    for (name, bytes) in rows {
        println!("  {name:<48} {:>9} MiB", bytes >> 20);
    }
}

async fn append(store: &PostgresEventStore, clients: u32) {
    let start = Instant::now();
    let time = Duration::from_secs(5);
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut took = Vec::new();
                while start.elapsed() < time {
                    let sent = Instant::now();
                    store.append(one()).await.unwrap();
                    took.push(sent.elapsed());
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await.unwrap());
    }
    let rate = took.len() as f64 / start.elapsed().as_secs_f64();
    println!(
        "  append, {clients:>2} clients: {rate:>7.0} commands/s, median {:.2} ms",
        median(took)
    );
}

fn one() -> Append {
    #[expect(
        clippy::disallowed_methods,
        reason = "a bench needs ids, and no others see them"
    )]
    let id = Uuid::now_v7();
    Append {
        aggregate_type: "document",
        aggregate_id: id.to_string(),
        expected_version: 0,
        events: vec![NewEvent {
            event_type: "Uploaded".into(),
            event_version: "1.0".into(),
            payload: format!("{{\"blob\":\"{}\"}}", "0".repeat(300)),
            private: None,
        }],
        metadata: CommandMetadata {
            actor: "key:bench".into(),
            correlation_id: "bench".into(),
            ..CommandMetadata::default()
        },
        idempotency: None,
        claim: None,
    }
}

fn median(mut took: Vec<Duration>) -> f64 {
    took.sort();
    took.get(took.len() / 2)
        .map_or(0.0, |d| d.as_secs_f64() * 1_000.0)
}

/// Each query with arguments spread over the whole log; the median of all runs.
async fn queries(log: &EventLog, size: i64) {
    let spread = |run: u32| size / i64::from(RUNS + 1) * i64::from(run + 1);
    let filter = |after| EventFilter {
        after,
        limit: 100,
        ..EventFilter::default()
    };
    let id = |at: i64| {
        let d = format!("{:012x}", at / PER_DOCUMENT);
        Uuid::parse_str(&format!("{}-{}-7000-8000-000000000000", &d[..8], &d[8..])).unwrap()
    };
    let time = |at: i64| {
        time::macros::datetime!(2026-01-01 00:00 UTC) + time::Duration::milliseconds(at * 10)
    };
    measure("head", |_| async { log.head().await.map(|_| 1).unwrap() }).await;
    measure("2,000 events after a position", |run| async move {
        log.read(spread(run), 2_000).await.unwrap().len()
    })
    .await;
    measure("one document's stream", |run| async move {
        log.stream("document", &id(spread(run)).to_string())
            .await
            .unwrap()
            .len()
    })
    .await;
    measure("page of 100", |run| async move {
        log.page(&filter(spread(run))).await.unwrap().len()
    })
    .await;
    measure("page of 100 of one document", |run| async move {
        let filter = EventFilter {
            document_id: Some(id(spread(run))),
            ..filter(0)
        };
        log.page(&filter).await.unwrap().len()
    })
    .await;
    measure("page of 100 by one actor", |run| async move {
        let filter = EventFilter {
            actor: Some(format!("key:connector-{run}")),
            ..filter(spread(run))
        };
        log.page(&filter).await.unwrap().len()
    })
    .await;
    measure("page of 100 of one type", |run| async move {
        let filter = EventFilter {
            event_type: Some("Extracted".into()),
            ..filter(spread(run))
        };
        log.page(&filter).await.unwrap().len()
    })
    .await;
    measure("page of 100 within an hour", |run| async move {
        let from = time(spread(run));
        let until = Some(from + time::Duration::hours(1));
        log.page(&EventFilter {
            since: Some(from),
            until,
            ..filter(0)
        })
        .await
        .unwrap()
        .len()
    })
    .await;
}

async fn measure<F: Future<Output = usize>>(name: &str, query: impl Fn(u32) -> F) {
    let (mut took, mut rows) = (Vec::new(), 0);
    for run in 0..RUNS {
        let start = Instant::now();
        rows = query(run).await;
        took.push(start.elapsed());
    }
    println!("  {name:<34} {:>8.2} ms, {rows} rows", median(took));
}
