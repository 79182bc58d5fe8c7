//! Writes the log up to its newest checkpoint as lines that can be checked without a server.

use super::copies::{Copies, CopyError};
use super::tree::{LogTree, TreeError};
use super::{TILE, entries};
use crate::ports::BlobStore;
use crate::proof::export::{Header, LeafEntry, Line, Tile, VERSION};
use crate::proof::{Hash, hash_from_hex};
use sqlx::PgPool;
use std::io::{self, Write};
use std::sync::Arc;

/// Why the log was not written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is nothing signed to export.
    #[error("no checkpoint of the log has been signed yet")]
    NotSigned,
    /// The database did not answer.
    #[error("exporting the log: reading the database")]
    Database(#[from] sqlx::Error),
    /// The tree cannot be read.
    #[error("exporting the log: reading its tree")]
    Tree(#[from] TreeError),
    /// The blob store did not answer.
    #[error("exporting the log: reading its copies")]
    Copy(#[from] CopyError),
    /// The lines could not be written.
    #[error("exporting the log: writing")]
    Write(#[from] io::Error),
    /// A line could not be made.
    #[error("exporting the log: making a line")]
    Line(#[from] serde_json::Error),
}

/// Writes everything up to the newest checkpoint, and gives the number of entries. What the
/// database says is written as it is: finding fault is the verifier's.
///
/// # Errors
/// See [`ExportError`].
pub async fn export_log(
    pool: &PgPool,
    blobs: Arc<dyn BlobStore>,
    out: &mut (dyn Write + Send),
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<u64, ExportError> {
    let tree = LogTree::new(pool.clone());
    let copies = Copies(blobs);
    let (Some(newest), Some(key)) = (tree.latest().await?, tree.key().await?) else {
        return Err(ExportError::NotSigned);
    };
    let end = newest.checkpoint.size;
    let header = Header {
        version: VERSION,
        origin: newest.checkpoint.origin,
        vkey: key.vkey(),
    };
    put(out, &Line::Log(header))?;
    let mut written = 0;
    for index in 0..end.div_ceil(TILE) {
        let (from, to) = (index * TILE, end.min((index + 1) * TILE));
        let page = entries::page(pool, signed(from), signed(to), i64::MAX).await?;
        let leaves = match copies.tile(index, to - from).await? {
            Some(leaves) => leaves,
            None => stored(&page),
        };
        put(out, &Line::Tile(Tile::new(index, &leaves)))?;
        let notes: Vec<String> = sqlx::query_scalar(
            "SELECT note FROM log_checkpoints WHERE size > $1 AND size <= $2 ORDER BY size",
        )
        .bind(signed(from))
        .bind(signed(to))
        .fetch_all(pool)
        .await?;
        for note in notes {
            put(out, &Line::Checkpoint(note))?;
        }
        for entry in page {
            put(out, &Line::Entry(entry))?;
            written += 1;
        }
        progress(to, end);
    }
    put(out, &Line::End(written))?;
    out.flush()?;
    Ok(written)
}

fn stored(page: &[LeafEntry]) -> Vec<Hash> {
    let leaf = |e: &LeafEntry| hash_from_hex(&e.leaf).unwrap_or_default();
    page.iter().map(leaf).collect()
}

fn put(out: &mut (dyn Write + Send), line: &Line) -> Result<(), ExportError> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")?;
    Ok(())
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
