//! Copies in the blob store of what was signed: tiles of leaf hashes and signed checkpoints.
//!
//! They are what a lost or rewritten database is measured by. Once written they are never changed;
//! something else under the same key means that the log was rewritten.

use super::TILE;
use crate::ports::{BlobError, BlobStore};
use crate::proof::Hash;
use bytes::Bytes;
use futures::TryStreamExt;
use kmrl_domain::private::hex;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use time::OffsetDateTime;

/// Largest copy read, in bytes.
const LARGEST: u64 = 64 * 1024;
/// What the keys of checkpoints begin with.
pub(super) const CHECKPOINTS: &str = "log/checkpoints/";

/// Why a copy was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The blob store did not do it.
    #[error("keeping or reading the copy {key}")]
    Blob {
        /// Its key.
        key: String,
        /// Why.
        #[source]
        source: BlobError,
    },
    /// There is something else under the key.
    #[error("the copy {key} is not what the log says: one of the two was changed")]
    Differs {
        /// Its key.
        key: String,
    },
}

/// Key of the copy of the checkpoint of a size.
#[must_use]
pub fn checkpoint_key(size: u64) -> String {
    format!("{CHECKPOINTS}{size:020}")
}

/// The size that a key made by [`checkpoint_key`] tells of.
pub(super) fn checkpoint_size(key: &str) -> Option<u64> {
    key.strip_prefix(CHECKPOINTS)?.parse().ok()
}

/// Key of a tile with the leaf hashes from `256 * index` on, as paths are made in C2SP tlog-tiles;
/// `width` is how many there are, 256 when it is full.
#[must_use]
pub fn tile_key(index: u64, width: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    if width == TILE {
        format!("log/tiles/0/{path}")
    } else {
        format!("log/tiles/0/{path}.p/{width}")
    }
}

/// The copies, in the blob store.
#[derive(Clone)]
pub(super) struct Copies(pub(super) Arc<dyn BlobStore>);

impl Copies {
    /// Keeps a tile; it is durable when this returns.
    pub(super) async fn put_tile(
        &self,
        index: u64,
        leaves: &[Hash],
        until: Option<OffsetDateTime>,
    ) -> Result<(), CopyError> {
        let key = tile_key(index, leaves.len() as u64);
        let bytes = Bytes::from(leaves.concat());
        if !self.put(&key, bytes.clone(), until).await? && self.get(&key).await? != Some(bytes) {
            return Err(CopyError::Differs { key });
        }
        Ok(())
    }

    /// The leaf hashes of a tile; `None` when there is no such copy or it has another size.
    pub(super) async fn tile(
        &self,
        index: u64,
        width: u64,
    ) -> Result<Option<Vec<Hash>>, CopyError> {
        let bytes = self.get(&tile_key(index, width)).await?;
        Ok(bytes.and_then(|bytes| {
            let (hashes, rest) = bytes.as_chunks::<32>();
            (rest.is_empty() && hashes.len() as u64 == width).then(|| hashes.to_vec())
        }))
    }

    /// Keeps an object unless there is one. Says whether it was made.
    pub(super) async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        until: Option<OffsetDateTime>,
    ) -> Result<bool, CopyError> {
        let sha256 = hex(&Sha256::digest(&bytes));
        let put = match until {
            None => self.0.put_bytes(key, bytes, &sha256).await,
            Some(until) => self.0.put_locked(key, bytes, &sha256, until).await,
        };
        match put {
            Ok(made) => Ok(made),
            // What is there has another size.
            Err(BlobError::Corrupt { .. }) => Err(CopyError::Differs { key: key.into() }),
            Err(source) => Err(failed(key)(source)),
        }
    }

    /// An object, when there is one.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Bytes>, CopyError> {
        let reader = match self.0.get(key, Some(0..LARGEST)).await {
            Ok(reader) => reader,
            Err(BlobError::NotFound { .. } | BlobError::OutOfRange { .. }) => return Ok(None),
            Err(source) => return Err(failed(key)(source)),
        };
        let read = reader
            .stream
            .try_fold(Vec::new(), |mut all, chunk| async move {
                all.extend_from_slice(&chunk);
                Ok(all)
            });
        let unreachable = |e: std::io::Error| {
            failed(key)(BlobError::Unreachable {
                operation: "read a copy",
                source: e.into(),
            })
        };
        read.await.map(|b| Some(b.into())).map_err(unreachable)
    }
}

pub(super) fn failed(key: &str) -> impl FnOnce(BlobError) -> CopyError {
    move |source| CopyError::Blob {
        key: key.into(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_tlog_tiles() {
        assert_eq!(tile_key(0, 256), "log/tiles/0/000");
        assert_eq!(tile_key(1_234_067, 256), "log/tiles/0/x001/x234/067");
        assert_eq!(tile_key(5, 7), "log/tiles/0/005.p/7");
        for key in [tile_key(1_234_067, 1), checkpoint_key(u64::MAX)] {
            crate::ports::check_key(&key).unwrap();
        }
        assert_eq!(checkpoint_size(&checkpoint_key(42)), Some(42));
        assert_eq!(checkpoint_size("log/tiles/0/000"), None);
    }
}
