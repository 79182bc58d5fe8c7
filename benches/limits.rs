//! What a flood does to others: one key asks as fast as it can, far beyond its rate, while another key reads
//! on; then an address floods with a credential that is not good. Told: answers a second by status, the
//! other key's latencies before and during, and the memory of the gateway. Run: `cargo bench --bench limits`;
//! `KMRL_BENCH_SECONDS` sets the time of a phase (default 10), `KMRL_BENCH_CLIENTS` the flood's connections (64).

#![allow(
    missing_docs,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark may stop where it cannot go on, and prints"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use reqwest::Client;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::gateway::{Gateway, World};

const PATH: &str = "/api/v1/documents/?limit=20";

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().unwrap())
}

async fn key(gateway: &Gateway, name: &str) -> String {
    let terms = json!({"name": name, "owner": "bench", "roles": ["reader"]});
    let answer = gateway.post("/api/v1/keys").json(&terms).send().await;
    let body: Value = answer.unwrap().json().await.unwrap();
    body["key"].as_str().unwrap().to_owned()
}

/// Answers of a flood, by status.
async fn flood(url: String, key: String, clients: u64, until: Instant) -> BTreeMap<u16, u64> {
    let counts = Arc::new(Mutex::new(BTreeMap::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let (url, key, counts) = (url.clone(), key.clone(), Arc::clone(&counts));
        tasks.spawn(async move {
            let client = Client::new();
            while Instant::now() < until {
                let request = client.get(&url).header("x-api-key", &key);
                let request = request.header("x-forwarded-for", "198.51.100.1");
                let status = request.send().await.map_or(0, |a| a.status().as_u16());
                *counts.lock().unwrap().entry(status).or_default() += 1;
            }
        });
    }
    tasks.join_all().await;
    Arc::into_inner(counts).unwrap().into_inner().unwrap()
}

/// Latencies of one who reads ten times a second, in milliseconds: median and the worst.
async fn quiet(url: String, key: String, until: Instant) -> (f64, f64) {
    let client = Client::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let mut took = Vec::new();
    while Instant::now() < until {
        ticks.tick().await;
        let begun = Instant::now();
        let answer = client.get(&url).header("x-api-key", &key).send().await;
        assert_eq!(
            answer.unwrap().status().as_u16(),
            200,
            "the quiet one is stopped"
        );
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    took.sort_by(f64::total_cmp);
    (took[took.len() / 2], took[took.len() - 1])
}

fn resident_mib(gateway: &Gateway) -> u64 {
    support::memory(gateway.pid(), "VmRSS") >> 20
}

#[tokio::main]
async fn main() {
    let phase = Duration::from_secs(setting("KMRL_BENCH_SECONDS", 10));
    let clients = setting("KMRL_BENCH_CLIENTS", 64);
    let world = World::with(&[
        ("KMRL_LIMITS_ADDRESS_REQUESTS", "0"),
        ("KMRL_LIMITS_EXCEPTIONS", "actor=key:flood,queries=600"),
        ("KMRL_HTTP_TRUSTED_PROXIES", "127.0.0.1"),
    ])
    .await;
    let gateway = world.start();
    gateway.upload("a.txt", "text").await;
    let (loud, other) = (key(&gateway, "flood").await, key(&gateway, "quiet").await);
    let url = format!("{}{PATH}", gateway.base);
    let alone = quiet(url.clone(), other.clone(), Instant::now() + phase).await;
    println!(
        "alone: median {:.1} ms, worst {:.1} ms, {} MiB",
        alone.0,
        alone.1,
        resident_mib(&gateway)
    );
    for (what, credential) in [("beyond its rate", loud), ("not good", "wrong".to_owned())] {
        let until = Instant::now() + phase;
        let flooding = tokio::spawn(flood(url.clone(), credential, clients, until));
        let (median, worst) = quiet(url.clone(), other.clone(), until).await;
        let answers = flooding.await.unwrap();
        let rates: Vec<String> = answers
            .iter()
            .map(|(status, n)| format!("{status}: {:.0}/s", *n as f64 / phase.as_secs_f64()))
            .collect();
        println!(
            "{clients} clients, {what}: {}; the other key: median {median:.1} ms, worst {worst:.1} ms; {} MiB",
            rates.join(", "),
            resident_mib(&gateway)
        );
    }
}
