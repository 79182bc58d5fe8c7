//! A log in a file, to be checked without a server. JSON Lines: a header; for every 256 entries a
//! tile with their leaf hashes, the signed checkpoints over them, and the entries; a last line.

use super::checkpoint::{Checkpoint, CheckpointError};
use super::entry::Entry;
use super::note::VerifyingKey;
use super::scan::{Finding, Kind, Row, Scan};
use super::{Hash, hash_from_hex, hex};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Version of the form of the file.
pub const VERSION: u32 = 1;

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Line {
    /// The first line.
    Log(Header),
    /// Leaf hashes of the entries that follow, at most 256.
    Tile(Tile),
    /// An entry.
    Entry(LeafEntry),
    /// A signed note. It comes after the tile and before the entry with its position.
    Checkpoint(String),
    /// The last line: how many entries there are.
    End(u64),
}

/// What the file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Version of the form.
    pub version: u32,
    /// Which log: the name of its key.
    pub origin: String,
    /// Its key, for information; a verifier must have it from elsewhere.
    pub vkey: String,
}

/// Leaf hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tile {
    /// The first is that of the entry at position `256 * index + 1`.
    pub index: u64,
    /// 32 bytes each, in base64.
    pub leaves: String,
}

impl Tile {
    /// A tile of leaf hashes.
    #[must_use]
    pub fn new(index: u64, leaves: &[Hash]) -> Self {
        Self {
            index,
            leaves: STANDARD.encode(leaves.concat()),
        }
    }

    /// The leaf hashes; `None` when this is no tile.
    #[must_use]
    pub fn hashes(&self) -> Option<Vec<Hash>> {
        let bytes = STANDARD.decode(&self.leaves).ok()?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        (rest.is_empty() && hashes.len() <= 256).then(|| hashes.to_vec())
    }
}

/// An entry with its leaf hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafEntry {
    /// The entry.
    #[serde(flatten)]
    pub entry: Entry,
    /// Its leaf hash, 64 hexadecimal digits.
    pub leaf: String,
}

impl LeafEntry {
    /// An entry with the leaf hash that is stored with it.
    #[must_use]
    pub fn new(entry: Entry, leaf: &Hash) -> Self {
        Self {
            entry,
            leaf: hex(leaf),
        }
    }
}

/// Why a file cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A line is not one of such a file.
    #[error("line {number} is none of a log export")]
    Line {
        /// From 1.
        number: u64,
        /// What the parser found.
        #[source]
        source: serde_json::Error,
    },
    /// The lines do not make a log export.
    #[error("line {number}: {what}")]
    Form {
        /// From 1.
        number: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The file is of another log than the key.
    #[error("the file is of the log {found}, the key of {expected}")]
    AnotherLog {
        /// Name of the key.
        expected: String,
        /// Origin in the file.
        found: String,
    },
}

/// What was checked, and what was found.
#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
    /// Entries in the file.
    pub entries: u64,
    /// Good checkpoints, with the one given.
    pub checkpoints: u64,
    /// Entries that the newest good checkpoint proves.
    pub proven: u64,
    /// Root of the tree over all entries, in hexadecimal.
    pub root: String,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Checks a file line by line.
pub struct FileCheck {
    key: VerifyingKey,
    scan: Scan,
    copied: u64,
    number: u64,
    checkpoints: u64,
    end: Option<u64>,
    findings: Vec<Finding>,
}

impl FileCheck {
    /// A check with a key and the newest checkpoint known, both from outside the file.
    #[must_use]
    pub fn new(key: VerifyingKey, given: Option<Checkpoint>) -> Self {
        let mut scan = Scan::default();
        let checkpoints = u64::from(given.is_some());
        if let Some(given) = given {
            scan.checkpoint(given.size, given.root);
        }
        Self {
            key,
            checkpoints,
            scan,
            copied: 0,
            number: 0,
            end: None,
            findings: Vec::new(),
        }
    }

    /// Takes the next line.
    ///
    /// # Errors
    /// When the file is none of this log, or its form is broken.
    pub fn line(&mut self, text: &str) -> Result<(), FileError> {
        self.number += 1;
        let number = self.number;
        let form = |what| FileError::Form { number, what };
        let line: Line =
            serde_json::from_str(text).map_err(|source| FileError::Line { number, source })?;
        if (number == 1) != matches!(line, Line::Log(_)) {
            return Err(form("the header is the first line, and no other"));
        }
        if self.end.is_some() {
            return Err(form("it comes after the last line"));
        }
        match line {
            Line::Log(header) => self.header(header)?,
            Line::Tile(tile) => {
                let hashes = tile.hashes().ok_or(form("this is no tile"))?;
                if tile.index.checked_mul(256) != Some(self.copied) {
                    return Err(form("a tile is missing, or tiles are in another order"));
                }
                self.copied += hashes.len() as u64;
                self.scan.copies(hashes.into_iter().map(Some));
            }
            Line::Entry(LeafEntry { entry, leaf }) => {
                let leaf_made = entry.leaf();
                let stored = hash_from_hex(&leaf).ok_or(form("the leaf is no hash"))?;
                self.scan.rows([Row {
                    entry,
                    leaf: leaf_made,
                    stored,
                }]);
                self.scan.advance(false);
            }
            Line::Checkpoint(note) => self.checkpoint(&note),
            Line::End(entries) => self.end = Some(entries),
        }
        Ok(())
    }

    /// The findings of all lines taken.
    #[must_use]
    pub fn finish(mut self) -> FileReport {
        if let Some(end) = self.end {
            self.scan.expect(end);
        }
        self.scan.advance(true);
        let (entries, root) = (self.scan.seen(), hex(&self.scan.root()));
        let proven = self.scan.proven();
        let mut findings = self.scan.finish();
        findings.append(&mut self.findings);
        let next = |kind, at, what: &str| vec![Finding::new(kind, at + 1, what)];
        if findings.is_empty() && self.end.is_none() {
            findings = next(Kind::CutOff, entries, "the file ends without its last line");
        } else if findings.is_empty() && proven < entries {
            findings = next(
                Kind::Unproven,
                proven,
                "no checkpoint covers this entry and those after it",
            );
        }
        findings.sort_by_key(|f| f.position);
        FileReport {
            entries,
            checkpoints: self.checkpoints,
            proven,
            root,
            findings,
        }
    }

    fn header(&mut self, header: Header) -> Result<(), FileError> {
        if header.version != VERSION {
            return Err(FileError::Form {
                number: 1,
                what: "this version of the form is not known",
            });
        }
        if header.origin != self.key.name() {
            return Err(FileError::AnotherLog {
                expected: self.key.name().to_owned(),
                found: header.origin,
            });
        }
        Ok(())
    }

    fn checkpoint(&mut self, note: &str) {
        match Checkpoint::open(note, &self.key) {
            Ok(found) => {
                self.checkpoints += 1;
                self.scan.checkpoint(found.size, found.root);
            }
            Err(error) => self.findings.push(bad_checkpoint(self.scan.seen(), &error)),
        }
    }
}

/// The finding of a checkpoint that cannot be trusted.
#[must_use]
pub fn bad_checkpoint(size: u64, error: &CheckpointError) -> Finding {
    let cause = std::error::Error::source(error).map_or_else(String::new, |c| format!(": {c}"));
    Finding::new(Kind::CheckpointAltered, size, format!("{error}{cause}"))
}
