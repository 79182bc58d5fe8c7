//! A small disk that a test may fill.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes a file until the disk is full.
pub fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    let full = loop {
        if let Err(error) = file.write_all(&[0; 4096]) {
            break error;
        }
    };
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
}

/// A file system in memory, of a size.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` when this machine lets nobody mount.
    pub fn mount(folder: &Path, size: &str) -> Option<Self> {
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size},mode=0755"),
                "tmpfs",
            ])
            .arg(folder)
            .status();
        let mounted = mounted.is_ok_and(|status| status.success());
        mounted.then(|| Self(folder.into()))
    }

    /// Gives it another size.
    pub fn grow(&self, size: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,size={size}")])
            .arg(&self.0)
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: processes that use it may still be ending.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
