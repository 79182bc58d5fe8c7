//! The same check after every fault: what the client was told holds, and the gateway's own checks
//! find nothing.

use crate::cast::Cast;
use crate::ledger::{ATTACHED, Ledger, MESSAGE, Sent, What};
use crate::support::gateway::{Gateway, World};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// What a fault may leave until it is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    Nothing,
    /// At least one object that no event names.
    Orphans,
    /// Maybe some: it cannot be told what was under way.
    Perhaps,
    /// A removal of bytes that was cut short.
    HalfRemoved,
}

/// Longest that work which was interrupted may take to end: a job whose message was lost again and
/// again waits up to 64 times the acknowledgement time (3 s here) to be published anew.
const SETTLING: Duration = Duration::from_secs(240);
const ORPHAN: &str = "no event names the object";
const HALF_REMOVED: &str = "the removal of the bytes was cut short";

/// Waits until all is settled, and checks everything.
pub async fn verify(cast: &Cast, ledger: &Ledger, leaves: Leaves) {
    settle(cast.api(), &cast.world, ledger).await;
    once(&cast.world, ledger).await;
    recorded(&cast.world, ledger).await;
    in_order(&cast.world).await;
    check(&cast.world, leaves);
    signed(cast.api(), &cast.world).await;
}

/// Every document in the log has ended, also those whose upload was not answered, and those that
/// came out of others meanwhile.
pub async fn settle(api: &Gateway, world: &World, ledger: &Ledger) {
    let mut known = uploaded(world).await;
    for id in ledger.documents() {
        assert!(known.contains(&id), "{id} was accepted and is not there");
    }
    let began = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let mut to_end = known.clone();
    while !to_end.is_empty() {
        for id in to_end {
            while !has_ended(api, &id).await {
                let waited = began.elapsed() < SETTLING;
                assert!(waited, "{id} does not end: {:?}", jobs(world).await);
                ticks.tick().await;
            }
        }
        let now = uploaded(world).await;
        to_end = now.difference(&known).cloned().collect();
        known = now;
    }
    if began.elapsed() > SETTLING / 8 {
        println!("settled after {:.0} s", began.elapsed().as_secs_f32());
    }
}

/// The documents in the log.
async fn uploaded(world: &World) -> HashSet<String> {
    let in_log: Vec<String> = sqlx::query_scalar(
        "SELECT aggregate_id FROM events \
         WHERE aggregate_type = 'document' AND event_type = 'Uploaded'",
    )
    .fetch_all(&world.database.pool)
    .await
    .unwrap();
    in_log.into_iter().collect()
}

async fn has_ended(api: &Gateway, id: &str) -> bool {
    let path = format!("/api/v1/documents/{id}");
    let Ok(answer) = api.get(&path).send().await else {
        return false;
    };
    let document: Value = answer.json().await.unwrap_or_default();
    let status = document["status"].as_str().unwrap_or_default();
    // What is withdrawn stays as it is.
    ["processed", "failed"].contains(&status) || document["withdrawal_reason"].is_string()
}

/// The jobs that are not over, for the message of a failure.
async fn jobs(world: &World) -> Vec<String> {
    let sql = "SELECT to_jsonb(j)::text FROM jobs j WHERE status IN ('queued', 'running')";
    let query = sqlx::query_scalar(sql).fetch_all(&world.database.pool);
    query.await.unwrap()
}

