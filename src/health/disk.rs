//! How much room the disk of the data folder has.

use serde::Serialize;
use std::io;
use std::path::Path;
use utoipa::ToSchema;

/// Room on a disk, in bytes.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Disk {
    /// That this program may still fill.
    pub free: u64,
    /// All there is.
    pub total: u64,
}

/// The disk that a folder is on.
pub(super) async fn of(folder: &Path) -> io::Result<Disk> {
    let folder = folder.to_owned();
    // A network disk may take its time.
    let asked = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&folder));
    let found = asked.await.map_err(io::Error::other)??;
    let unit = found.f_frsize;
    Ok(Disk {
        free: found.f_bavail.saturating_mul(unit),
        total: found.f_blocks.saturating_mul(unit),
    })
}
