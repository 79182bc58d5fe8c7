//! Blobs as files in a folder: the store of a gateway that runs alone.
//!
//! Owns what goes into that folder and comes out of it, and what its errors mean. It must not
//! interpret keys beyond refusing those that could lead elsewhere.

mod list;
mod tree;

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use self::tree::{Placed, Tree};
use crate::ports::{BlobError, BlobInfo, BlobReader, BlobStore, check_key, check_prefix};
use crate::spool::{Spool, Spooled};

/// Size of the pieces in which objects are read, in bytes.
const CHUNK: usize = 128 * 1024;
/// Where bytes from memory are written before they get their name. No key starts with a dot.
const INCOMING: &str = ".incoming";

/// A blob store in a folder of the local file system, which must have hard links.
///
/// Putting a spooled file costs no copy when the spool is on the same file system.
#[derive(Clone, Debug)]
pub struct LocalBlobs {
    tree: Arc<Tree>,
    incoming: Spool,
}

impl LocalBlobs {
    /// Open the store in `dir`, which is made when missing.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made or written to.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, BlobError> {
        let root = dir.as_ref();
        let opened =
            Spool::new(root.join(INCOMING)).and_then(|incoming| Ok((Tree::open(root)?, incoming)));
        let (tree, incoming) = opened.map_err(failed("open the blob folder"))?;
        Ok(Self {
            tree: Arc::new(tree),
            incoming,
        })
    }

    async fn place(&self, key: &str, file: &Spooled) -> io::Result<Placed> {
        let (source, key, size) = (file.path.clone(), key.to_owned(), file.size);
        self.on_tree(move |tree| tree.place(&source, &key, size))
            .await
    }

    /// Work on the tree, on a thread that may wait for the disk.
    async fn on_tree<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tree) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let tree = Arc::clone(&self.tree);
        tokio::task::spawn_blocking(move || work(&tree))
            .await
            .map_err(io::Error::other)?
    }

    /// A copy on the file system of this store.
    async fn copy(&self, file: &Spooled) -> io::Result<Spooled> {
        let mut source = chunks(tokio::fs::File::open(&file.path).await?, u64::MAX);
        let mut copy = self.incoming.create().await?;
        while let Some(chunk) = source.try_next().await? {
            copy.write(&chunk).await?;
        }
        copy.finish().await
    }
}

