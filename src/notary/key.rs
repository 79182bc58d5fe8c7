//! The key that signs this log: a file that only its owner can read, and its public half in the
//! database, so that no second key ever signs the same log.

use crate::ports::Ids;
use crate::proof::note::{NoteError, SigningKey, VerifyingKey};
use kmrl_domain::private::hex;
use sqlx::{PgConnection, PgPool};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("reading or making the log's signing key {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The file or the database holds something else.
    #[error("the log's key in {place} cannot be used")]
    Unusable {
        /// Where it is.
        place: String,
        /// What is wrong.
        #[source]
        source: NoteError,
    },
    /// The log has a key, and its file is not here.
    #[error("the log is signed with the key {registered}, whose file is not at {path}")]
    Absent {
        /// The public key.
        registered: String,
        /// Where the file should be.
        path: PathBuf,
    },
    /// The file holds the key of another log.
    #[error("the log is signed with the key {registered}, but {path} holds {found}")]
    Another {
        /// The log's public key.
        registered: String,
        /// The public key of the file.
        found: String,
        /// The file.
        path: PathBuf,
    },
    /// The database did not answer.
    #[error("reading the log's key")]
    Database(#[from] sqlx::Error),
}

/// The public key of this log; `None` before its first checkpoint.
///
/// # Errors
/// When the database does not answer or holds no key there.
pub async fn registered_key(pool: &PgPool) -> Result<Option<VerifyingKey>, KeyError> {
    registered(&mut *pool.acquire().await?).await
}

async fn registered(connection: &mut PgConnection) -> Result<Option<VerifyingKey>, KeyError> {
    let vkey: Option<String> = sqlx::query_scalar("SELECT vkey FROM log_keys WHERE id = 0")
        .fetch_optional(connection)
        .await?;
    let parse = |vkey: String| {
        VerifyingKey::parse(&vkey).map_err(|source| KeyError::Unusable {
            place: "the table log_keys".into(),
            source,
        })
    };
    vkey.map(parse).transpose()
}

/// The key in a file; `None` when there is no file.
///
/// # Errors
/// When there is one that cannot be read or holds no key.
pub fn stored_key(path: &Path) -> Result<Option<SigningKey>, KeyError> {
    match std::fs::read_to_string(path) {
        Ok(text) => SigningKey::parse(&text)
            .map(Some)
            .map_err(|source| KeyError::Unusable {
                place: path.display().to_string(),
                source,
            }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(file(path)(source)),
    }
}

/// The key to sign with. A log that has none yet gets the one of the file, which is made when
/// absent. The caller holds the notaries' lock, so only one key is ever registered.
pub(super) async fn signing_key(
    connection: &mut PgConnection,
    path: &Path,
    ids: &dyn Ids,
) -> Result<SigningKey, KeyError> {
    let registered = registered(connection).await?;
    let stored = stored_key(path)?;
    match (registered, stored) {
        (Some(registered), Some(key)) if key.verifying() == registered => Ok(key),
        (Some(registered), Some(key)) => Err(KeyError::Another {
            registered: registered.vkey(),
            found: key.vkey(),
            path: path.into(),
        }),
        (Some(registered), None) => Err(KeyError::Absent {
            registered: registered.vkey(),
            path: path.into(),
        }),
        (None, stored) => {
            let key = match stored {
                Some(key) => key,
                None => generate(path, ids)?,
            };
            sqlx::query("INSERT INTO log_keys (id, vkey) VALUES (0, $1)")
                .bind(key.vkey())
                .execute(connection)
                .await?;
            Ok(key)
        }
    }
}

/// A new key with a name that no other log has, durable in its file.
fn generate(path: &Path, ids: &dyn Ids) -> Result<SigningKey, KeyError> {
    let [name, seed] = [ids.salt(), ids.salt()];
    let name = format!(
        "kmrl-gateway/log/{}",
        hex(name.get(..8).unwrap_or_default())
    );
    let unusable = |source| KeyError::Unusable {
        place: path.display().to_string(),
        source,
    };
    let key = SigningKey::generate(&name, seed).map_err(unusable)?;
    match write_new(path, &key.to_text()) {
        Ok(()) => Ok(key),
        // A notary of another log on the same data folder was faster.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            stored_key(path)?.ok_or_else(|| file(path)(e))
        }
        Err(e) => Err(file(path)(e)),
    }
}

fn write_new(path: &Path, key: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    writeln!(file, "{key}")?;
    file.sync_all()?;
    // A link fails when the name is taken.
    let linked = std::fs::hard_link(&beside, path);
    std::fs::remove_file(&beside)?;
    linked?;
    std::fs::File::open(folder)?.sync_all()
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    move |source| KeyError::File {
        path: path.into(),
        source,
    }
}
