//! What proof costs: an append with nothing, with leaf, with leaf and chain (as it was before the
//! Merkle log), and with the notary running, in one run; and the time to sign, verify, export and
//! verify offline a large log.
//!
//! Run: `cargo bench --bench proof_cost`. `KMRL_BENCH_SECONDS` sets the time of a cell (default 3),
//! `KMRL_BENCH_ENTRIES` the size of the large log (default 1,000,000; 0 leaves it out).

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench ends at its first error and prints its table"
)]

use kmrl_domain::private::hex;
use kmrl_gateway::adapters::local_blobs::LocalBlobs;
use kmrl_gateway::adapters::system::{SystemClock, SystemIds};
use kmrl_gateway::config::NotarySettings;
use kmrl_gateway::event_store::{Append, CommandMetadata, NewEvent, PostgresEventStore};
use kmrl_gateway::notary::export::export_log;
use kmrl_gateway::notary::verify::verify_live;
use kmrl_gateway::notary::{self, Notary, stored_key};
use kmrl_gateway::ports::BlobStore;
use kmrl_gateway::proof::export::FileCheck;
use kmrl_gateway::signals::Signals;
use std::io::{BufRead, BufReader, BufWriter};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::{TempDir, TestDatabase};
use tokio_util::sync::CancellationToken;

#[path = "../tests/support/mod.rs"]
mod support;

const CLIENTS: [u64; 3] = [1, 8, 32];
/// Each cell is measured so often, in turn with the others; the sums count.
const ROUNDS: u32 = 3;
/// The function from before the Merkle log: with leaf and chain.
const BEFORE: &str = include_str!("../migrations/0001_event_store.sql");
const NOW: &str = include_str!("../migrations/0004_merkle_log.sql");
/// What the SHA-256 of a leaf is made of, in both.
const LEAF: &str = "sha256('\\x00'::bytea ||";

fn setting(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.and_then(|s| s.parse().ok()).unwrap_or(default)
}

#[tokio::main]
async fn main() {
    appends(Duration::from_secs(setting("KMRL_BENCH_SECONDS", 3))).await;
    let entries = setting("KMRL_BENCH_ENTRIES", 1_000_000);
    if entries > 0 {
        large_log(entries).await;
    }
}

/// The function with a leaf that costs nothing.
fn without_leaf() -> String {
    let function = NOW.split_once("CREATE OR REPLACE FUNCTION").unwrap().1;
    let (before, rest) = function.split_once(LEAF).unwrap();
    let (_, after) = rest.split_once("'UTF8'));").unwrap();
    let zero = "decode(repeat('00', 32), 'hex');";
    format!("CREATE OR REPLACE FUNCTION{before}{zero}{after}")
}

fn with_chain() -> String {
    let function = BEFORE.split_once("CREATE FUNCTION es_append(").unwrap().1;
    let reset = "UPDATE es_head SET chain = sha256('kmrl-gateway log v1'::bytea);";
    format!("{reset} CREATE OR REPLACE FUNCTION es_append({function}")
}

/// A way to append, on a database of its own.
struct Variant {
    name: &'static str,
    store: PostgresEventStore,
    _notary: Option<(TempDir, tokio::task::JoinHandle<()>)>,
    done: [f64; CLIENTS.len()],
}

async fn variant(name: &'static str, function: Option<String>, signed: bool) -> Variant {
    let database = support::database().await;
    if let Some(function) = function {
        sqlx::raw_sql(&function)
            .execute(&database.pool)
            .await
            .unwrap();
    }
    Variant {
        name,
        store: PostgresEventStore::start(database.pool.clone(), Signals::local()),
        _notary: signed.then(|| {
            let dir = TempDir::new("bench");
            let notary = Arc::new(signer(&database, &dir, blobs(&dir)));
            let every = Duration::from_secs(1);
            let run = notary::run(notary, every, CancellationToken::new());
            (dir, tokio::spawn(run))
        }),
        done: [0.0; CLIENTS.len()],
    }
}

fn blobs(dir: &TempDir) -> Arc<dyn BlobStore> {
    Arc::new(LocalBlobs::open(dir.path().join("blobs")).unwrap())
}

fn signer(database: &TestDatabase, dir: &TempDir, blobs: Arc<dyn BlobStore>) -> Notary {
    let settings = NotarySettings {
        key_file: dir.path().join("key"),
        every: Duration::from_secs(1),
        lock_days: 0,
    };
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    Notary::new(database.pool.clone(), blobs, clock, ids, settings)
}

