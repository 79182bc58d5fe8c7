//! The embedded engines, run for real: started, killed, started again, and never outliving the
//! program that started them. Needs PostgreSQL and nats-server (`make engines`).

#![cfg(test)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use kmrl_gateway::engines::{self, EngineError, EngineOptions, Nats, Postgres};
use sqlx::Connection as _;

const HOLD_FOLDER: &str = "ENGINES_TEST_HOLD";
const PATIENCE: Duration = Duration::from_secs(60);

fn options(data_dir: &Path) -> EngineOptions {
    let engines_dir = std::env::var_os("KMRL_ENGINES_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(".engines"),
        PathBuf::from,
    );
    EngineOptions {
        data_dir: data_dir.to_owned(),
        engines_dir: Some(engines_dir),
        pg_bin: std::env::var_os("KMRL_PG_BIN").map(PathBuf::from),
        nats_bin: std::env::var_os("KMRL_NATS_BIN").map(PathBuf::from),
    }
}

/// Calls `probe` until it answers something, within a limit.
async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    let mut poll = tokio::time::interval(Duration::from_millis(20));
    loop {
        poll.tick().await;
        if let Some(found) = probe().await {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "{what} did not come about within {PATIENCE:?}"
        );
    }
}

async fn query_one(url: &str, sql: &str) -> Result<i64, sqlx::Error> {
    let mut connection = sqlx::PgConnection::connect(url).await?;
    let answer = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
    connection.close().await?;
    answer
}

async fn execute(url: &str, sql: &str) {
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::query(sql).execute(&mut connection).await.unwrap();
}

async fn nats_client(nats: &Nats) -> async_nats::Client {
    let server: async_nats::ServerAddr = nats.nats_url().parse().unwrap();
    async_nats::ConnectOptions::with_user_and_password(
        server.username().unwrap().to_owned(),
        server.password().unwrap().to_owned(),
    )
    .connect(server)
    .await
    .unwrap()
}

fn is_running(pid: u32) -> bool {
    // A process that has ended and was not reaped yet still has a status, and says so there.
    std::fs::read_to_string(format!("/proc/{pid}/status"))
        .is_ok_and(|status| !status.contains("State:\tZ"))
}

fn kill(pid: u32) {
    let killed = Command::new("sh")
        .args(["-c", "kill -9 $0", &pid.to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
}

#[tokio::test]
async fn both_engines_start_serve_and_stop() {
    let folder = tempfile::tempdir().unwrap();
    let engines = engines::start(&options(folder.path())).await.unwrap();
    let pids = engines.pids();
    assert_eq!(pids.len(), 2);
    assert_eq!(
        query_one(engines.database_url(), "SELECT 1::bigint")
            .await
            .unwrap(),
        1
    );
    nats_client(engines.nats()).await.flush().await.unwrap();

    let second = engines::start(&options(folder.path())).await;
    assert!(
        matches!(second, Err(EngineError::Locked { .. })),
        "{second:?}"
    );

    engines.stop().await.unwrap();
    assert!(!pids.into_iter().any(is_running));
}

#[tokio::test]
async fn postgres_is_private_durable_and_in_unicode_order_of_code_points() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = Postgres::start(&options(folder.path())).await.unwrap();
    let url = postgres.database_url();
    for (setting, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("server_encoding", "UTF8"),
        ("password_encryption", "scram-sha-256"),
    ] {
        let sql = format!("SELECT (current_setting('{setting}') = '{value}')::int::bigint");
        assert_eq!(query_one(url, &sql).await.unwrap(), 1, "{setting}");
    }
    assert_eq!(
        query_one(url, "SELECT ('Z' < 'a')::int::bigint")
            .await
            .unwrap(),
        1
    );

    let (scheme_and_user, rest) = url.split_once(":k").unwrap();
    let (_, address) = rest.split_once('@').unwrap();
    let wrong = format!("{scheme_and_user}:wrong@{address}");
    assert!(query_one(&wrong, "SELECT 1::bigint").await.is_err());
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn postgres_comes_back_with_its_data_after_every_kind_of_end() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = Postgres::start(&options(folder.path())).await.unwrap();
    let url = postgres.database_url().to_owned();
    let count = "SELECT count(*) FROM kept";
    execute(&url, "CREATE TABLE kept AS SELECT 1 AS a").await;

    postgres.restart().await.unwrap();
    assert_eq!(query_one(&url, count).await.unwrap(), 1);

    execute(&url, "INSERT INTO kept VALUES (2)").await;
    postgres.kill().await.unwrap();
    assert!(query_one(&url, count).await.is_err());
    postgres.restart().await.unwrap();
    assert_eq!(query_one(&url, count).await.unwrap(), 2);

    execute(&url, "INSERT INTO kept VALUES (3)").await;
    let crashed = postgres.pid().unwrap();
    kill(crashed);
    let rows = eventually("a start by the supervisor", async || {
        query_one(&url, count).await.ok()
    });
    assert_eq!(rows.await, 3);
    assert_ne!(postgres.pid(), Some(crashed));
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn nats_clients_reconnect_to_the_same_port_and_a_wiped_store_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let nats = Nats::start(&options(folder.path())).await.unwrap();
    let client = nats_client(&nats).await;
    let jetstream = async_nats::jetstream::new(client.clone());
    let jobs = async_nats::jetstream::stream::Config {
        name: "JOBS".into(),
        subjects: vec!["jobs.>".into()],
        ..Default::default()
    };
    jetstream.create_stream(jobs.clone()).await.unwrap();
    jetstream
        .publish("jobs.one", "1".into())
        .await
        .unwrap()
        .await
        .unwrap();
    let messages = async || {
        let mut stream = jetstream.get_stream("JOBS").await.ok()?;
        Some(stream.info().await.ok()?.state.messages)
    };

    nats.kill().await.unwrap();
    nats.restart().await.unwrap();
    assert_eq!(eventually("a reconnect after a kill", messages).await, 1);

    kill(nats.pid().unwrap());
    assert_eq!(eventually("a start by the supervisor", messages).await, 1);

    nats.restart_empty().await.unwrap();
    let names = async || {
        let names: Vec<_> = jetstream.stream_names().collect().await;
        names.into_iter().collect::<Result<Vec<String>, _>>().ok()
    };
    assert_eq!(
        eventually("a reconnect after a wipe", names).await,
        Vec::<String>::new()
    );
    nats.stop().await.unwrap();
}

#[tokio::test]
async fn nats_refuses_a_client_without_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let nats = Nats::start(&options(folder.path())).await.unwrap();
    let (_, address) = nats.nats_url().split_once('@').unwrap();
    assert!(async_nats::connect(address).await.is_err());
    nats.stop().await.unwrap();
}

