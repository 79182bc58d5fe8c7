//! The embedded PostgreSQL: a private cluster in the data folder, on loopback, with a generated
//! password. Owns its creation and its settings; speaks no SQL but what creates the database.

use std::ffi::OsString;
use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::identity::Identity;
use super::supervisor::{Recipe, Supervisor, base_command};
use super::{
    EngineError, EngineOptions, absolute, find, process, secret, spawn_tied, try_on_ports,
};

const USER: &str = "kmrl";
const DATABASE: &str = "kmrl";
/// Fast shutdown (disconnect, checkpoint, end), immediate shutdown (recovery at the next start),
/// and what nothing survives.
const STOP_SIGNALS: &[i32] = &[libc::SIGINT, libc::SIGQUIT, libc::SIGKILL];
/// `fsync`, `synchronous_commit` and `full_page_writes` stay on, as PostgreSQL has them.
const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=100",
    "shared_buffers=64MB",
    // Queries here are short: compiling one costs more than it saves.
    "jit=off",
    "log_line_prefix=%m [%p] ",
];

/// A running PostgreSQL of our own. It is started again when it ends by itself; dropping this
/// ends it without waiting.
pub struct Postgres {
    supervisor: Supervisor,
    database_url: String,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}

impl Postgres {
    /// Starts PostgreSQL on the cluster in `options.data_dir`, which is created first if there is
    /// none, and waits until it takes connections.
    ///
    /// # Errors
    /// When no PostgreSQL 14 or later is found, or the cluster cannot be created or started; the
    /// error then holds what PostgreSQL printed.
    pub async fn start(options: &EngineOptions) -> Result<Postgres, EngineError> {
        let data_dir = absolute(&options.data_dir)?;
        let bin = find::postgres(options)?;
        let cluster = Cluster {
            identity: Identity::not_root(&bin.join("postgres"))?,
            folder: data_dir.join("postgres"),
            password_file: data_dir.join("postgres.password"),
            data_dir,
            bin,
        };
        let pid_file = cluster.folder.join("postmaster.pid");
        process::end_leftover("postgres", &pid_file, &cluster.folder, STOP_SIGNALS).await?;
        let (cluster, password) = off_runtime(move || {
            let password = cluster.ensure()?;
            Ok((cluster, password))
        })
        .await?;
        try_on_ports(async |port| {
            let supervisor = Supervisor::start(cluster.recipe(port)).await?;
            let database_url = format!("postgres://{USER}:{password}@127.0.0.1:{port}/{DATABASE}");
            Ok(Postgres {
                supervisor,
                database_url,
            })
        })
        .await
    }

    /// Address of the gateway's database, with user and password. Stays the same across restarts.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Process id of the postmaster while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.supervisor.pid()
    }

    /// Ends PostgreSQL as a crash would and keeps it down until [`Postgres::restart`].
    ///
    /// # Errors
    /// When it does not end.
    pub async fn kill(&self) -> Result<(), EngineError> {
        self.supervisor.kill().await
    }

    /// Stops PostgreSQL, if it runs, and starts it again on the same port.
    ///
    /// # Errors
    /// When it does not end, or is not ready again in time.
    pub async fn restart(&self) -> Result<(), EngineError> {
        self.supervisor.halt().await?;
        self.supervisor.resume().await
    }

    /// Shuts PostgreSQL down and waits for its end.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(self) -> Result<(), EngineError> {
        self.supervisor.halt().await
    }
}

/// A cluster on disk and the programs for it.
struct Cluster {
    bin: PathBuf,
    data_dir: PathBuf,
    folder: PathBuf,
    password_file: PathBuf,
    identity: Identity,
}

impl Cluster {
    /// Creates the cluster if there is none and answers its password. It is made beside its place
    /// and moved there when whole, so a creation cut short is begun anew.
    fn ensure(&self) -> Result<String, EngineError> {
        if self.folder.exists() {
            if !self.password_file.exists() {
                return Err(EngineError::PasswordLost {
                    path: self.password_file.clone(),
                });
            }
            return secret::load_or_generate(&self.password_file);
        }
        let password = secret::load_or_generate(&self.password_file)?;
        let beside = self.folder.with_added_extension("new");
        if beside.exists() {
            std::fs::remove_dir_all(&beside).map_err(EngineError::file("remove", &beside))?;
        }
        std::fs::create_dir_all(&beside).map_err(EngineError::file("create", &beside))?;
        std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o700))
            .map_err(EngineError::file("restrict", &beside))?;
        self.identity.own(&beside)?;
        self.identity.pass_through(&self.data_dir)?;
        self.identity.own(&self.password_file)?;
        self.initdb(&beside)?;
        self.create_database(&beside)?;
        std::fs::rename(&beside, &self.folder)
            .map_err(EngineError::file("create", &self.folder))?;
        Ok(password)
    }

    fn initdb(&self, folder: &Path) -> Result<(), EngineError> {
        let mut command = base_command(&self.bin.join("initdb"), self.identity);
        command.arg("-D").arg(folder).args(["-U", USER]);
        command.arg("--pwfile").arg(&self.password_file);
        command.args([
            "--auth=scram-sha-256",
            "--data-checksums",
            "--encoding=UTF8",
        ]);
        command.args(super::INITDB_LOCALE);
        run("initdb", command, "")
    }

    fn create_database(&self, folder: &Path) -> Result<(), EngineError> {
        let mut command = base_command(&self.bin.join("postgres"), self.identity);
        command
            .args(["--single", "-c", "log_min_messages=warning", "-D"])
            .arg(folder);
        command.arg("postgres");
        run(
            "postgres",
            command,
            &format!("CREATE DATABASE {DATABASE} OWNER {USER}\n"),
        )
    }

    fn recipe(&self, port: u16) -> Recipe {
        let mut arguments: Vec<OsString> = vec!["-D".into(), self.folder.clone().into()];
        let port = format!("port={port}");
        for setting in SETTINGS.iter().copied().chain([port.as_str()]) {
            arguments.extend(["-c".into(), setting.into()]);
        }
        Recipe {
            engine: "postgres",
            program: self.bin.join("postgres"),
            arguments,
            environment: Vec::new(),
            identity: self.identity,
            ready_line: "database system is ready to accept connections",
            stop_signals: STOP_SIGNALS,
            log: self.data_dir.join("postgres.log"),
        }
    }
}

/// Runs a helper program to its end with `input` on its standard input.
fn run(program: &'static str, mut command: Command, input: &str) -> Result<(), EngineError> {
    let failed = |source| EngineError::Spawn { program, source };
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = spawn_tied(command, libc::SIGTERM).map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let printed = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(EngineError::Tool {
        program,
        outcome: output.status.to_string(),
        output: printed,
    })
}

/// Runs blocking work on a thread of its own; the work is not cut short if the caller goes away.
async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|joined| EngineError::Spawn {
            program: "initdb",
            source: std::io::Error::other(joined),
        })?
}
