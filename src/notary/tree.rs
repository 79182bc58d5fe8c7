//! Reading the tree of the log: proofs, roots and signed checkpoints, from leaves and tile nodes.

use super::key::{KeyError, registered_key};
use super::{TILE, entries};
use crate::proof::Hash;
use crate::proof::checkpoint::{Checkpoint, CheckpointError};
use crate::proof::export::LeafEntry;
use crate::proof::note::VerifyingKey;
use crate::proof::tree::{self, Leaves, ProofError, Subtree};
use sqlx::{PgConnection, PgPool};
use std::time::Duration;

/// Levels of the tree that one level of tiles spans.
const SPAN: u32 = TILE.ilog2();
/// Longest wait for a checkpoint that covers a position.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Reads the tree. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LogTree(PgPool);

/// A checkpoint with the note that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: String,
}

/// Why the tree does not answer.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The database did not answer.
    #[error("reading the tree of the log")]
    Database(#[from] sqlx::Error),
    /// No tree has this size, or none has been signed that is so large.
    #[error("there is no signed tree of {size} entries; the newest has {newest}")]
    NoSuchSize {
        /// Size asked for.
        size: i64,
        /// Size of the newest checkpoint; 0 while there is none.
        newest: i64,
    },
    /// There is no such proof.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// Leaves or nodes are missing: the log was tampered with.
    #[error("the tree of the log lacks nodes: {found} of {count} from {first} on level {level}")]
    Incomplete {
        /// Level of tiles.
        level: u32,
        /// First one asked for.
        first: u64,
        /// How many were asked for.
        count: u64,
        /// How many there are.
        found: u64,
    },
    /// A stored checkpoint cannot be read.
    #[error("reading a stored checkpoint")]
    Checkpoint(#[from] CheckpointError),
    /// The log's key cannot be read.
    #[error("reading the log's key")]
    Key(#[from] KeyError),
    /// No checkpoint covers the position although it was waited for.
    #[error("no checkpoint covers position {position} yet")]
    NotCovered {
        /// The position.
        position: i64,
    },
}

impl LogTree {
    /// The tree of the log in this database.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self(pool)
    }

    /// The public key of the log; `None` before its first checkpoint.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn key(&self) -> Result<Option<VerifyingKey>, TreeError> {
        Ok(registered_key(&self.0).await?)
    }

    /// The newest checkpoint; `None` while there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn latest(&self) -> Result<Option<SignedCheckpoint>, TreeError> {
        latest(&mut *self.0.acquire().await?).await
    }

    /// The checkpoint of a size, if one was made at it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn at(&self, size: i64) -> Result<Option<SignedCheckpoint>, TreeError> {
        let note = sqlx::query_scalar("SELECT note FROM log_checkpoints WHERE size = $1")
            .bind(size)
            .fetch_optional(&self.0)
            .await?;
        signed(note)
    }

    /// A checkpoint whose tree has the entry at a position. Waits up to 30 seconds for it.
    ///
    /// # Errors
    /// When none came or the database does not answer.
    pub async fn covering(&self, position: i64) -> Result<SignedCheckpoint, TreeError> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let wanted = u64::try_from(position).unwrap_or(0);
        loop {
            match self.latest().await? {
                Some(found) if found.checkpoint.size >= wanted => return Ok(found),
                _ if tokio::time::Instant::now() >= deadline => {
                    return Err(TreeError::NotCovered { position });
                }
                _ => crate::pause::pause(LOOK_AGAIN).await,
            }
        }
    }

    /// Proof that the entry at a position is in the tree of a size.
    ///
    /// # Errors
    /// When there is none.
    pub async fn inclusion(&self, position: i64, size: i64) -> Result<Vec<Hash>, TreeError> {
        let mut connection = self.0.acquire().await?;
        let size = covered(&mut connection, size).await?;
        // Position 0 and below become an index that no tree has.
        let index = u64::try_from(position.saturating_sub(1)).unwrap_or(u64::MAX);
        roots(&mut connection, tree::inclusion_path(index, size)?).await
    }

    /// Proof that the tree of a size begins with that of a smaller one.
    ///
    /// # Errors
    /// When there is none.
    pub async fn consistency(&self, old: i64, new: i64) -> Result<Vec<Hash>, TreeError> {
        let mut connection = self.0.acquire().await?;
        let new = covered(&mut connection, new).await?;
        let old = u64::try_from(old).unwrap_or(0);
        roots(&mut connection, tree::consistency_path(old, new)?).await
    }

    /// The leaf hash of the entry at a position.
    ///
    /// # Errors
    /// When there is no such entry.
    pub async fn leaf(&self, position: i64) -> Result<Hash, TreeError> {
        let index = u64::try_from(position.saturating_sub(1)).unwrap_or(u64::MAX);
        root(
            &mut *self.0.acquire().await?,
            (index, index.saturating_add(1)),
        )
        .await
    }

    /// At most `limit` entries after a position, none beyond `to`, with their stored leaves.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn entries(
        &self,
        after: i64,
        to: i64,
        limit: i64,
    ) -> Result<Vec<LeafEntry>, sqlx::Error> {
        entries::page(&self.0, after, to, limit).await
    }

    /// Root of the tree of a size.
    ///
    /// # Errors
    /// When no tree of that size has been signed.
    pub async fn root(&self, size: i64) -> Result<Hash, TreeError> {
        let mut connection = self.0.acquire().await?;
        let size = covered(&mut connection, size).await?;
        root(&mut connection, (0, size)).await
    }
}

