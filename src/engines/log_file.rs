//! An engine's output, kept in a file of bounded size with one older file beside it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Largest size of one log file, in bytes; there are never more than two.
const LIMIT: u64 = 4 << 20;

pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
}

impl LogFile {
    /// Opens `path` to append to it.
    pub(super) fn open(path: &Path) -> io::Result<LogFile> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let size = file.metadata()?.len();
        Ok(LogFile {
            path: path.to_owned(),
            file,
            size,
        })
    }

    /// Appends `chunk`, after moving a full file out of the way.
    pub(super) fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if self.size.saturating_add(length) > LIMIT {
            std::fs::rename(&self.path, self.path.with_added_extension("1"))?;
            *self = LogFile::open(&self.path)?;
        }
        self.file.write_all(chunk)?;
        self.size = self.size.saturating_add(length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_never_grows_past_two_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.log");
        let mut log = LogFile::open(&path).unwrap();
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..10 {
            log.write(&chunk).unwrap();
        }
        let sizes: Vec<u64> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(sizes.len(), 2);
        assert!(sizes.iter().all(|size| *size <= LIMIT), "{sizes:?}");
    }
}
