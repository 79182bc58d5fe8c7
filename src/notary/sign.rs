//! Making a checkpoint: copies first, rows last, all under one lock.
//!
//! A kill at any point leaves at worst copies without a row. They are of entries that are
//! committed, so they stay true; the next try finds them there and goes on.

use super::TILE;
use super::copies::{Copies, CopyError, checkpoint_key};
use super::key::{KeyError, signing_key};
use super::tree::{SignedCheckpoint, TreeError, latest, nodes, peaks};
use crate::config::NotarySettings;
use crate::fault_point;
use crate::ports::{BlobStore, Clock, Ids};
use crate::proof::Hash;
use crate::proof::checkpoint::{Checkpoint, CheckpointError};
use crate::proof::note::SigningKey;
use crate::proof::tree::{self, CompactRange};
use bytes::Bytes;
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use time::OffsetDateTime;

/// Of the advisory lock that one notary at a time holds ("kmrl note").
const LOCK: i64 = 0x6b6d_726c_6e6f_7465;
/// Most entries that one checkpoint adds: what a kill can cost.
const STEP: u64 = 256 * TILE;

/// Signs checkpoints.
pub struct Notary {
    pool: PgPool,
    copies: Copies,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    settings: NotarySettings,
}

/// Why no checkpoint was made.
#[derive(Debug, thiserror::Error)]
pub enum NotaryError {
    /// The database did not answer.
    #[error("making a checkpoint of the log")]
    Database(#[from] sqlx::Error),
    /// The tree cannot be read.
    #[error("making a checkpoint of the log: the tree cannot be read")]
    Tree(#[from] TreeError),
    /// A copy could not be kept.
    #[error("making a checkpoint of the log: its copies cannot be kept")]
    Copy(#[from] CopyError),
    /// There is no key to sign with.
    #[error("making a checkpoint of the log: it cannot be signed")]
    Key(#[from] KeyError),
    /// The newest checkpoint was not signed with our key.
    #[error("making a checkpoint of the log: the one before cannot be trusted")]
    Before(#[from] CheckpointError),
    /// The log is shorter than what was signed.
    #[error("the log ends at {head}, but {size} entries were signed: its end was cut off")]
    CutOff {
        /// Position of the newest entry.
        head: u64,
        /// Entries signed.
        size: u64,
    },
    /// The signed entries are others now.
    #[error("the first {size} entries of the log are not those that were signed")]
    Rewritten {
        /// How many were signed.
        size: u64,
    },
}

impl NotaryError {
    /// Whether it may pass without anybody doing something.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Database(_)
                | Self::Tree(TreeError::Database(_))
                | Self::Key(KeyError::Database(_))
                | Self::Copy(CopyError::Blob { .. })
        )
    }
}

impl Notary {
    /// A notary of the log in a database, with its copies in a blob store.
    #[must_use]
    pub fn new(
        pool: PgPool,
        blobs: Arc<dyn BlobStore>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        settings: NotarySettings,
    ) -> Self {
        Self {
            pool,
            copies: Copies(blobs),
            clock,
            ids,
            settings,
        }
    }

    /// Signs what the log has grown by, and gives the newest checkpoint: it covers every entry
    /// that was there when this was called. `None` while the log is empty.
    ///
    /// # Errors
    /// See [`NotaryError`].
    pub async fn make_checkpoint(&self) -> Result<Option<SignedCheckpoint>, NotaryError> {
        loop {
            let mut transaction = self.pool.begin().await?;
            sqlx::query("SELECT pg_advisory_xact_lock($1)")
                .bind(LOCK)
                .execute(&mut *transaction)
                .await?;
            let connection = &mut *transaction;
            let key = signing_key(connection, &self.settings.key_file, &*self.ids).await?;
            let before = latest(connection).await?;
            let head = head(connection).await?;
            if let Some(before) = &before {
                Checkpoint::open(&before.note, &key.verifying())?;
            }
            let size = before.as_ref().map_or(0, |b| b.checkpoint.size);
            if size >= head {
                transaction.commit().await?;
                return if size == head {
                    Ok(before)
                } else {
                    Err(NotaryError::CutOff { head, size })
                };
            }
            let end = head.min((size / TILE) * TILE + STEP);
            let root = self.grow(connection, before.as_ref(), end).await?;
            let signed = self.sign(&key, before.as_ref(), end, root).await?;
            fault_point::reach("notary.after_note");
            insert(connection, &signed).await?;
            fault_point::reach("notary.before_commit");
            transaction.commit().await?;
            if end == head {
                return Ok(Some(signed));
            }
        }
    }

    /// Reads the new leaves tile by tile, keeps each tile, stores its root, and gives the root of
    /// the tree of `end` entries. Checks on the way that the tree of before is still there.
    async fn grow(
        &self,
        connection: &mut PgConnection,
        before: Option<&SignedCheckpoint>,
        end: u64,
    ) -> Result<Hash, NotaryError> {
        let until = self.locked_until();
        let old = before.map_or(0, |b| b.checkpoint.size);
        let first = old / TILE;
        let start = first * TILE;
        let mut range =
            CompactRange::resume(start, peaks(connection, (0, start)).await?).unwrap_or_default();
        let unchanged = |range: &CompactRange| {
            before.is_none_or(|b| {
                range.size() != b.checkpoint.size || range.root() == b.checkpoint.root
            })
        };
        if !unchanged(&range) {
            return Err(NotaryError::Rewritten { size: old });
        }
        for index in first..end.div_ceil(TILE) {
            let width = TILE.min(end - index * TILE);
            let leaves = nodes(connection, 0, index * TILE, width).await?;
            for leaf in &leaves {
                range.push(*leaf);
                if !unchanged(&range) {
                    return Err(NotaryError::Rewritten { size: old });
                }
            }
            self.copies.put_tile(index, &leaves, until).await?;
            fault_point::reach("notary.after_tile");
            if width == TILE {
                insert_nodes(connection, index, tree::root(&leaves)).await?;
            }
        }
        Ok(range.root())
    }

    /// Signs and keeps the note. One of this size that is there already is taken as it is.
    async fn sign(
        &self,
        key: &SigningKey,
        before: Option<&SignedCheckpoint>,
        size: u64,
        root: Hash,
    ) -> Result<SignedCheckpoint, NotaryError> {
        // To the microsecond, as the database keeps it; never before the one before.
        let now = self.clock.now();
        let now = now
            .replace_nanosecond(now.microsecond() * 1000)
            .unwrap_or(now);
        let checkpoint = Checkpoint {
            origin: key.name().to_owned(),
            size,
            root,
            time: before.map_or(now, |b| now.max(b.checkpoint.time)),
        };
        let note = checkpoint.sign(key);
        let blob = checkpoint_key(size);
        let made = match self
            .copies
            .put(&blob, Bytes::from(note.clone()), self.locked_until())
            .await
        {
            Err(CopyError::Differs { .. }) => false,
            other => other?,
        };
        if made {
            return Ok(SignedCheckpoint { checkpoint, note });
        }
        let there = self.copies.get(&blob).await?.unwrap_or_default();
        let note = String::from_utf8_lossy(&there).into_owned();
        match Checkpoint::open(&note, &key.verifying()) {
            Ok(found) if (found.size, found.root) == (size, root) => Ok(SignedCheckpoint {
                checkpoint: found,
                note,
            }),
            _ => Err(CopyError::Differs { key: blob }.into()),
        }
    }

    fn locked_until(&self) -> Option<OffsetDateTime> {
        let days = i64::from(self.settings.lock_days);
        (days > 0).then(|| self.clock.now() + time::Duration::days(days))
    }
}

async fn head(connection: &mut PgConnection) -> Result<u64, NotaryError> {
    let head: i64 = sqlx::query_scalar("SELECT position FROM es_head WHERE id = 0")
        .fetch_one(connection)
        .await?;
    Ok(u64::try_from(head).unwrap_or(0))
}

/// Stores the root of a full tile, and of each tile above that it completes.
async fn insert_nodes(
    connection: &mut PgConnection,
    mut index: u64,
    mut hash: Hash,
) -> Result<(), NotaryError> {
    for level in 1_u32.. {
        sqlx::query("INSERT INTO log_nodes (level, index, hash) VALUES ($1, $2, $3)")
            .bind(i32::try_from(level).unwrap_or(i32::MAX))
            .bind(i64::try_from(index).unwrap_or(i64::MAX))
            .bind(hash.as_slice())
            .execute(&mut *connection)
            .await?;
        if !(index + 1).is_multiple_of(TILE) {
            break;
        }
        index /= TILE;
        hash = tree::root(&nodes(connection, level, index * TILE, TILE).await?);
    }
    Ok(())
}

async fn insert(
    connection: &mut PgConnection,
    signed: &SignedCheckpoint,
) -> Result<(), NotaryError> {
    let checkpoint = &signed.checkpoint;
    sqlx::query("INSERT INTO log_checkpoints (size, root, time, note) VALUES ($1, $2, $3, $4)")
        .bind(i64::try_from(checkpoint.size).unwrap_or(i64::MAX))
        .bind(checkpoint.root.as_slice())
        .bind(checkpoint.time)
        .bind(&signed.note)
        .execute(connection)
        .await?;
    Ok(())
}
