//! Checks a live log: everything in the database against contents, copies and signatures.
//!
//! Reads only. Goes along the log in pieces of bounded size, some at once.

mod around;
mod piece;

use super::copies::{CHECKPOINTS, Copies, CopyError, checkpoint_key, checkpoint_size, failed};
use super::key::{KeyError, registered_key};
use super::tree::TreeError;
use crate::ports::BlobStore;
use crate::proof::checkpoint::Checkpoint;
use crate::proof::export::bad_checkpoint;
use crate::proof::note::VerifyingKey;
use crate::proof::scan::{Finding, Kind, Scan};
use crate::proof::{Hash, hex};
use futures::StreamExt;
use serde::Serialize;
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Pieces read at once.
const AT_ONCE: usize = 4;
/// Copies of checkpoints without a row that are read; a kill leaves one at most.
const STRAYS: usize = 1000;
/// Objects listed at once. Large, because a folder is read whole for each page.
const PAGE: usize = 20_000;
/// Findings of one kind that are told; the first is what counts.
const TOLD: usize = 10;

/// What was checked, and what was found.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyReport {
    /// Entries read.
    pub entries: u64,
    /// Entries that the newest good checkpoint proves.
    pub proven: u64,
    /// Good checkpoints.
    pub checkpoints: u64,
    /// Private parts that fit their digests.
    pub private_parts: u64,
    /// Root of the tree over all entries, in hexadecimal.
    pub root: String,
    /// What is wrong, by position.
    pub findings: Vec<Finding>,
}

