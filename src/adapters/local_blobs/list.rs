//! Pages of the objects in a folder, in the order of their keys, without reading all of it.
//!
//! Owns the walk. A folder's place among its neighbours is that of its name with a `/`, as it
//! stands in the keys below it; whole folders before the place to go on from are passed over.

use std::fs;
use std::io::{self, ErrorKind};

use time::OffsetDateTime;

use super::tree::Tree;
use crate::ports::BlobInfo;

/// At most `limit` objects below `prefix` after the key `after`.
pub(super) fn page(
    tree: &Tree,
    prefix: &str,
    after: &str,
    limit: usize,
) -> io::Result<Vec<BlobInfo>> {
    let mut found = Vec::new();
    walk(tree, prefix, after, limit, &mut found)?;
    Ok(found)
}

fn walk(
    tree: &Tree,
    folder: &str,
    after: &str,
    limit: usize,
    found: &mut Vec<BlobInfo>,
) -> io::Result<()> {
    for name in names(tree, folder)? {
        if found.len() >= limit {
            return Ok(());
        }
        let key = format!("{folder}{name}");
        if key.ends_with('/') {
            if key.as_str() > after || after.starts_with(&key) {
                walk(tree, &key, after, limit, found)?;
            }
        } else if key.as_str() > after {
            found.extend(info(tree, key)?);
        }
    }
    Ok(())
}

/// What is in a folder, in order; folders end with a `/`. Names that no key has are left out.
fn names(tree: &Tree, folder: &str) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(tree.path(folder)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Ok(mut name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            name.push('/');
        }
        names.push(name);
    }
    names.sort_unstable();
    Ok(names)
}

/// `None` when it was deleted meanwhile.
fn info(tree: &Tree, key: String) -> io::Result<Option<BlobInfo>> {
    match fs::metadata(tree.path(&key)) {
        Ok(metadata) => Ok(Some(BlobInfo {
            key,
            size: metadata.len(),
            modified: OffsetDateTime::from(metadata.modified()?),
        })),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
