//! Whether time tells how near a guessed key is to a good one: wrong in its first byte, in its last, in all of them, and
//! a key that was never issued, each checked as the gate checks it, in turns on one thread.
//!
//! For each kind: the median, and Welch's t of its middle nine tenths against those wrong in the first byte. A |t|
//! that stays above 5 as rounds are added would be a difference; the difference itself is printed beside it. Run:
//! `cargo bench --bench key_timing`; `KMRL_BENCH_ROUNDS` sets the rounds (default 20000).

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench ends at its first error and prints its table"
)]

use kmrl_domain::api_key::Grant;
use kmrl_domain::authority::{Reach, Role};
use kmrl_gateway::adapters::system::{SystemClock, SystemIds};
use kmrl_gateway::config::Secret;
use kmrl_gateway::event_store::{CommandMetadata, PostgresEventStore};
use kmrl_gateway::identity::{ApiKeys, Identity, KeySecret, Tickets, load_pepper};
use kmrl_gateway::signals::Signals;
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

#[path = "../tests/support/mod.rs"]
mod support;

const KEY: &str = "bench-key-0123456789abcdef0123456789";

/// A key of the settings, and of an issued key what its secret is.
struct Keys {
    identity: Identity,
    id: Uuid,
    secret: [u8; 32],
}

async fn keys(dir: &support::TempDir) -> Keys {
    let database = support::database().await;
    let store = PostgresEventStore::start(database.pool.clone(), Signals::local());
    let pepper = load_pepper(None, dir.path()).unwrap();
    let issued = ApiKeys::new(store, pepper, Arc::new(SystemClock), Arc::new(SystemIds));
    let grant = Grant {
        name: "bench".into(),
        owner: "bench".into(),
        roles: vec![Role::Reader],
        scopes: None,
        sources: Reach::All,
        departments: Reach::All,
        expires_at: None,
    };
    let metadata = CommandMetadata {
        actor: "bench".into(),
        ..CommandMetadata::default()
    };
    let key = issued.issue(grant, metadata).await.unwrap();
    let tickets = Tickets::new(database.pool, Arc::new(SystemIds));
    Keys {
        identity: Identity::new(Secret::new(KEY.into()), None, issued, None, tickets),
        id: key.id,
        secret: *key.secret.bytes(),
    }
}

fn changed(secret: [u8; 32], at: std::ops::Range<usize>) -> [u8; 32] {
    let mut other = secret;
    other[at].iter_mut().for_each(|byte| *byte ^= 0x55);
    other
}

/// What is tried, the kind to compare with first.
fn issued(keys: &Keys) -> Vec<(&'static str, String)> {
    let text = |id, secret| KeySecret::new(id, secret).reveal().reveal().to_owned();
    let of = |range| text(keys.id, changed(keys.secret, range));
    vec![
        ("first byte wrong", of(0..1)),
        ("first byte wrong, again", of(0..1)),
        ("last byte wrong", of(31..32)),
        ("all bytes wrong", of(0..32)),
        ("never issued", text(Uuid::from_u128(7), keys.secret)),
    ]
}

fn of_settings() -> Vec<(&'static str, String)> {
    let wrong = |at: usize| {
        let mut bytes = KEY.as_bytes().to_vec();
        bytes[at] ^= 1;
        String::from_utf8(bytes).unwrap()
    };
    vec![
        ("first byte wrong", wrong(0)),
        ("first byte wrong, again", wrong(0)),
        ("last byte wrong", wrong(KEY.len() - 1)),
        ("all but one missing", KEY[..1].to_owned()),
    ]
}

async fn measure(identity: &Identity, kinds: &[(&str, String)], rounds: usize) -> Vec<Vec<f64>> {
    let mut times = vec![Vec::with_capacity(rounds); kinds.len()];
    for round in 0..rounds {
        for turn in 0..kinds.len() {
            // Another one first in each round.
            let kind = (turn + round) % kinds.len();
            let begun = Instant::now();
            assert!(identity.prove(&kinds[kind].1).await.is_err());
            let took = begun.elapsed().as_secs_f64() * 1e9;
            times[kind].push(took);
        }
    }
    times
}

/// The middle nine tenths: without interruptions and looks at the database.
fn middle(times: &[f64]) -> Vec<f64> {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let cut = sorted.len() / 20;
    sorted[cut..sorted.len() - cut].to_vec()
}

fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, variance)
}

fn report(kinds: &[(&str, String)], times: &[Vec<f64>]) {
    let base = middle(&times[0]);
    let (mean, variance) = mean_and_variance(&base);
    for ((name, _), times) in kinds.iter().zip(times) {
        let values = middle(times);
        let (other, spread) = mean_and_variance(&values);
        let error = (variance / base.len() as f64 + spread / values.len() as f64).sqrt();
        let median = values[values.len() / 2];
        let difference = median - base[base.len() / 2];
        println!(
            "{name:<26} {median:>10.0} {difference:>12.0} {:>8.1}",
            (other - mean) / error
        );
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rounds = std::env::var("KMRL_BENCH_ROUNDS").ok();
    let rounds = rounds.and_then(|s| s.parse().ok()).unwrap_or(20_000);
    let dir = support::TempDir::new("bench");
    let keys = keys(&dir).await;
    for (what, kinds) in [
        ("an issued key", issued(&keys)),
        ("the key of the settings", of_settings()),
    ] {
        println!(
            "{what:<26} {:>10} {:>12} {:>8}",
            "median ns", "difference", "Welch t"
        );
        let times = measure(&keys.identity, &kinds, rounds).await;
        report(&kinds, &times);
    }
}