#[tokio::test]
async fn an_engine_that_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = EngineOptions {
        pg_bin: Some("/nowhere".into()),
        ..options(folder.path())
    };
    let missing = Postgres::start(&nowhere).await.unwrap_err();
    assert!(missing.to_string().contains("/nowhere"), "{missing}");

    std::fs::create_dir(folder.path().join("postgres")).unwrap();
    let lost = Postgres::start(&options(folder.path())).await.unwrap_err();
    assert!(matches!(lost, EngineError::PasswordLost { .. }), "{lost}");

    std::fs::write(folder.path().join("postgres.password"), "secret").unwrap();
    let broken = Postgres::start(&options(folder.path())).await.unwrap_err();
    assert!(
        matches!(&broken, EngineError::EndedEarly { log, .. } if !log.is_empty()),
        "{broken}"
    );
}

#[tokio::test]
async fn a_creation_cut_short_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let half = folder.path().join("postgres.new");
    std::fs::create_dir(&half).unwrap();
    std::fs::write(half.join("PG_VERSION"), "half").unwrap();
    let postgres = Postgres::start(&options(folder.path())).await.unwrap();
    assert!(!half.exists());
    postgres.stop().await.unwrap();
}

/// What the program does that the next test starts and kills.
async fn hold_engines_until_killed(folder: &Path) {
    let engines = engines::start(&options(folder)).await.unwrap();
    let pids: Vec<String> = engines.pids().iter().map(u32::to_string).collect();
    println!("\npids {}", pids.join(" "));
    std::future::pending::<()>().await;
}

fn spawn_holder(folder: &Path) -> (Child, Vec<u32>) {
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "the_engines_end_with_a_killed_program",
            "--nocapture",
        ])
        .env(HOLD_FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = BufReader::new(holder.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
        .find(|line| line.starts_with("pids "))
        .unwrap();
    let pids = line
        .split(' ')
        .skip(1)
        .map(|pid| pid.parse().unwrap())
        .collect();
    (holder, pids)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_engines_end_with_a_killed_program() {
    if let Some(folder) = std::env::var_os(HOLD_FOLDER) {
        hold_engines_until_killed(Path::new(&folder)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut holder, pids) = spawn_holder(folder.path());
    assert!(pids.iter().all(|pid| is_running(*pid)));
    holder.kill().unwrap();
    holder.wait().unwrap();
    // At once, while the old engines may still be ending: the folder must be free.
    let engines = engines::start(&options(folder.path())).await.unwrap();
    assert!(!pids.iter().any(|pid| is_running(*pid)));
    assert_eq!(
        query_one(engines.database_url(), "SELECT 1::bigint")
            .await
            .unwrap(),
        1
    );
    engines.stop().await.unwrap();

    let (mut holder, pids) = spawn_holder(folder.path());
    holder.kill().unwrap();
    holder.wait().unwrap();
    let gone = async || (!pids.iter().any(|pid| is_running(*pid))).then_some(());
    eventually("the end of the engines", gone).await;
}