/// Why the check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The database did not answer.
    #[error("checking the log: reading the database")]
    Database(#[from] sqlx::Error),
    /// The blob store did not answer.
    #[error("checking the log: reading its copies")]
    Copy(#[from] CopyError),
    /// The registered key cannot be read.
    #[error("checking the log: reading its key")]
    Key(#[from] KeyError),
    /// The tree cannot be read.
    #[error("checking the log: reading its tree")]
    Tree(#[from] TreeError),
    /// A task of the check ended early.
    #[error("checking the log: a part of the check ended early")]
    Task(#[from] tokio::task::JoinError),
}

/// Checks the log in a database with its copies in a blob store. `progress` is told how many
/// positions of how many are done.
///
/// # Errors
/// When the database or the blob store does not answer. What is wrong with the log is no error.
pub async fn verify_live(
    pool: &PgPool,
    blobs: Arc<dyn BlobStore>,
    key: &VerifyingKey,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<VerifyReport, VerifyError> {
    let copies = Copies(blobs);
    let mut findings = Vec::new();
    if let Some(registered) = registered_key(pool).await?
        && registered != *key
    {
        findings.push(Finding {
            position: None,
            ..Finding::new(
                Kind::KeyReplaced,
                0,
                format!(
                    "the database names {}, not {}",
                    registered.vkey(),
                    key.vkey()
                ),
            )
        });
    }
    let kept = survey(pool, &copies, key, &mut findings).await?;
    let (head, signed): (i64, Option<i64>) = sqlx::query_as(
        "SELECT position, (SELECT max(size) FROM log_checkpoints) FROM es_head WHERE id = 0",
    )
    .fetch_one(pool)
    .await?;
    let head = u64::try_from(head).unwrap_or(0);
    let signed = u64::try_from(signed.unwrap_or(0)).unwrap_or(0);
    let end = head.max(signed).max(kept.newest);
    let source = piece::Source {
        pool: pool.clone(),
        copies,
        key: key.clone(),
        copied: kept.newest,
        end,
        strays: Arc::new(kept.strays),
    };
    let mut scan = Scan::default();
    scan.expect(head);
    let mut report = VerifyReport {
        entries: 0,
        proven: 0,
        checkpoints: 0,
        private_parts: 0,
        root: String::new(),
        findings,
    };
    along(&source, &mut scan, &mut report, progress).await?;
    scan.advance(true);
    report.entries = scan.seen();
    report.proven = scan.proven();
    report.root = hex(&scan.root());
    report.findings.append(&mut scan.finish());
    around::look(pool, head, &mut report.findings).await?;
    // Of what is wrong at the same place, content comes before what lies about it.
    report.findings.sort_by_key(|f| (f.position, f.kind));
    Ok(report)
}

/// Feeds the scan piece by piece, until the end or until the first wrong entry is known.
async fn along(
    source: &piece::Source,
    scan: &mut Scan,
    report: &mut VerifyReport,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<(), VerifyError> {
    let end = source.end;
    let pieces = end.div_ceil(piece::SIZE);
    let read = |n| tokio::spawn(source.clone().read(n));
    let mut read = futures::stream::iter((0..pieces).map(read)).buffered(AT_ONCE);
    let mut done = 0;
    while let Some(piece) = read.next().await {
        let piece = piece??;
        report.checkpoints += piece.checkpoints.len() as u64;
        report.private_parts += piece.private_parts;
        for finding in piece.findings {
            let told = report.findings.iter().filter(|f| f.kind == finding.kind);
            if told.count() < TOLD {
                report.findings.push(finding);
            }
        }
        scan.copies(piece.copies);
        for (size, root) in piece.checkpoints {
            scan.checkpoint(size, root);
        }
        scan.rows(piece.rows);
        scan.advance(false);
        done += 1;
        progress((done * piece::SIZE).min(end), end);
        if scan.knows() {
            break;
        }
    }
    Ok(())
}

/// What the blob store holds of checkpoints.
struct Kept {
    /// Size of the newest good one.
    newest: u64,
    /// Good ones that the database does not have.
    strays: BTreeMap<u64, Hash>,
}

/// Compares the checkpoints in the blob store with those in the database, both ways.
async fn survey(
    pool: &PgPool,
    copies: &Copies,
    key: &VerifyingKey,
    findings: &mut Vec<Finding>,
) -> Result<Kept, VerifyError> {
    let before: Option<i64> = sqlx::query_scalar("SELECT max(size) FROM log_checkpoints")
        .fetch_one(pool)
        .await?;
    let (mut after, mut newest) = (None, 0);
    let mut strays = Vec::new();
    loop {
        let listed = copies.0.list(CHECKPOINTS, after.as_deref(), PAGE).await;
        let listed = listed.map_err(failed(CHECKPOINTS))?;
        let Some(last) = listed.last() else { break };
        after = Some(last.key.clone());
        let sizes: Vec<u64> = listed
            .iter()
            .filter_map(|b| checkpoint_size(&b.key))
            .collect();
        let to = sizes.last().copied().unwrap_or(newest);
        let (unknown, uncopied) = around::compare_sizes(pool, newest, to, &sizes).await?;
        strays.extend(
            unknown
                .into_iter()
                .take(STRAYS.saturating_sub(strays.len())),
        );
        if let Some(size) = uncopied {
            findings.push(uncopied_checkpoint(size));
        }
        newest = to;
    }
    let before = u64::try_from(before.unwrap_or(0)).unwrap_or(0);
    if before > newest {
        findings.push(uncopied_checkpoint(newest + 1));
    }
    // Whatever the database says of it, the newest copy tells how long the log was.
    strays.extend((newest > 0).then_some(newest));
    let mut kept = Kept {
        newest: 0,
        strays: BTreeMap::new(),
    };
    for size in strays {
        let note = copies.get(&checkpoint_key(size)).await?.unwrap_or_default();
        match Checkpoint::open(&String::from_utf8_lossy(&note), key) {
            Ok(found) if found.size == size => {
                kept.strays.insert(size, found.root);
            }
            Ok(found) => findings.push(Finding::new(
                Kind::CheckpointAltered,
                size,
                format!("its copy is a checkpoint of {} entries", found.size),
            )),
            Err(error) => findings.push(bad_checkpoint(size, &error)),
        }
    }
    // Tiles reach as far as the newest copy, whether or not its note was changed.
    kept.newest = newest;
    Ok(kept)
}

fn uncopied_checkpoint(size: u64) -> Finding {
    let what = "a checkpoint from here on has no copy in the blob store";
    Finding::new(Kind::CheckpointMissing, size, what)
}
