//! The spool: where bytes that come in wait, hashed and counted, until a store has them.
//!
//! Owns the files of its folder from creation to deletion. It must not know what the bytes mean
//! nor where they go. Spooling first means that the digest is known before anything is stored,
//! that a refused upload never touches the store, and that a retry reads the file again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// What one writer holds in memory, and the size of its writes, in bytes.
const CHUNK: usize = 256 * 1024;
/// A file not written to for this long was left behind by a crash. Younger ones may belong to
/// another process with the same folder.
const LEFTOVER_AGE: Duration = Duration::from_secs(60 * 60);
/// Between looks for leftovers. What is left behind may be content that is erased meanwhile.
const SWEEP_EVERY: Duration = Duration::from_secs(10 * 60);
/// The ending of every file in the spool: nothing else is ever swept.
const SUFFIX: &str = ".spool";

/// A folder of files being received.
#[derive(Clone, Debug)]
pub struct Spool {
    dir: Arc<Path>,
    next: Arc<AtomicU64>,
}

impl Spool {
    /// Open the spool in `dir`, which is made when missing, and delete what a crash left there,
    /// now and every ten minutes: what was left an hour ago at the latest is gone then. Outside of
    /// a Tokio runtime that happens now alone.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made, read or swept.
    pub fn new(dir: impl AsRef<Path>) -> io::Result<Self> {
        Self::swept_every(dir, SWEEP_EVERY)
    }

    /// Open as [`new`](Self::new) does, with other pauses between sweeps.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn swept_every(dir: impl AsRef<Path>, every: Duration) -> io::Result<Self> {
        let dir = dir.as_ref();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
        sweep(dir)?;
        let dir: Arc<Path> = dir.into();
        keep_swept(&dir, every);
        Ok(Self {
            dir,
            next: Arc::new(AtomicU64::new(0)),
        })
    }

    /// Start a file.
    ///
    /// # Errors
    ///
    /// When it cannot be made; [`io::ErrorKind::StorageFull`] when there is no space.
    pub async fn create(&self) -> io::Result<SpoolWriter> {
        let spool = self.clone();
        let (guard, file) = blocking(move || spool.create_file()).await?;
        Ok(SpoolWriter {
            guard,
            received: 0,
            sink: Some(Sink {
                file,
                hasher: Sha256::new(),
                buffer: Vec::new(),
            }),
        })
    }

    /// An open file without a name, to write and read at will: it is gone when it is closed.
    ///
    /// # Errors
    ///
    /// As those of [`create`](Self::create).
    pub async fn scratch(&self) -> io::Result<File> {
        let spool = self.clone();
        blocking(move || spool.create_file().map(|(_unlinked, file)| file)).await
    }

    fn create_file(&self) -> io::Result<(DeleteOnDrop, File)> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}-{number}{SUFFIX}", std::process::id());
            let path = self.dir.join(name);
            let made = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path);
            match made {
                Ok(file) => return Ok((DeleteOnDrop(path), file)),
                // Left by an earlier process with the same number: the next name is free.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Sweeps until no spool is open in the folder any more.
fn keep_swept(dir: &Arc<Path>, every: Duration) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let dir = Arc::downgrade(dir);
    runtime.spawn(async move {
        let mut ticks = interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(dir) = dir.upgrade() else { return };
            if let Err(error) = blocking(move || sweep(&dir)).await {
                tracing::warn!(%error, "a spool could not be swept; it is tried again");
            }
        }
    });
}

fn sweep(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().ends_with(SUFFIX) {
            continue;
        }
        let modified = match entry.metadata() {
            Ok(metadata) => metadata.modified()?,
            // Its owner was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        // A time in the future counts as young.
        if modified.elapsed().is_ok_and(|age| age > LEFTOVER_AGE) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

#[derive(Debug)]
struct DeleteOnDrop(PathBuf);

impl Drop for DeleteOnDrop {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0) {
            tracing::warn!(%error, "a spooled file could not be deleted");
        }
    }
}

/// A file being received. Dropped before [`finish`](Self::finish), it leaves nothing behind.
#[derive(Debug)]
pub struct SpoolWriter {
    guard: DeleteOnDrop,
    received: u64,
    /// `None` while a write is under way, and for good after one failed or was cancelled.
    sink: Option<Sink>,
}

impl SpoolWriter {
    /// Take more bytes. They reach the file in pieces of 256 KiB, off the async threads.
    ///
    /// # Errors
    ///
    /// When the file cannot be written; the writer is then of no more use.
    pub async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sink = self.sink.as_mut().ok_or_else(broken)?;
            let room = CHUNK.saturating_sub(sink.buffer.len()).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            sink.buffer.extend_from_slice(now);
            self.received += now.len() as u64;
            bytes = later;
            if sink.buffer.len() >= CHUNK {
                let sink = self.sink.take().ok_or_else(broken)?;
                self.sink = Some(blocking(move || sink.flush()).await?);
            }
        }
        Ok(())
    }

    /// How many bytes were taken so far.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// No more will come. The file is complete but not yet synced to the disk: a store that
    /// keeps this very file does that.
    ///
    /// # Errors
    ///
    /// When the rest cannot be written.
    pub async fn finish(self) -> io::Result<Spooled> {
        let sink = self.sink.ok_or_else(broken)?;
        let digest = blocking(move || Ok(sink.flush()?.hasher.finalize())).await?;
        Ok(Spooled {
            path: self.guard.0.clone(),
            sha256: format!("{digest:x}"),
            size: self.received,
            _guard: self.guard,
        })
    }
}

fn broken() -> io::Error {
    io::Error::other("an earlier write to the spooled file failed or was cancelled")
}

/// The part of a writer that travels to the blocking threads and back.
#[derive(Debug)]
struct Sink {
    file: File,
    hasher: Sha256,
    buffer: Vec<u8>,
}

impl Sink {
    fn flush(mut self) -> io::Result<Self> {
        self.hasher.update(&self.buffer);
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(self)
    }
}

/// A received file with its digest. It is deleted when this is dropped.
#[derive(Debug)]
pub struct Spooled {
    /// Where the file is.
    pub path: PathBuf,
    /// Lower-case hexadecimal SHA-256 of the bytes.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
    _guard: DeleteOnDrop,
}
