//! Nothing lost, nothing doubled: processes and engines go away in the middle and come back.

use crate::harness::{Gateway, World, signal};
use crate::support::eventually;
use serde_json::Value;
use std::collections::HashMap;

/// Every accepted document ended processed, with exactly one outcome.
async fn all_processed_once(gateway: &Gateway, ids: &[String]) {
    for id in ids {
        let document = gateway.finished(id).await;
        assert_eq!(document["status"], "processed", "{document}");
        let log = gateway
            .json(&format!("/api/v1/events?document_id={id}&limit=100"))
            .await;
        let mut types: HashMap<&str, usize> = HashMap::new();
        for event in log["events"].as_array().unwrap() {
            *types
                .entry(event["event_type"].as_str().unwrap())
                .or_default() += 1;
        }
        assert_eq!(types["Uploaded"], 1, "{log}");
        assert_eq!(types["Extracted"], 1, "{log}");
    }
}

async fn upload_many(gateway: &Gateway, count: usize, tag: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        let document = gateway
            .upload(&format!("{tag}-{n}.txt"), format!("{tag} {n}"))
            .await;
        ids.push(document["id"].as_str().unwrap().to_owned());
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_middle_of_a_job_loses_nothing() {
    let world = World::new().await;
    let front = world.start_roles("api,relay,projector");
    let worker = world.start_roles("worker");
    // Many pages keep the worker busy long enough to be caught in the middle.
    let pages: Vec<String> = (0..2_000)
        .map(|n| format!("Page {n} of the manual"))
        .collect();
    let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
    let id = front
        .upload("manual.pdf", kmrl_extraction::fixtures::pdf(&pages))
        .await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    eventually("the worker has begun", || async {
        let d = front
            .json(&format!("/api/v1/documents/{id}?min_position=1"))
            .await;
        (d["status"] == "processing").then_some(())
    })
    .await;
    worker.kill();
    let others = upload_many(&front, 5, "after-kill").await;
    let _second = world.start_roles("worker");
    all_processed_once(&front, &others).await;
    all_processed_once(&front, &[id]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_everything_and_the_next_start_finishes_what_was_under_way() {
    let world = World::new().await;
    let first = world.start();
    let ids = upload_many(&first, 20, "before").await;
    first.kill();
    let second = world.start();
    all_processed_once(&second, &ids).await;
    let list = second.json("/api/v1/documents/?limit=100").await;
    assert_eq!(list["total"], 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_restarted_with_its_store_deleted() {
    let world = World::new().await;
    let gateway = world.start();
    let before = upload_many(&gateway, 5, "before").await;
    world.nats.kill().await.unwrap();
    // Uploads do not need NATS: they are accepted while it is away.
    let during = upload_many(&gateway, 5, "during").await;
    world.nats.restart_empty().await.unwrap();
    let after = upload_many(&gateway, 5, "after").await;
    all_processed_once(&gateway, &[before, during, after].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn local_blob_store_unreachable_for_a_while() {
    let world = World::new().await;
    let front = world.start_roles("api,relay,projector");
    let worker = world.start_roles("worker");
    // Held still, so that the store is away before it looks.
    signal(worker.pid(), "STOP");
    let ids = upload_many(&front, 3, "blob").await;
    let (there, away) = (
        world.data.path().join("blobs"),
        world.data.path().join("away"),
    );
    std::fs::rename(&there, &away).unwrap();
    std::fs::write(&there, "not a folder").unwrap();
    let refused = front.upload_request("x.txt", "x").send().await.unwrap();
    crate::harness::expect_problem(refused, 503, "storage-unavailable").await;
    signal(worker.pid(), "CONT");
    a_worker_has_tried(&world).await;
    std::fs::remove_file(&there).unwrap();
    std::fs::rename(&away, &there).unwrap();
    all_processed_once(&front, &ids).await;
}

async fn a_worker_has_tried(world: &World) {
    eventually("a worker has tried", || async {
        let tried: i64 =
            sqlx::query_scalar("SELECT count(*) FROM jobs WHERE attempt > 0 OR excused > 0")
                .fetch_one(&world.database.pool)
                .await
                .unwrap();
        (tried > 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_unreachable_for_a_while() {
    let mut s3 = crate::support::s3::S3Server::start().await;
    let world = World::with(&[
        ("S3_BUCKET", "documents"),
        ("S3_ENDPOINT", &s3.endpoint),
        ("AWS_ACCESS_KEY_ID", &s3.access_key),
        ("AWS_SECRET_ACCESS_KEY", &s3.secret_key),
    ])
    .await;
    let front = world.start_roles("api,relay,projector");
    let worker = world.start_roles("worker");
    signal(worker.pid(), "STOP");
    let ids = upload_many(&front, 3, "s3").await;
    s3.kill();
    let refused = front.upload_request("x.txt", "x").send().await.unwrap();
    crate::harness::expect_problem(refused, 503, "storage-unavailable").await;
    signal(worker.pid(), "CONT");
    a_worker_has_tried(&world).await;
    s3.restart().await;
    all_processed_once(&front, &ids).await;
    let bytes = front
        .get(&format!("/api/v1/documents/{}/download", ids[0]))
        .send()
        .await
        .unwrap();
    assert_eq!(bytes.text().await.unwrap(), "s3 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_restarted_under_load() {
    // A server of its own: other tests share the program's.
    let dir = crate::support::TempDir::new("own-pg");
    let postgres =
        kmrl_gateway::engines::Postgres::start(&crate::support::engine_options(dir.path()))
            .await
            .unwrap();
    let mut world = World::new().await;
    world.database.url = postgres.database_url().to_owned();
    world
        .settings
        .push(("KMRL_TEST_OWN_DATABASE".into(), "1".into()));
    migrate(&world);
    let gateway = world.start();
    let mut ids = upload_many(&gateway, 10, "before").await;
    postgres.kill().await.unwrap();
    // While it is away an upload is refused for now, and nothing of it is accepted.
    let refused = gateway
        .upload_request("during.txt", "during")
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 503);
    postgres.restart().await.unwrap();
    let accepted = eventually("uploads are accepted again", || async {
        let answer = gateway
            .upload_request("after.txt", "after")
            .send()
            .await
            .unwrap();
        (answer.status() == 202).then_some(answer)
    })
    .await;
    let document: Value = accepted.json().await.unwrap();
    ids.push(document["id"].as_str().unwrap().to_owned());
    all_processed_once(&gateway, &ids).await;
}

fn migrate(world: &World) {
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_kmrl-gateway"))
        .arg("migrate")
        .env("DATABASE_URL", &world.database.url)
        .env("NATS_URL", world.nats.nats_url())
        .env("KMRL_DATA_DIR", world.data.path())
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extraction_process_killed_in_the_middle_is_tried_again() {
    // None made ahead, so that the one that is there is at work.
    let world = World::with(&[("KMRL_EXTRACTION_READY", "0")]).await;
    let gateway = world.start();
    let pages: Vec<String> = (0..2_000).map(|n| format!("Page {n}")).collect();
    let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
    let id = gateway
        .upload("long.pdf", kmrl_extraction::fixtures::pdf(&pages))
        .await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let child = eventually("the extraction process is there", || async {
        child_of(gateway.pid())
    })
    .await;
    signal(child, "KILL");
    let document = gateway.finished(&id).await;
    assert_eq!(document["status"], "processed", "{document}");
    assert_eq!(document["attempt"], 2);
}

/// A process whose parent is `parent`, from /proc.
fn child_of(parent: u32) -> Option<u32> {
    std::fs::read_dir("/proc").ok()?.find_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let after_name = stat.rsplit_once(')')?.1;
        let ppid: u32 = after_name.split_whitespace().nth(1)?.parse().ok()?;
        (ppid == parent).then_some(pid)
    })
}
