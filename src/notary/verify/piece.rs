//! One piece of the log with everything that is known of it: entries, private parts, checkpoints
//! and copies. Read by a task of its own, so that hashing runs beside reading.

use super::VerifyError;
use crate::notary::TILE;
use crate::notary::copies::Copies;
use crate::notary::entries::micros;
use crate::proof::Hash;
use crate::proof::checkpoint::Checkpoint;
use crate::proof::entry::Entry;
use crate::proof::export::bad_checkpoint;
use crate::proof::note::VerifyingKey;
use crate::proof::scan::{Finding, Kind, Row};
use kmrl_domain::PrivatePart;
use serde::Deserialize;
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::sync::Arc;
use time::OffsetDateTime;

/// Positions of a piece: whole tiles.
pub(super) const SIZE: u64 = 2 * TILE;

/// What a piece is read from.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) pool: PgPool,
    pub(super) copies: Copies,
    pub(super) key: VerifyingKey,
    /// Entries whose leaf hashes are copied.
    pub(super) copied: u64,
    /// Nothing beyond is looked at: it came while the check was running.
    pub(super) end: u64,
    pub(super) strays: Arc<BTreeMap<u64, Hash>>,
}

/// A piece of the log.
pub(super) struct Piece {
    pub(super) rows: Vec<Row>,
    pub(super) copies: Vec<Option<Hash>>,
    pub(super) checkpoints: Vec<(u64, Hash)>,
    pub(super) private_parts: u64,
    pub(super) findings: Vec<Finding>,
}

#[derive(sqlx::FromRow)]
struct Stored {
    position: i64,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    payload: String,
    metadata: String,
    recorded_at: OffsetDateTime,
    leaf: Vec<u8>,
    salt: Option<Vec<u8>>,
    content: Option<String>,
}

/// The commitment of an event to its private part; in all events it has the same name.
#[derive(Deserialize)]
struct Commitment {
    private: Option<String>,
}

const STORED: &str = "SELECT e.position, e.aggregate_type, e.aggregate_id, e.sequence, \
     e.event_type, e.event_version, e.payload::text, e.metadata::text, e.recorded_at, e.leaf, \
     p.salt, p.content FROM events e LEFT JOIN private_parts p ON p.position = e.position \
     WHERE e.position > $1 AND e.position <= $2 ORDER BY e.position";

impl Source {
    pub(super) async fn read(self, number: u64) -> Result<Piece, VerifyError> {
        let from = number * SIZE;
        let to = (from + SIZE).min(self.end);
        let mut piece = Piece {
            rows: Vec::new(),
            copies: Vec::new(),
            checkpoints: Vec::new(),
            private_parts: 0,
            findings: Vec::new(),
        };
        for index in from / TILE..to.div_ceil(TILE) {
            self.tile(index, &mut piece).await?;
        }
        self.checkpoints(from, to, &mut piece).await?;
        let signed = |n| i64::try_from(n).unwrap_or(i64::MAX);
        // Positions below the first do not exist; if they do, they are seen.
        let lowest = if from == 0 { i64::MIN } else { signed(from) };
        let stored: Vec<Stored> = sqlx::query_as(STORED)
            .bind(lowest)
            .bind(signed(to))
            .fetch_all(&self.pool)
            .await?;
        for stored in stored {
            match stored.private_part() {
                Private::None => {}
                Private::Fits => piece.private_parts += 1,
                Private::Gone if self.is_erased(&stored).await? => {}
                Private::Gone => {
                    let what = "its private part is gone, and its document was not erased";
                    piece.find(Kind::PrivateMissing, &stored, what);
                }
                Private::Another => {
                    let what = "its private part is not the one whose digest it has";
                    piece.find(Kind::PrivateAltered, &stored, what);
                }
            }
            piece.rows.push(stored.row());
        }
        Ok(piece)
    }

