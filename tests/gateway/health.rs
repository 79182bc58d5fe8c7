//! Each probe turned red by stopping the real thing, and back.

use crate::harness::{Gateway, World, expect_problem};
use crate::support::clamd::Clamd;
use crate::support::disk::SmallDisk;
use crate::support::s3::S3Server;
use crate::support::{TempDir, TestDatabase, engine_options, eventually};
use kmrl_gateway::engines::Postgres;
use reqwest::StatusCode;
use serde_json::Value;
use sqlx::PgPool;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

async fn report(gateway: &Gateway) -> Value {
    let answer = gateway.get("/health/detailed").send().await.unwrap();
    answer.json().await.unwrap()
}

fn component(report: &Value, name: &str) -> Option<Value> {
    let all = report["components"].as_array().unwrap();
    all.iter().find(|c| c["name"] == name).cloned()
}

/// Waits until a component is as it should be, and gives the report.
async fn turns(gateway: &Gateway, name: &str, status: &str) -> Value {
    eventually(&format!("{name} turns {status}"), || async {
        let report = report(gateway).await;
        let found = component(&report, name)?;
        (found["status"] == status).then_some(report)
    })
    .await
}

async fn is_ready(gateway: &Gateway) -> bool {
    let answer = gateway.get("/health/ready").send().await.unwrap();
    answer.status() == StatusCode::OK
}

