//! Real engines for tests: one PostgreSQL for a test program, a database of its own for each test.

#![allow(
    dead_code,
    missing_docs,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each test program uses a part of this, and a test may panic"
)]

pub mod certificates;
pub mod clamd;
pub mod disk;
pub mod gateway;
pub mod messages;
pub mod proxy;
pub mod s3;
pub mod scrape;

use kmrl_gateway::engines::{EngineOptions, Postgres};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Connection, PgConnection};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::OnceCell;

static POSTGRES: OnceCell<(Postgres, TempDir)> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(1);
/// Longest that a test waits for a condition. Generous: machines are shared.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A folder that goes away with its owner.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new(what: &str) -> Self {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("kmrl-{what}-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Removes what test programs left that are gone: what a program holds to its end is never dropped.
fn sweep() {
    let entries = std::fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let mut words = name.rsplit('-');
        let (_, pid) = (words.next(), words.next());
        let gone = pid
            .and_then(|pid| pid.parse::<u32>().ok())
            .is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists());
        if name.starts_with("kmrl-") && gone {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A figure of `/proc/PID/status` in bytes, such as `VmRSS`, the resident memory.
pub fn memory(pid: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name == field).then_some(value)
    });
    let kib: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib * 1_024
}

/// Where the engines of a test are.
pub fn engine_options(data_dir: &Path) -> EngineOptions {
    let from_env = |name| std::env::var_os(name).map(PathBuf::from);
    EngineOptions {
        data_dir: data_dir.into(),
        engines_dir: from_env("KMRL_ENGINES_DIR")
            .or_else(|| Some(Path::new(env!("CARGO_MANIFEST_DIR")).join(".engines"))),
        pg_bin: from_env("KMRL_PG_BIN"),
        nats_bin: from_env("KMRL_NATS_BIN"),
    }
}

/// Address of the test program's PostgreSQL, with a migrated template database.
pub async fn postgres_url() -> &'static str {
    let (postgres, _) = POSTGRES
        .get_or_init(|| async {
            sweep();
            let dir = TempDir::new("pg");
            let postgres = Postgres::start(&engine_options(dir.path())).await.unwrap();
            let mut admin = PgConnection::connect(postgres.database_url())
                .await
                .unwrap();
            sqlx::query("CREATE DATABASE template_kmrl")
                .execute(&mut admin)
                .await
                .unwrap();
            let pool = PgPool::connect(&with_database(postgres.database_url(), "template_kmrl"))
                .await
                .unwrap();
            kmrl_gateway::event_store::migrate(&pool).await.unwrap();
            pool.close().await;
            (postgres, dir)
        })
        .await;
    postgres.database_url()
}

/// Runs one of PostgreSQL's programs to its end; it must succeed.
pub fn postgres_program(name: &str, arguments: &[&str]) {
    let options = engine_options(&std::env::temp_dir());
    let folder = kmrl_gateway::engines::postgres_programs(&options).unwrap();
    let mut command = std::process::Command::new(folder.join(name));
    let output = command.args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
}

/// A database of the test's own.
pub struct TestDatabase {
    pub pool: PgPool,
    pub url: String,
}

impl TestDatabase {
    /// Runs statements as a superuser whom no trigger stops.
    pub async fn attack(&self, statements: &str) {
        let sql =
            format!("BEGIN; SET LOCAL session_replication_role = replica; {statements}; COMMIT");
        sqlx::raw_sql(&sql).execute(&self.pool).await.unwrap();
    }

    /// How many checkpoints have been signed.
    pub async fn checkpoints(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM log_checkpoints")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

/// A new migrated database.
pub async fn database() -> TestDatabase {
    clone_of("template_kmrl").await
}

/// A new empty database.
pub async fn empty_database() -> TestDatabase {
    clone_of("template0").await
}

async fn clone_of(template: &str) -> TestDatabase {
    let server = postgres_url().await;
    let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut admin = PgConnection::connect(server).await.unwrap();
    sqlx::query(&format!("CREATE DATABASE {name} TEMPLATE {template}"))
        .execute(&mut admin)
        .await
        .unwrap();
    let url = with_database(server, &name);
    let pool = PgPoolOptions::new()
        .max_connections(16)
        .connect(&url)
        .await
        .unwrap();
    TestDatabase { pool, url }
}

fn with_database(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

/// Waits until `check` gives something, looking often, at most [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    loop {
        ticks.tick().await;
        if let Some(value) = check().await {
            return value;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "did not happen in {PATIENCE:?}: {what}"
        );
    }
}
