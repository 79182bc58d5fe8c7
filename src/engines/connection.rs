//! What a running gateway leaves in its data folder: a lock that keeps a second one out and a
//! file that tells subcommands where its engines are. Must leave nothing behind that stops the
//! next start after a crash: the lock ends with its process, and a file whose process has ended
//! counts as absent.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{EngineError, process, secret};

const LOCK_FILE: &str = "lock";
const CONNECTION_FILE: &str = "connection.json";

/// Where a running gateway and its engines are. Holds secrets: it is kept in a file of mode 0600
/// and shows none of them in `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// PostgreSQL, with user and password.
    pub database_url: String,
    /// NATS, with user and password.
    pub nats_url: String,
    /// Process id of the gateway that owns the engines.
    pub gateway_pid: u32,
    /// Base address of its HTTP server, once it listens.
    pub http: Option<String>,
    /// File with the certificate that it serves, where it speaks TLS.
    #[serde(default)]
    pub certificate_file: Option<PathBuf>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("gateway_pid", &self.gateway_pid)
            .field("http", &self.http)
            .finish_non_exhaustive()
    }
}

/// Writes the connection file of `data_dir` in one step, mode 0600.
///
/// # Errors
/// [`EngineError::File`] when the file cannot be written.
pub fn write_connection(data_dir: &Path, connection: &Connection) -> Result<(), EngineError> {
    let path = data_dir.join(CONNECTION_FILE);
    let text = serde_json::to_vec_pretty(connection).map_err(|source| EngineError::Connection {
        path: path.clone(),
        source,
    })?;
    secret::write_private(&path, &text)
}

/// The connection file of `data_dir`, if there is one and its gateway is still there.
///
/// # Errors
/// [`EngineError::File`] when it cannot be read, [`EngineError::Connection`] when it is not one.
pub fn read_connection(data_dir: &Path) -> Result<Option<Connection>, EngineError> {
    let path = data_dir.join(CONNECTION_FILE);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(EngineError::file("read", &path)(error)),
    };
    let connection: Connection =
        serde_json::from_slice(&text).map_err(|source| EngineError::Connection { path, source })?;
    Ok(Some(connection).filter(|connection| process::is_alive(connection.gateway_pid)))
}

/// Removes the connection file of `data_dir`; it is no error if there is none.
pub(super) fn remove_connection(data_dir: &Path) -> Result<(), EngineError> {
    let path = data_dir.join(CONNECTION_FILE);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(EngineError::file("remove", &path)(error))
        }
        _ => Ok(()),
    }
}

/// Holds a data folder for this process, until it is dropped or the process ends in any way.
#[derive(Debug)]
pub struct DataLock {
    file: File,
    path: PathBuf,
}

impl DataLock {
    /// Takes the lock of `data_dir`, which is created if it is not there.
    ///
    /// # Errors
    /// [`EngineError::Locked`] at once when another process holds it.
    pub fn acquire(data_dir: &Path) -> Result<DataLock, EngineError> {
        std::fs::create_dir_all(data_dir).map_err(EngineError::file("create", data_dir))?;
        let path = data_dir.join(LOCK_FILE);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(EngineError::file("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(DataLock {
                file,
                path: data_dir.to_owned(),
            }),
            Err(TryLockError::WouldBlock) => Err(EngineError::Locked {
                path: data_dir.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(EngineError::file("lock", &path)(source)),
        }
    }

    /// The folder that is held.
    pub fn data_dir(&self) -> &Path {
        &self.path
    }
}

impl Drop for DataLock {
    /// Unlocks, and does not leave it to the closing of the file: a child of this process that is
    /// between its fork and its exec still has the file open, and would keep the lock that long.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, path = %self.path.display(), "the data folder's lock ends with this process only");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn connection(gateway_pid: u32) -> Connection {
        Connection {
            database_url: "postgres://kmrl:hidden@127.0.0.1:5432/kmrl".into(),
            nats_url: "nats://kmrl:hidden@127.0.0.1:4222".into(),
            gateway_pid,
            http: None,
            certificate_file: None,
        }
    }

    #[test]
    fn a_folder_has_one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataLock::acquire(folder.path()).unwrap();
        let second = DataLock::acquire(folder.path());
        assert!(
            matches!(second, Err(EngineError::Locked { .. })),
            "{second:?}"
        );
        drop(first);
        DataLock::acquire(folder.path()).unwrap();
    }

    #[test]
    fn a_connection_is_private_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_connection(folder.path()).unwrap(), None);
        let written = connection(std::process::id());
        write_connection(folder.path(), &written).unwrap();
        let mode = std::fs::metadata(folder.path().join(CONNECTION_FILE))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        assert_eq!(
            read_connection(folder.path()).unwrap(),
            Some(written.clone())
        );
        assert!(!format!("{written:?}").contains("hidden"));
        remove_connection(folder.path()).unwrap();
        remove_connection(folder.path()).unwrap();
    }

    #[test]
    fn the_file_of_an_ended_gateway_counts_as_absent() {
        let folder = tempfile::tempdir().unwrap();
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        let pid = ended.id();
        ended.wait().unwrap();
        write_connection(folder.path(), &connection(pid)).unwrap();
        assert_eq!(read_connection(folder.path()).unwrap(), None);
    }

    #[test]
    fn a_file_of_something_else_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(CONNECTION_FILE), "{}").unwrap();
        let read = read_connection(folder.path());
        assert!(
            matches!(read, Err(EngineError::Connection { .. })),
            "{read:?}"
        );
    }
}
