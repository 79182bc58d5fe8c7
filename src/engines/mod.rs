//! The embedded PostgreSQL and nats-server, for when nobody names others.
//!
//! Owns their whole life: finding the programs, creating what they need in the data folder,
//! starting them on loopback with generated secrets, starting them again when they end, stopping
//! them in order, and their end when this process ends in whatever way. Must not know what the
//! gateway keeps in them.

mod connection;
mod error;
mod find;
mod identity;
mod log_file;
mod nats;
mod port;
mod postgres;
mod process;
mod secret;
mod spawn;
mod supervisor;

use std::path::{Path, PathBuf};

pub use connection::{Connection, DataLock, read_connection, write_connection};
pub use error::EngineError;
pub use nats::Nats;
pub use port::free_port;
pub use postgres::Postgres;
pub use spawn::spawn_tied;

/// How often a start is tried on another port, when one was taken in between.
const PORT_TRIES: usize = 4;

#[cfg(target_os = "linux")]
const LOCALE: &str = "C.UTF-8";
#[cfg(target_os = "linux")]
const INITDB_LOCALE: &[&str] = &["--locale=C.UTF-8"];
/// macOS has no such locale before version 15: sort by code point there too, and know the letters.
#[cfg(not(target_os = "linux"))]
const LOCALE: &str = "en_US.UTF-8";
#[cfg(not(target_os = "linux"))]
const INITDB_LOCALE: &[&str] = &["--locale=C", "--lc-ctype=en_US.UTF-8"];

/// Where the engines keep their data and where their programs are.
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// Folder of clusters, stores, logs and secrets; created if absent.
    pub data_dir: PathBuf,
    /// Folder with programs to use when the system has none (`make engines` fills one).
    pub engines_dir: Option<PathBuf>,
    /// Folder of the `postgres` and `initdb` to use, instead of looking for them.
    pub pg_bin: Option<PathBuf>,
    /// The `nats-server` to use, instead of looking for it.
    pub nats_bin: Option<PathBuf>,
}

/// The folder with PostgreSQL's programs (`postgres`, `pg_dump`, `psql`) that [`start`] would use.
///
/// # Errors
/// When no PostgreSQL 14 or later is found.
pub fn postgres_programs(options: &EngineOptions) -> Result<PathBuf, EngineError> {
    find::postgres(options)
}

/// Both engines, running, and the lock on their data folder.
#[derive(Debug)]
pub struct Engines {
    postgres: Postgres,
    nats: Nats,
    lock: DataLock,
}

/// Takes the data folder, starts both engines at once and waits until both take connections.
///
/// # Errors
/// [`EngineError::Locked`] when another gateway runs on the folder; else what kept an engine from
/// starting, after the other one was stopped.
pub async fn start(options: &EngineOptions) -> Result<Engines, EngineError> {
    let lock = DataLock::acquire(&options.data_dir)?;
    connection::remove_connection(&options.data_dir)?;
    match tokio::join!(Postgres::start(options), Nats::start(options)) {
        (Ok(postgres), Ok(nats)) => Ok(Engines {
            postgres,
            nats,
            lock,
        }),
        (Err(error), Ok(nats)) => Err(nats.stop().await.err().unwrap_or(error)),
        (Ok(postgres), Err(error)) => Err(postgres.stop().await.err().unwrap_or(error)),
        (Err(error), Err(_)) => Err(error),
    }
}

impl Engines {
    /// Address of the gateway's database, with user and password.
    pub fn database_url(&self) -> &str {
        self.postgres.database_url()
    }

    /// Address of nats-server, with user and password.
    pub fn nats_url(&self) -> &str {
        self.nats.nats_url()
    }

    /// The embedded PostgreSQL.
    pub fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    /// The embedded nats-server.
    pub fn nats(&self) -> &Nats {
        &self.nats
    }

    /// Process ids of the engines that run.
    pub fn pids(&self) -> Vec<u32> {
        self.postgres
            .pid()
            .into_iter()
            .chain(self.nats.pid())
            .collect()
    }

    /// Stops nats-server, then PostgreSQL, and gives the data folder back. Both are tried even if
    /// the first fails.
    ///
    /// # Errors
    /// The first failure, when an engine does not end or the connection file cannot be removed.
    pub async fn stop(self) -> Result<(), EngineError> {
        let removed = connection::remove_connection(self.lock.data_dir());
        let nats = self.nats.stop().await;
        let postgres = self.postgres.stop().await;
        removed.and(nats).and(postgres)
    }
}

/// Engines run elsewhere than in this process's working folder, so they need whole paths.
fn absolute(data_dir: &Path) -> Result<PathBuf, EngineError> {
    std::fs::create_dir_all(data_dir).map_err(EngineError::file("create", data_dir))?;
    std::fs::canonicalize(data_dir).map_err(EngineError::file("find", data_dir))
}

/// Calls `attempt` with one free port after another until it starts, and gives up on the last
/// failure: a port can be taken between its choice and its use, and the processes of a killed
/// PostgreSQL may take a moment to leave.
async fn try_on_ports<T>(
    attempt: impl AsyncFn(u16) -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let port =
            free_port().map_err(EngineError::file("take a port of", Path::new("127.0.0.1")))?;
        match attempt(port).await {
            Err(EngineError::EndedEarly { engine, log }) if tries < PORT_TRIES => {
                tracing::warn!(
                    engine,
                    port,
                    log,
                    "engine did not start, trying another port"
                );
            }
            settled => return settled,
        }
    }
}
