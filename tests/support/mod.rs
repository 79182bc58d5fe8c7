//! A real PostgreSQL for the tests: one server a test program, one database a test.
//!
//! The server is the one that `KMRL_TEST_DATABASE_URL` names or, without it, a throw-away one that
//! ends with the test program. Each database is cloned from a migrated template.

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::OnceCell;

/// A migrated database of one test.
pub struct TestDatabase {
    /// Connections to it.
    pub pool: PgPool,
    /// Its address.
    #[allow(dead_code, reason = "not every test program connects by itself")]
    pub url: String,
}

/// A new migrated database.
pub async fn database() -> TestDatabase {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let template = TEMPLATE.get_or_init(template).await;
    let name = format!("{template}_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let mut admin = admin().await;
    let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
    admin.execute(sql.as_str()).await.unwrap();
    let options = PgConnectOptions::from_str(&postgres_url()).unwrap();
    let pool = PgPoolOptions::new()
        .max_connections(5)
        .connect_with(options.database(&name))
        .await
        .unwrap();
    let url = postgres_url().replace("/postgres?", &format!("/{name}?"));
    TestDatabase { pool, url }
}

async fn template() -> String {
    let name = format!("kmrl_test_{}", std::process::id());
    let mut admin = admin().await;
    admin
        .execute(format!("CREATE DATABASE {name}").as_str())
        .await
        .unwrap();
    let options = PgConnectOptions::from_str(&postgres_url()).unwrap();
    let mut connection = PgConnection::connect_with(&options.database(&name))
        .await
        .unwrap();
    sqlx::migrate!().run_direct(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    name
}

async fn admin() -> PgConnection {
    let url = postgres_url();
    tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            match PgConnection::connect(&url).await {
                Ok(connection) => return connection,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await
    .unwrap()
}

/// The address of the server's database `postgres`.
pub fn postgres_url() -> String {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| std::env::var("KMRL_TEST_DATABASE_URL").unwrap_or_else(|_| start()))
        .clone()
}

/// Starts a server on a socket in a new folder. A shell waits for the end of this program, which
/// closes its input, then stops the server and removes the folder.
fn start() -> String {
    let folder = std::env::temp_dir().join(format!("kmrl-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if root {
        std::os::unix::fs::chown(&folder, Some(65534), Some(65534)).unwrap();
    }
    // PostgreSQL refuses to run as root.
    let user = if root {
        "setpriv --reuid=65534 --regid=65534 --clear-groups"
    } else {
        ""
    };
    let (bin, dir) = (binaries(), folder.display().to_string());
    let bin = bin.display();
    let script = format!(
        "{user} {bin}/initdb -D {dir}/data -U kmrl -A trust -E UTF8 --locale=C.UTF-8 -N \
            >{dir}/log 2>&1 || exit 1; \
         {user} {bin}/postgres -D {dir}/data -c listen_addresses= -c unix_socket_directories={dir} \
            -c max_connections=200 -c fsync=off >>{dir}/log 2>&1 </dev/null & \
         server=$!; echo started; cat >/dev/null; kill -INT $server; wait $server; rm -rf {dir}"
    );
    let mut shell = Command::new("sh")
        .args(["-c", &script])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = std::io::BufReader::new(shell.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    assert_eq!(line, "started\n", "no server: see {dir}/log");
    std::mem::forget(shell); // Its input stays open until this program ends.
    format!("postgres://kmrl@localhost/postgres?host={dir}")
}

fn binaries() -> PathBuf {
    let mut versions: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin: &PathBuf| Path::exists(&bin.join("initdb")))
        .collect();
    versions.sort();
    versions.pop().unwrap()
}
