//! The embedded nats-server with JetStream, configured by the repository's own `nats.conf`. Owns
//! its settings and its store; what is published on it is none of its business.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::identity::Identity;
use super::supervisor::{Recipe, Supervisor};
use super::{EngineError, EngineOptions, absolute, find, process, secret, try_on_ports};

const CONFIGURATION: &str = include_str!("../../nats.conf");
const USER: &str = "kmrl";
/// Both let it write what it holds; the second is for one that hangs.
const STOP_SIGNALS: &[i32] = &[libc::SIGTERM, libc::SIGKILL];

/// A running nats-server of our own. It is started again when it ends by itself; dropping this
/// ends it without waiting.
pub struct Nats {
    supervisor: Supervisor,
    nats_url: String,
    store: PathBuf,
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats")
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}

impl Nats {
    /// Starts nats-server on the store in `options.data_dir` and waits until it takes connections.
    ///
    /// # Errors
    /// When no nats-server 2.10 or later is found, or it does not start; the error then holds what
    /// it printed.
    pub async fn start(options: &EngineOptions) -> Result<Nats, EngineError> {
        let program = find::nats_server(options)?;
        let data_dir = absolute(&options.data_dir)?;
        let password = secret::load_or_generate(&data_dir.join("nats.password"))?;
        let configuration = data_dir.join("nats.conf");
        secret::write_private(&configuration, CONFIGURATION.as_bytes())?;
        let pid_file = data_dir.join("nats.pid");
        process::end_leftover("nats-server", &pid_file, &configuration, STOP_SIGNALS).await?;
        let store = data_dir.join("nats");
        try_on_ports(async |port| {
            let recipe = recipe(&program, &data_dir, &store, &password, port);
            let supervisor = Supervisor::start(recipe).await?;
            let nats_url = format!("nats://{USER}:{password}@127.0.0.1:{port}");
            Ok(Nats {
                supervisor,
                nats_url,
                store: store.clone(),
            })
        })
        .await
    }

    /// Address with user and password. Stays the same across restarts, so clients reconnect.
    pub fn nats_url(&self) -> &str {
        &self.nats_url
    }

    /// Process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.supervisor.pid()
    }

    /// Ends nats-server as a crash would and keeps it down until [`Nats::restart`].
    ///
    /// # Errors
    /// When it does not end.
    pub async fn kill(&self) -> Result<(), EngineError> {
        self.supervisor.kill().await
    }

    /// Stops nats-server, if it runs, and starts it again on the same port.
    ///
    /// # Errors
    /// When it does not end, or is not ready again in time.
    pub async fn restart(&self) -> Result<(), EngineError> {
        self.supervisor.halt().await?;
        self.supervisor.resume().await
    }

    /// Kills nats-server, deletes its whole store and starts it again on the same port: all
    /// streams, consumers and messages are gone.
    ///
    /// # Errors
    /// When it does not end, the store cannot be deleted, or it is not ready again in time.
    pub async fn restart_empty(&self) -> Result<(), EngineError> {
        self.supervisor.kill().await?;
        if self.store.exists() {
            std::fs::remove_dir_all(&self.store)
                .map_err(EngineError::file("remove", &self.store))?;
        }
        self.supervisor.resume().await
    }

    /// Shuts nats-server down and waits for its end.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(self) -> Result<(), EngineError> {
        self.supervisor.halt().await
    }
}

fn recipe(program: &Path, data_dir: &Path, store: &Path, password: &str, port: u16) -> Recipe {
    // nats-server parses these values as part of its configuration: quoted, nothing in them is
    // taken for syntax.
    let quoted = |value: &str| -> OsString {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")).into()
    };
    Recipe {
        engine: "nats-server",
        program: program.to_owned(),
        arguments: vec![
            "-c".into(),
            data_dir.join("nats.conf").into(),
            "-P".into(),
            data_dir.join("nats.pid").into(),
        ],
        environment: vec![
            ("KMRL_NATS_LISTEN", quoted(&format!("127.0.0.1:{port}"))),
            ("KMRL_NATS_PASSWORD", quoted(password)),
            ("KMRL_NATS_STORE", quoted(&store.to_string_lossy())),
        ],
        identity: Identity::Own,
        ready_line: "Server is ready",
        stop_signals: STOP_SIGNALS,
        log: data_dir.join("nats.log"),
    }
}