#[tokio::test(flavor = "multi_thread")]
async fn each_engine_stopped_turns_its_probe_red_and_back() {
    let dir = TempDir::new("own-pg");
    let postgres = Postgres::start(&engine_options(dir.path())).await.unwrap();
    let url = postgres.database_url().to_owned();
    let pool = PgPool::connect(&url).await.unwrap();
    kmrl_gateway::event_store::migrate(&pool).await.unwrap();
    let (mut s3, mut clamd) = (S3Server::start().await, Clamd::start().await);
    let mut world = World::on(TestDatabase { pool, url }).await;
    world.settings = [
        ("S3_BUCKET", "documents"),
        ("S3_ENDPOINT", s3.endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", s3.access_key.as_str()),
        ("AWS_SECRET_ACCESS_KEY", s3.secret_key.as_str()),
        ("KMRL_CLAMD_ADDRESS", clamd.address().as_str()),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .to_vec();
    let gateway = world.start();
    for name in ["postgresql", "object_store", "jetstream", "clamd"] {
        turns(&gateway, name, "up").await;
    }

    s3.kill();
    let red = turns(&gateway, "object_store", "down").await;
    assert_eq!(red["status"], "degraded");
    assert!(is_ready(&gateway).await, "lists and texts are served");
    s3.restart().await;
    turns(&gateway, "object_store", "up").await;

    world.nats.kill().await.unwrap();
    let red = turns(&gateway, "jetstream", "down").await;
    assert_eq!(red["status"], "degraded");
    world.nats.restart().await.unwrap();
    turns(&gateway, "jetstream", "up").await;

    clamd.stop();
    let red = turns(&gateway, "clamd", "down").await;
    assert_eq!(red["status"], "degraded");
    assert!(is_ready(&gateway).await, "reads need no scanner");
    let upload = gateway.upload_request("a.txt", "a").send().await.unwrap();
    expect_problem(upload, 503, "inspector-unavailable").await;
    gateway.json("/api/v1/documents/").await;
    clamd.restart().await;
    turns(&gateway, "clamd", "up").await;

    postgres.kill().await.unwrap();
    let red = turns(&gateway, "postgresql", "down").await;
    assert_eq!(red["status"], "unhealthy");
    assert!(!is_ready(&gateway).await);
    let live = gateway.get("/health/live").send().await.unwrap();
    assert_eq!(
        live.status(),
        StatusCode::OK,
        "a restart would mend nothing"
    );
    postgres.restart().await.unwrap();
    turns(&gateway, "postgresql", "up").await;
    eventually("all is well again", || async {
        (report(&gateway).await["status"] != "unhealthy").then_some(())
    })
    .await;
    assert!(is_ready(&gateway).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_falls_behind_the_log_turns_red_and_back() {
    let world = World::with(&[
        ("KMRL_HEALTH_LAG", "1"),
        ("KMRL_HEALTH_QUEUE_WAIT", "1"),
        ("KMRL_LOG_CHECKPOINT_EVERY", "1"),
    ])
    .await;
    let gateway = world.start_roles("api,relay,projector");
    let locks = [
        (
            "projections",
            "SELECT 1 FROM projections WHERE name = 'statistics' FOR UPDATE",
        ),
        (
            "relay",
            "SELECT 1 FROM log_cursors WHERE name = 'relay' FOR UPDATE",
        ),
        // The notary's, "kmrl note".
        (
            "notary",
            "SELECT pg_advisory_xact_lock(x'6b6d726c6e6f7465'::bigint)",
        ),
    ];
    for (name, lock) in locks {
        turns(&gateway, name, "up").await;
        let mut held = world.database.pool.begin().await.unwrap();
        sqlx::query(lock).execute(&mut *held).await.unwrap();
        gateway.upload(&format!("{name}.txt"), name).await;
        let red = turns(&gateway, name, "degraded").await;
        assert_eq!(red["status"], "degraded");
        let detail = component(&red, name).unwrap()["detail"].to_string();
        assert!(detail.contains("behind"), "{detail}");
        assert!(is_ready(&gateway).await);
        held.rollback().await.unwrap();
        turns(&gateway, name, "up").await;
    }
    // Nobody works on the documents.
    let red = turns(&gateway, "queue", "degraded").await;
    let waiting = red["figures"]["queue"].as_array().unwrap().iter();
    let jobs: i64 = waiting
        .filter(|f| f["state"] == "waiting")
        .map(|f| f["jobs"].as_i64().unwrap())
        .sum();
    assert_eq!(jobs, 3);
    let _worker = world.start_roles("worker");
    turns(&gateway, "queue", "up").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_used_up_turns_red_and_back() {
    let world = World::with(&[("KMRL_DATABASE_MAX_CONNECTIONS", "4")]).await;
    let gateway = world.start_roles("api,relay,projector");
    turns(&gateway, "pool", "up").await;
    let mut held = world.database.pool.begin().await.unwrap();
    for lock in [
        "SELECT 1 FROM projections FOR UPDATE",
        "SELECT 1 FROM log_cursors FOR UPDATE",
    ] {
        sqlx::query(lock).execute(&mut *held).await.unwrap();
    }
    // Relay and both loops of the projector wait now, each with a connection.
    gateway.upload("a.txt", "a").await;
    sqlx::query("SELECT 1 FROM es_head FOR UPDATE")
        .execute(&mut *held)
        .await
        .unwrap();
    // And so does the writer.
    let last = gateway.upload_request("b.txt", "b").send();
    let last = tokio::spawn(last);
    turns(&gateway, "pool", "down").await;
    assert!(!is_ready(&gateway).await, "nothing can be served");
    held.rollback().await.unwrap();
    turns(&gateway, "pool", "up").await;
    assert!(is_ready(&gateway).await);
    assert_eq!(last.await.unwrap().unwrap().status(), StatusCode::ACCEPTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_turns_red_and_back() {
    let world = World::with(&[("KMRL_HEALTH_DISK_FREE_BYTES", "8000000")]).await;
    let Some(_disk) = SmallDisk::mount(world.data.path(), "16m") else {
        println!("SKIPPED, NOT TESTED: a full disk. Mounting a small one needs root.");
        return;
    };
    let gateway = world.start();
    turns(&gateway, "disk", "up").await;
    let filler = world.data.path().join("filler");
    std::fs::write(&filler, vec![0; 10_000_000]).unwrap();
    let red = turns(&gateway, "disk", "degraded").await;
    assert_eq!(red["status"], "degraded");
    assert!(red["figures"]["disk"]["free"].as_i64().unwrap() < 8_000_000);
    std::fs::remove_file(&filler).unwrap();
    turns(&gateway, "disk", "up").await;
    drop(gateway);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_another_time_turns_the_clock_red_and_back() {
    let world = World::new().await;
    // The database tells a time that can be moved: a function before the system's own.
    let statements = "CREATE SCHEMA moved; CREATE TABLE moved.by (span interval NOT NULL);
        INSERT INTO moved.by VALUES ('0');
        CREATE FUNCTION moved.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
            'SELECT pg_catalog.clock_timestamp() + span FROM moved.by';
        DO $$ BEGIN EXECUTE format(
            'ALTER DATABASE %I SET search_path = moved, pg_catalog, public', current_database());
        END $$";
    world.as_superuser(statements).await;
    let gateway = world.start();
    turns(&gateway, "clock", "up").await;
    world
        .as_superuser("UPDATE moved.by SET span = '-10 s'")
        .await;
    let red = turns(&gateway, "clock", "degraded").await;
    let detail = component(&red, "clock").unwrap()["detail"].to_string();
    assert!(detail.contains("10.0 s ahead"), "{detail}");
    let ahead = red["figures"]["clock_ahead_seconds"].as_f64().unwrap();
    assert!((9.0..11.0).contains(&ahead), "{ahead}");
    world.as_superuser("UPDATE moved.by SET span = '0'").await;
    turns(&gateway, "clock", "up").await;
}

/// The same program in a file of its own, which may be changed.
fn own_program(world: &World, roles: &str) -> (Command, std::path::PathBuf) {
    let usual = world.command(roles);
    let program = world.data.path().join("program");
    std::fs::copy(usual.get_program(), &program).unwrap();
    let mut command = Command::new(&program);
    command.args(usual.get_args());
    for (name, value) in usual.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped());
    (command, program)
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_cannot_be_started_turn_the_jail_red_and_back() {
    let world = World::with(&[("KMRL_HEALTH_JAIL_EVERY", "1")]).await;
    let (command, program) = own_program(&world, "api,relay,projector,worker");
    let gateway = Gateway::spawn(command);
    let tried = eventually("the jail was tried", || async {
        let found = component(&report(&gateway).await, "jail")?;
        (found["status"] != "down").then_some(found)
    })
    .await;
    let mode = |mode| std::fs::set_permissions(&program, PermissionsExt::from_mode(mode)).unwrap();
    mode(0o600);
    let red = turns(&gateway, "jail", "down").await;
    assert_ne!(red["status"], "healthy");
    assert!(is_ready(&gateway).await);
    mode(0o700);
    turns(&gateway, "jail", tried["status"].as_str().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_tesseract_turns_recognition_red_and_back() {
    let world = World::new().await;
    let link = world.data.path().join("tesseract");
    let found = Command::new("sh")
        .args(["-c", "command -v tesseract"])
        .output()
        .unwrap();
    let program = String::from_utf8(found.stdout).unwrap();
    let there = || std::os::unix::fs::symlink(program.trim(), &link).unwrap();
    there();
    let mut command = world.command("api,relay,projector,worker");
    command
        .env("KMRL_OCR_PROGRAM", &link)
        .env("KMRL_HEALTH_JAIL_EVERY", "1");
    let gateway = Gateway::spawn(command);
    turns(&gateway, "recognition", "up").await;
    std::fs::remove_file(&link).unwrap();
    let red = turns(&gateway, "recognition", "degraded").await;
    assert_eq!(red["status"], "degraded");
    there();
    turns(&gateway, "recognition", "up").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_health_calls_costs_one_round_a_second() {
    let world = World::new().await;
    let gateway = world.start_roles("api,relay,projector");
    let rounds = async || {
        let text = gateway.get("/metrics").send().await.unwrap().text().await;
        let text = text.unwrap();
        let line = text
            .lines()
            .find(|l| l.starts_with("kmrl_health_rounds_total "));
        line.unwrap()
            .rsplit(' ')
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let (before, begun) = (rounds().await, tokio::time::Instant::now());
    for _ in 0..10 {
        let calls = (0..100).map(|n| {
            let path = ["/health", "/health/ready", "/health/detailed"][n % 3];
            gateway.get(path).send()
        });
        for answer in futures::future::join_all(calls).await {
            assert!(answer.unwrap().status().is_success());
        }
    }
    let seconds = begun.elapsed().as_secs();
    let done = rounds().await - before;
    assert!(done <= seconds + 2, "{done} rounds in {seconds} s");
}
