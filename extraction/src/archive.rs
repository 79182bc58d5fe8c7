//! Zip archives: their table of contents as text, and each file in them as a document of its own.
//! This module must not look into the files; an archive inside an archive is one of them, and is
//! opened when its own turn comes.

use crate::child::{Child, Children};
use crate::error::ExtractError;
use crate::limits::Limits;
use crate::package::Package;
use crate::{OnPage, Reading, pages};

/// What operating systems add to archives and nobody put there.
fn is_clutter(name: &str) -> bool {
    name.starts_with("__MACOSX/") || name.ends_with("/.DS_Store") || name.ends_with("Thumbs.db")
}

pub(crate) fn read(
    bytes: &[u8],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<(Reading, Vec<Child>), ExtractError> {
    let mut package = Package::open(bytes, limits)?;
    let mut children = Children::default();
    let (mut files, mut encrypted) = (0_usize, 0_usize);
    for index in 0..package.len() {
        let Some(entry) = package.entry(index) else {
            continue;
        };
        if !entry.is_file || is_clutter(&entry.name) {
            continue;
        }
        files += 1;
        if entry.encrypted {
            encrypted += 1;
            children.leave_out(&entry.name, "encrypted");
        } else if children.room() == 0 {
            children.leave_out(&entry.name, "beyond the limits for files inside a document");
        } else {
            match package.read_index(index) {
                Ok(bytes) => children.add(&entry.name, None, bytes),
                Err(ExtractError::Damaged { .. }) => children.leave_out(&entry.name, "damaged"),
                Err(error) => return Err(error),
            }
        }
    }
    if files > 0 && files == encrypted {
        return Err(ExtractError::Encrypted);
    }
    let listed = children.listed().join("\n");
    let reading = pages::all(&[listed], limits, on_page)?;
    Ok((reading, children.into_taken()))
}