#[async_trait]
impl BlobStore for LocalBlobs {
    async fn put(&self, key: &str, file: &Spooled) -> Result<bool, BlobError> {
        check_key(key)?;
        let placed = match self.place(key, file).await {
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                let copy = self
                    .copy(file)
                    .await
                    .map_err(failed("copy into the blob folder"))?;
                if copy.sha256 != file.sha256 {
                    return Err(corrupt(key));
                }
                self.place(key, &copy).await
            }
            other => other,
        };
        match placed.map_err(failed("keep a blob"))? {
            Placed::Created => Ok(true),
            Placed::WasThere => Ok(false),
            Placed::OfAnotherSize => Err(corrupt(key)),
        }
    }

    async fn put_bytes(&self, key: &str, bytes: Bytes, sha256: &str) -> Result<bool, BlobError> {
        check_key(key)?;
        let spooled = async {
            let mut writer = self.incoming.create().await?;
            writer.write(&bytes).await?;
            writer.finish().await
        };
        let spooled = spooled
            .await
            .map_err(failed("write into the blob folder"))?;
        if spooled.sha256 != sha256 {
            return Err(corrupt(key));
        }
        self.put(key, &spooled).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<BlobReader, BlobError> {
        check_key(key)?;
        let opened = async {
            let file = tokio::fs::File::open(self.tree.path(key)).await?;
            let size = file.metadata().await?.len();
            Ok((file, size))
        };
        let (mut file, size) = opened.await.map_err(missing(key, "open a blob"))?;
        let length = match range {
            None => size,
            Some(range) if range.start >= size => {
                return Err(BlobError::OutOfRange {
                    key: key.to_owned(),
                    size,
                });
            }
            Some(range) => {
                file.seek(io::SeekFrom::Start(range.start))
                    .await
                    .map_err(failed("read a blob"))?;
                range.end.min(size).saturating_sub(range.start)
            }
        };
        Ok(BlobReader {
            size,
            stream: chunks(file, length).boxed(),
        })
    }

    async fn size(&self, key: &str) -> Result<Option<u64>, BlobError> {
        check_key(key)?;
        match tokio::fs::metadata(self.tree.path(key)).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("look at a blob")(error)),
        }
    }

    async fn put_locked(
        &self,
        key: &str,
        bytes: Bytes,
        sha256: &str,
        _until: OffsetDateTime,
    ) -> Result<bool, BlobError> {
        let created = self.put_bytes(key, bytes, sha256).await?;
        let key = key.to_owned();
        self.on_tree(move |tree| tree.lock(&key))
            .await
            .map_err(failed("lock a blob"))?;
        Ok(created)
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BlobInfo>, BlobError> {
        check_prefix(prefix)?;
        let (prefix, after) = (prefix.to_owned(), after.unwrap_or_default().to_owned());
        self.on_tree(move |tree| list::page(tree, &prefix, &after, limit))
            .await
            .map_err(failed("list the blob folder"))
    }

    async fn delete(&self, key: &str) -> Result<bool, BlobError> {
        check_key(key)?;
        let key = key.to_owned();
        self.on_tree(move |tree| tree.remove(&key))
            .await
            .map_err(failed("delete a blob"))
    }

    /// Writes a small file, syncs it and deletes it.
    async fn probe(&self) -> Result<(), BlobError> {
        let written = async {
            let mut writer = self.incoming.create().await?;
            writer.write(b"probe").await?;
            let file = writer.finish().await?;
            tokio::fs::File::open(&file.path).await?.sync_all().await
        };
        written.await.map_err(failed("write into the blob folder"))
    }
}

fn chunks(file: tokio::fs::File, length: u64) -> ReaderStream<tokio::io::Take<tokio::fs::File>> {
    ReaderStream::with_capacity(file.take(length), CHUNK)
}

fn corrupt(key: &str) -> BlobError {
    BlobError::Corrupt {
        key: key.to_owned(),
    }
}

fn missing(key: &str, operation: &'static str) -> impl FnOnce(io::Error) -> BlobError {
    move |error| {
        if error.kind() == ErrorKind::NotFound {
            BlobError::NotFound {
                key: key.to_owned(),
            }
        } else {
            failed(operation)(error)
        }
    }
}

fn failed(operation: &'static str) -> impl FnOnce(io::Error) -> BlobError {
    move |error| {
        let kind = error.kind();
        let source = error.into();
        match kind {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => BlobError::NoSpace { source },
            ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::NotADirectory
            | ErrorKind::Unsupported
            | ErrorKind::FileTooLarge => BlobError::Refused { operation, source },
            _ => BlobError::Unreachable { operation, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(number: i32) -> BlobError {
        failed("keep a blob")(io::Error::from_raw_os_error(number))
    }

    #[test]
    fn a_full_disk_is_no_space_and_passes() {
        for number in [libc::ENOSPC, libc::EDQUOT] {
            let error = of(number);
            assert!(matches!(error, BlobError::NoSpace { .. }), "{error:?}");
            assert!(error.is_transient());
        }
    }

    #[test]
    fn a_read_only_disk_is_a_refusal_and_stays() {
        for number in [libc::EROFS, libc::EACCES, libc::EPERM] {
            let error = of(number);
            assert!(matches!(error, BlobError::Refused { .. }), "{error:?}");
            assert!(!error.is_transient());
        }
    }

    #[test]
    fn a_failing_disk_may_recover() {
        assert!(of(libc::EIO).is_transient());
    }
}