async fn appends(time: Duration) {
    let mut variants = [
        variant("nothing", Some(without_leaf()), false).await,
        variant("leaf", None, false).await,
        variant("leaf + chain (before)", Some(with_chain()), false).await,
        variant("leaf + notary every 1 s", None, true).await,
    ];
    for _ in 0..ROUNDS {
        for (cell, clients) in CLIENTS.into_iter().enumerate() {
            for variant in &mut variants {
                variant.done[cell] += measure(&variant.store, clients, time).await;
            }
        }
    }
    println!("append, commands/s (ratio to nothing), {ROUNDS} rounds of {time:?}");
    println!("{:<24} | {:>16} | {:>16} | {:>16}", "clients", 1, 8, 32);
    let nothing = variants[0].done;
    for variant in &variants {
        let cells = variant.done.iter().zip(nothing).map(|(done, nothing)| {
            format!("{:>9.0} ({:.2})", done / f64::from(ROUNDS), done / nothing)
        });
        println!(
            "{:<24} | {}",
            variant.name,
            cells.collect::<Vec<_>>().join(" | ")
        );
    }
}

/// Commands a second.
async fn measure(store: &PostgresEventStore, clients: u64, time: Duration) -> f64 {
    let start = Instant::now();
    let client = || {
        let store = store.clone();
        tokio::spawn(async move {
            let mut done = 0_u32;
            while start.elapsed() < time {
                store.append(command()).await.unwrap();
                done += 1;
            }
            done
        })
    };
    let tasks: Vec<_> = (0..clients).map(|_| client()).collect();
    let mut done = 0;
    for task in tasks {
        done += task.await.unwrap();
    }
    f64::from(done) / start.elapsed().as_secs_f64()
}

fn payload(n: u64) -> String {
    let digest = format!("{n:064x}");
    format!(
        r#"{{"type":"Uploaded","blob":{{"key":"sha256/00/00/{digest}","sha256":"{digest}","size":100000}},"content_type":"application/pdf","source":"maximo","priority":"normal","duplicate_of":null,"uploaded_at":"2026-01-02T03:04:05.678901Z"}}"#
    )
}

fn command() -> Append {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    Append {
        aggregate_type: "document",
        aggregate_id: uuid::Uuid::from_u128(n.into()).to_string(),
        expected_version: 0,
        events: vec![NewEvent {
            event_type: "Uploaded".into(),
            event_version: "1.0".into(),
            payload: payload(n),
            private: None,
        }],
        metadata: CommandMetadata {
            actor: "key:admin".into(),
            correlation_id: "c1".into(),
            ..CommandMetadata::default()
        },
        idempotency: None,
        claim: None,
    }
}

/// Seeds by SQL, as `es_append` would have written: four events to a document, the first with a
/// private part.
async fn seed(database: &TestDatabase, entries: u64) {
    let seeding = include_str!("seed_log.sql").replace("$entries", &entries.to_string());
    sqlx::raw_sql(&seeding)
        .execute(&database.pool)
        .await
        .unwrap();
    sqlx::raw_sql("VACUUM ANALYZE events")
        .execute(&database.pool)
        .await
        .unwrap();
}

async fn large_log(entries: u64) {
    let database = support::database().await;
    let dir = TempDir::new("bench");
    let blobs = blobs(&dir);
    seed(&database, entries).await;
    println!("\na log of {entries} entries");
    let timed = |what: &str, start: Instant| {
        let s = start.elapsed().as_secs_f64();
        println!(
            "{what:<40} {s:>7.2} s  {:>9.0} entries/s",
            entries as f64 / s
        );
    };
    let start = Instant::now();
    let notary = signer(&database, &dir, Arc::clone(&blobs));
    let newest = notary.make_checkpoint().await.unwrap().unwrap();
    timed("sign, with tiles into files", start);
    let key = stored_key(&dir.path().join("key"))
        .unwrap()
        .unwrap()
        .verifying();
    let start = Instant::now();
    let report = verify_live(&database.pool, Arc::clone(&blobs), &key, &mut |_, _| {})
        .await
        .unwrap();
    timed("verify live", start);
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!(report.proven, entries);
    println!(
        "  root {}, {} private parts",
        report.root, report.private_parts
    );
    assert_eq!(report.root, hex(&newest.checkpoint.root));
    let path = dir.path().join("log.jsonl");
    let start = Instant::now();
    let mut out = BufWriter::new(std::fs::File::create(&path).unwrap());
    export_log(&database.pool, blobs, &mut out, &mut |_, _| {})
        .await
        .unwrap();
    drop(out);
    timed("export", start);
    let size = std::fs::metadata(&path).unwrap().len() >> 20;
    let start = Instant::now();
    let mut check = FileCheck::new(key, Some(newest.checkpoint));
    for line in BufReader::new(std::fs::File::open(&path).unwrap()).lines() {
        check.line(&line.unwrap()).unwrap();
    }
    let report = check.finish();
    timed(&format!("verify the file ({size} MiB)"), start);
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    println!("  resident memory at most: {} MiB", peak_memory());
}

/// Most resident memory of this process so far, in MiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) >> 10
}
