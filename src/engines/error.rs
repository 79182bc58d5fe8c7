//! What can go wrong with an embedded engine. Owns the error type and nothing else.

use std::io;
use std::path::{Path, PathBuf};

/// Why an embedded engine could not be found, started, restarted or stopped.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Another process holds the data folder.
    #[error("the data folder {} is in use by another kmrl-gateway", path.display())]
    Locked {
        /// The folder both want.
        path: PathBuf,
    },
    /// A file or folder of the engine could not be used.
    #[error("could not {operation} {}", path.display())]
    File {
        /// What was tried, as an infinitive: "read", "create".
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No usable program was found.
    #[error("found no {program}, version {oldest} or later; looked in {looked_in}")]
    NotFound {
        /// Name of the program.
        program: &'static str,
        /// Oldest version that will do.
        oldest: &'static str,
        /// Every place that was tried, separated by commas.
        looked_in: String,
    },
    /// PostgreSQL refuses to run as root, and this system offers no way round it.
    #[error(
        "PostgreSQL does not run as root: user namespaces are refused here and there is no account \
         `postgres` or `nobody`; run as an ordinary user or set DATABASE_URL"
    )]
    NoIdentity,
    /// The program could not be spawned.
    #[error("could not spawn {program}")]
    Spawn {
        /// Name of the program.
        program: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A helper program such as `initdb` failed.
    #[error("{program} failed ({outcome}): {output}")]
    Tool {
        /// Name of the program.
        program: &'static str,
        /// Its exit status.
        outcome: String,
        /// What it printed.
        output: String,
    },
    /// The engine ended before it was ready.
    #[error("{engine} ended before it was ready; its log says: {log}")]
    EndedEarly {
        /// Name of the engine.
        engine: &'static str,
        /// What it printed so far.
        log: String,
    },
    /// The engine did not become ready, or did not end, in time.
    #[error("{engine} did not {operation} within {seconds} s")]
    TooSlow {
        /// Name of the engine.
        engine: &'static str,
        /// What was waited for, as an infinitive.
        operation: &'static str,
        /// The limit.
        seconds: u64,
    },
    /// The cluster exists but its password file is gone.
    #[error(
        "{} is missing, so nobody can log in to the cluster beside it; restore it or remove the cluster",
        path.display()
    )]
    PasswordLost {
        /// The missing file.
        path: PathBuf,
    },
    /// The connection file is not what this program writes.
    #[error("{} is not a connection file", path.display())]
    Connection {
        /// The file.
        path: PathBuf,
        /// Where it differs.
        #[source]
        source: serde_json::Error,
    },
}

impl EngineError {
    /// Names the operation on `path` that an I/O error came from, for `map_err`.
    pub(super) fn file(
        operation: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> EngineError + use<> {
        let path = path.to_owned();
        move |source| EngineError::File {
            operation,
            path,
            source,
        }
    }
}