/// The size, when tiles for it are there: when it is not beyond the newest checkpoint.
async fn covered(connection: &mut PgConnection, size: i64) -> Result<u64, TreeError> {
    let newest: Option<i64> = sqlx::query_scalar("SELECT max(size) FROM log_checkpoints")
        .fetch_one(connection)
        .await?;
    let newest = newest.unwrap_or(0);
    match u64::try_from(size) {
        Ok(unsigned) if size >= 1 && size <= newest => Ok(unsigned),
        _ => Err(TreeError::NoSuchSize { size, newest }),
    }
}

pub(super) async fn latest(
    connection: &mut PgConnection,
) -> Result<Option<SignedCheckpoint>, TreeError> {
    let note = sqlx::query_scalar("SELECT note FROM log_checkpoints ORDER BY size DESC LIMIT 1")
        .fetch_optional(connection)
        .await?;
    signed(note)
}

fn signed(note: Option<String>) -> Result<Option<SignedCheckpoint>, TreeError> {
    let read = |note: String| {
        let checkpoint = Checkpoint::parse(&note)?;
        Ok(SignedCheckpoint { checkpoint, note })
    };
    note.map(read).transpose()
}

async fn roots(connection: &mut PgConnection, parts: Vec<Leaves>) -> Result<Vec<Hash>, TreeError> {
    let mut roots = Vec::with_capacity(parts.len());
    for part in parts {
        roots.push(root(connection, part).await?);
    }
    Ok(roots)
}

/// Root of a part of the tree.
pub(super) async fn root(connection: &mut PgConnection, part: Leaves) -> Result<Hash, TreeError> {
    let peaks = peaks(connection, part).await?;
    Ok(tree::join(&peaks).unwrap_or_else(tree::empty_root))
}

/// Roots of the perfect subtrees of a part of the tree.
pub(super) async fn peaks(
    connection: &mut PgConnection,
    part: Leaves,
) -> Result<Vec<Hash>, TreeError> {
    let mut hashes = Vec::new();
    for Subtree { level, index } in tree::perfect_subtrees(part) {
        let below = level % SPAN;
        let (first, count) = (index << below, 1 << below);
        let nodes = nodes(connection, level / SPAN, first, count).await?;
        hashes.push(tree::root(&nodes));
    }
    Ok(hashes)
}

/// Nodes on a level of tiles, level 0 being the leaves; all of them or an error.
pub(super) async fn nodes(
    connection: &mut PgConnection,
    level: u32,
    first: u64,
    count: u64,
) -> Result<Vec<Hash>, TreeError> {
    let sql = match level {
        0 => {
            "SELECT leaf FROM events WHERE position > $1 AND position <= $1 + $2 AND $3 = 0 \
              ORDER BY position"
        }
        _ => {
            "SELECT hash FROM log_nodes WHERE level = $3 AND index >= $1 AND index < $1 + $2 \
              ORDER BY index"
        }
    };
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar(sql)
        .bind(i64::try_from(first).unwrap_or(i64::MAX))
        .bind(i64::try_from(count).unwrap_or(i64::MAX))
        .bind(i32::try_from(level).unwrap_or(i32::MAX))
        .fetch_all(connection)
        .await?;
    let found: Vec<Hash> = hashes
        .into_iter()
        .filter_map(|hash| hash.try_into().ok())
        .collect();
    if found.len() as u64 == count {
        Ok(found)
    } else {
        Err(TreeError::Incomplete {
            level,
            first,
            count,
            found: found.len() as u64,
        })
    }
}
