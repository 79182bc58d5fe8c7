//! Secrets of the embedded engines: made once from the system's random source and kept in files
//! that only their owner reads. Must not print or log one.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::EngineError;

const SECRET_BYTES: usize = 24;

/// 192 random bits as 48 hexadecimal digits after a letter, so that no configuration language
/// takes it for a number.
pub(super) fn generate() -> Result<String, EngineError> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0_u8; SECRET_BYTES];
    File::open(source)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(EngineError::file("read", source))?;
    Ok(bytes
        .iter()
        .fold(String::from("k"), |text, byte| format!("{text}{byte:02x}")))
}

/// The secret kept in `path`, made now if there is none.
pub(super) fn load_or_generate(path: &Path) -> Result<String, EngineError> {
    match std::fs::read_to_string(path) {
        Ok(secret) if !secret.trim().is_empty() => Ok(secret.trim().to_owned()),
        Ok(_) => renew(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => renew(path),
        Err(error) => Err(EngineError::file("read", path)(error)),
    }
}

fn renew(path: &Path) -> Result<String, EngineError> {
    let secret = generate()?;
    write_private(path, secret.as_bytes())?;
    Ok(secret)
}

/// Replaces `path` by `contents` in one step, readable by its owner alone (mode 0600), on disk
/// when this returns.
pub(super) fn write_private(path: &Path, contents: &[u8]) -> Result<(), EngineError> {
    let beside = path.with_added_extension("new");
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(contents)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(EngineError::file("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_kept_private_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.password");
        let first = load_or_generate(&path).unwrap();
        assert_eq!(first.len(), 1 + 2 * SECRET_BYTES);
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(load_or_generate(&path).unwrap(), first);
        assert_ne!(generate().unwrap(), first);
    }
}
