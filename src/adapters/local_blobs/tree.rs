//! How a file gets its name in the store so that no power cut takes it away again.
//!
//! Owns the order: bytes are synced before they get their name, the name is given once and never
//! taken over, and the folders are synced before success is reported.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What became of a file to be placed.
pub(super) enum Placed {
    Created,
    WasThere,
    /// Another object has the name: one of the two is not what the key says.
    OfAnotherSize,
}

/// The folders of the store, and which of them are known to survive a power cut.
#[derive(Debug)]
pub(super) struct Tree {
    root: PathBuf,
    /// Folders whose name is synced. Keys fan out over 65,536 of them at most.
    durable: Mutex<HashSet<PathBuf>>,
}

impl Tree {
    /// The folder is there, and may have been made just now.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let root = root.canonicalize()?;
        if let Some(above) = root.parent() {
            sync_folder(above)?;
        }
        Ok(Self {
            root,
            durable: Mutex::default(),
        })
    }

    pub(super) fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    pub(super) fn place(&self, source: &Path, key: &str, size: u64) -> io::Result<Placed> {
        let target = self.path(key);
        let folder = target.parent().unwrap_or(&self.root);
        if !target.try_exists()? {
            // The bytes first: a name must never lead to bytes that a power cut can take.
            File::open(source)?.sync_all()?;
            self.make_folder(folder)?;
        }
        let placed = match fs::hard_link(source, &target) {
            Ok(()) => Placed::Created,
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            Err(_) if fs::metadata(&target)?.len() == size => Placed::WasThere,
            Err(_) => return Ok(Placed::OfAnotherSize),
        };
        // Also when it was there: whoever placed it may not have come this far yet.
        sync_folder(folder)?;
        Ok(placed)
    }

    /// Make an object one that [`remove`](Self::remove) refuses to touch.
    pub(super) fn lock(&self, key: &str) -> io::Result<()> {
        let file = File::open(self.path(key))?;
        file.set_permissions(fs::Permissions::from_mode(0o400))?;
        file.sync_all()
    }

    /// Take the name away, durably. The folders stay: they are few, and others may be using them.
    pub(super) fn remove(&self, key: &str) -> io::Result<bool> {
        let path = self.path(key);
        let is_locked = match fs::metadata(&path) {
            Ok(metadata) => metadata.permissions().readonly(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if is_locked {
            return Err(io::Error::new(
                ErrorKind::PermissionDenied,
                "the object is locked",
            ));
        }
        let removed = match fs::remove_file(&path) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        // Also when it was gone: whoever removed it may not have come this far yet.
        sync_folder(path.parent().unwrap_or(&self.root))?;
        Ok(removed)
    }

    /// Make a folder and those above it, each synced into the one that holds it.
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        if folder == self.root || self.durable().contains(folder) {
            return Ok(());
        }
        let parent = folder.parent().unwrap_or(&self.root);
        self.make_folder(parent)?;
        match fs::DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => sync_folder(parent)?,
        }
        self.durable().insert(folder.to_owned());
        Ok(())
    }

    fn durable(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        // Every state of the set is a valid one.
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