/// Each upload and command is in the log once, and each document has one end.
async fn once(world: &World, ledger: &Ledger) {
    type Row = (
        String,
        String,
        String,
        Option<String>,
        bool,
        Option<String>,
        Option<String>,
    );
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT aggregate_id, event_type, metadata ->> 'correlation_id', \
                payload -> 'reason' ->> 'code', payload ->> 'retry_at' IS NULL, \
                payload -> 'blob' ->> 'sha256', payload -> 'parent' ->> 'id' \
         FROM events WHERE aggregate_type = 'document' ORDER BY position",
    )
    .fetch_all(&world.database.pool)
    .await
    .unwrap();
    let mut made: HashMap<(&str, &str), Vec<&str>> = HashMap::new();
    let mut ends: HashMap<&str, u32> = HashMap::new();
    let mut withdrawn: HashSet<&str> = HashSet::new();
    let mut inside: HashMap<&str, Vec<&str>> = HashMap::new();
    for (id, kind, key, reason, is_last, _, parent) in &rows {
        match kind.as_str() {
            "Extracted" => *ends.entry(id).or_default() += 1,
            "Failed" => {
                assert!(reason.as_ref().is_some_and(|r| !r.is_empty()), "{id}");
                *ends.entry(id).or_default() += u32::from(*is_last);
            }
            "Uploaded" if parent.is_some() => {
                inside
                    .entry(parent.as_deref().unwrap())
                    .or_default()
                    .push(id);
            }
            "Uploaded" | "Corrected" | "Withdrawn" => {
                made.entry((kind, key)).or_default().push(id);
            }
            _ => {}
        }
        if kind == "Withdrawn" {
            assert!(withdrawn.insert(id), "{id} was withdrawn twice");
        }
    }
    for sent in &ledger.sent {
        let found = made.remove(&(event_of(sent), &sent.key));
        let found = found.unwrap_or_default();
        if let (What::Upload { name, .. }, Some(id)) = (&sent.what, &sent.id)
            && sent.accepted
        {
            let children = inside.remove(id.as_str()).unwrap_or_default();
            let expected = if name == MESSAGE { ATTACHED } else { 0 };
            assert_eq!(children.len(), expected, "{id}: {children:?}");
        }
        match (sent.accepted, &sent.id) {
            (true, Some(id)) => assert_eq!(found, [id], "{}", sent.key),
            _ => assert!(found.len() <= 1, "{}: {found:?}", sent.key),
        }
    }
    assert!(made.is_empty(), "nobody sent these: {made:?}");
    for (id, kind, ..) in &rows {
        if kind == "Uploaded" {
            let ended = ends.get(id.as_str()).copied().unwrap_or(0);
            let right = ended == 1 || ended == 0 && withdrawn.contains(id.as_str());
            assert!(right, "{id} has {ended} ends: {rows:#?}");
        }
    }
}

fn event_of(sent: &Sent) -> &'static str {
    match sent.what {
        What::Upload { .. } => "Uploaded",
        What::Correct => "Corrected",
        What::Withdraw => "Withdrawn",
    }
}

/// Every read that was answered has its record.
async fn recorded(world: &World, ledger: &Ledger) {
    let recorded: Vec<String> = sqlx::query_scalar(
        "SELECT r ->> 'request_id' FROM events e, json_array_elements(e.payload -> 'records') r \
         WHERE e.aggregate_type = 'access' AND r ->> 'request_id' IS NOT NULL",
    )
    .fetch_all(&world.database.pool)
    .await
    .unwrap();
    let recorded: HashSet<&str> = recorded.iter().map(String::as_str).collect();
    let lost: Vec<&String> = ledger
        .reads
        .iter()
        .filter(|id| !recorded.contains(id.as_str()))
        .collect();
    assert!(lost.is_empty(), "answered and not recorded: {lost:?}");
}

/// Positions have no hole, and times do not go back.
pub async fn in_order(world: &World) {
    let (count, last, backwards): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), max(position), count(*) FILTER (WHERE recorded_at < before) \
         FROM (SELECT position, recorded_at, \
                      lag(recorded_at) OVER (ORDER BY position) AS before FROM events) e",
    )
    .fetch_one(&world.database.pool)
    .await
    .unwrap();
    assert_eq!((count, backwards), (last, 0));
}

/// `check` finds nothing but what the fault may leave; once that is mended, nothing at all.
pub fn check(world: &World, leaves: Leaves) {
    if leaves != Leaves::Nothing {
        let (_, found) = run(world, &["--grace", "0"]);
        let expected = |problem: &str| match leaves {
            Leaves::HalfRemoved => [ORPHAN, HALF_REMOVED].contains(&problem),
            _ => problem == ORPHAN,
        };
        let is_expected = |d: &Value| d["problem"].as_str().is_some_and(expected);
        assert!(found.iter().all(is_expected), "{found:?}");
        assert!(leaves == Leaves::Perhaps || !found.is_empty(), "no orphan");
        let (well, left) = run(world, &["--grace", "0", "--repair"]);
        assert!(well, "{left:?}");
    }
    let (well, found) = run(world, &["--grace", "0", "--deep"]);
    assert!(well && found.is_empty(), "{found:?}");
}

fn run(world: &World, arguments: &[&str]) -> (bool, Vec<Value>) {
    let output = world.tool(&[&["check", "--json"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let differences = report["differences"].as_array().unwrap().clone();
    (output.status.success(), differences)
}

/// A signed checkpoint covers the log, and the log is as it was signed.
async fn signed(api: &Gateway, world: &World) {
    let head: i64 = sqlx::query_scalar("SELECT position FROM es_head")
        .fetch_one(&world.database.pool)
        .await
        .unwrap();
    api.covering_checkpoint(head).await;
    let output = world.tool(&["audit", "verify"]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
}