    async fn is_erased(&self, stored: &Stored) -> Result<bool, VerifyError> {
        let erased = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 \
             AND event_type = 'Erased')",
        )
        .bind(&stored.aggregate_type)
        .bind(&stored.aggregate_id)
        .fetch_one(&self.pool)
        .await?;
        Ok(erased)
    }

    /// The copy of a tile, as far as there should be one.
    async fn tile(&self, index: u64, piece: &mut Piece) -> Result<(), VerifyError> {
        let width = TILE.min(self.copied.saturating_sub(index * TILE));
        if width == 0 {
            return Ok(());
        }
        match self.copies.tile(index, width).await? {
            Some(hashes) => piece.copies.extend(hashes.into_iter().map(Some)),
            None => {
                let what = "the copy of its leaf hash and those after it is missing or cut off";
                let at = index * TILE + 1;
                piece
                    .findings
                    .push(Finding::new(Kind::CopyMissing, at, what));
                piece.copies.extend((0..width).map(|_| None));
            }
        }
        Ok(())
    }

    /// Checkpoints of sizes in the piece, from rows and from copies without one.
    async fn checkpoints(&self, from: u64, to: u64, piece: &mut Piece) -> Result<(), VerifyError> {
        let signed = |n| i64::try_from(n).unwrap_or(i64::MAX);
        let rows: Vec<(i64, Vec<u8>, String)> = sqlx::query_as(
            "SELECT size, root, note FROM log_checkpoints WHERE size > $1 AND size <= $2 ORDER BY size",
        )
        .bind(signed(from))
        .bind(signed(to))
        .fetch_all(&self.pool)
        .await?;
        let mut good = BTreeMap::new();
        for (size, root, note) in rows {
            let size = u64::try_from(size).unwrap_or(0);
            match Checkpoint::open(&note, &self.key) {
                Ok(found) => {
                    if (found.size, found.root.as_slice()) != (size, root.as_slice()) {
                        let what = "its row says something else than the note in it";
                        let finding = Finding::new(Kind::CheckpointAltered, size, what);
                        piece.findings.push(finding);
                    }
                    good.insert(found.size, found.root);
                }
                Err(error) => piece.findings.push(bad_checkpoint(size, &error)),
            }
        }
        let strays = self.strays.range(from + 1..=to);
        good.extend(strays.map(|(size, root)| (*size, *root)));
        piece.checkpoints.extend(good);
        Ok(())
    }
}

impl Piece {
    fn find(&mut self, kind: Kind, stored: &Stored, what: &str) {
        let position = u64::try_from(stored.position).unwrap_or(0);
        self.findings.push(Finding::new(kind, position, what));
    }
}

/// The private part of an entry, held against the digest in it.
enum Private {
    None,
    Fits,
    Gone,
    Another,
}

impl Stored {
    fn private_part(&self) -> Private {
        // A payload that is none is found by its leaf.
        let committed = serde_json::from_str(&self.payload)
            .ok()
            .and_then(|c: Commitment| c.private);
        match (committed, &self.content) {
            (None, None) => Private::None,
            (Some(_), None) => Private::Gone,
            (committed, Some(content)) => {
                let salt = self.salt.as_deref().and_then(|s| s.try_into().ok());
                let part = PrivatePart {
                    salt: salt.unwrap_or_default(),
                    content: content.clone(),
                };
                if committed == Some(part.digest().0) {
                    Private::Fits
                } else {
                    Private::Another
                }
            }
        }
    }

    fn row(self) -> Row {
        let entry = Entry {
            position: self.position,
            aggregate_type: self.aggregate_type,
            aggregate_id: self.aggregate_id,
            sequence: self.sequence,
            event_type: self.event_type,
            event_version: self.event_version,
            recorded_at: micros(self.recorded_at),
            payload: self.payload,
            metadata: self.metadata,
        };
        Row {
            leaf: entry.leaf(),
            // A hash of another length is none of any entry.
            stored: self.leaf.try_into().unwrap_or_default(),
            entry,
        }
    }
}
