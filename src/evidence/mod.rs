//! Evidence packs: one file with a document, its history and who saw it, that proves itself
//! without a server.
//!
//! Owns the form of packs, how they are made and how they are checked. It must not know of HTTP,
//! and must not write anything but the file it is given.
//!
//! # Form
//!
//! A pack is a zip whose files are stored, not compressed, without a gap between them:
//!
//! | file | what it holds |
//! |---|---|
//! | `original/NAME` | the document's bytes; SHA-256 as in its event `Uploaded` |
//! | `text.json` | the artefact of its newest text; SHA-256 as in its last event that sets one: `Reviewed`, or `Extracted` without `correction_kept` |
//! | `text.txt` | the same text, with a form feed between pages |
//! | `events.jsonl` | each event of its stream, a [`StreamLine`] a line |
//! | `audit.jsonl` | each entry of the log with records of access to it, an [`AccessLine`] a line |
//! | `proofs.json` | an inclusion proof for each of these entries: [`Proofs`] |
//! | `checkpoint.txt` | the signed checkpoint that the proofs lead to |
//! | `key.txt` | the log's public key, for information; whoever checks should have it from elsewhere |
//! | `index.html` | the same for people |
//! | `manifest.json` | what the pack is, with size and SHA-256 of each other file: [`Manifest`] |
//!
//! The first three are absent when the document was withdrawn or erased or is in quarantine, the texts also while
//! there is none. The zip's comment is its seal: a signed note by the log's key over `sha256` of
//! every byte before the comment. There are no other bytes, so none can be changed unseen.
//!
//! # What it proves
//!
//! That every entry in it is in the log as the checkpoint has it; that bytes, text and private
//! parts are those that the entries commit to; and that nothing is missing between the first event
//! and the last in it. That there were no later events, and no records of access beside those in
//! it, is what the log's holder says by the seal: a Merkle tree cannot prove that something is not
//! there. A whole entry of access may also name other documents that were read about that time.

mod container;
mod make;
mod pack;
mod page;
#[cfg(test)]
mod tests;
mod verify;

pub use container::{ContainerError, MAGIC};
pub use make::{Evidence, EvidenceError, Made, Request};
pub use verify::{Finding, Report, verify};

use crate::proof::entry::Entry;
use kmrl_domain::access::{AccessRecord, AccessRecorded};
use serde::{Deserialize, Serialize};

const TEXT_JSON: &str = "text.json";
const TEXT: &str = "text.txt";
const EVENTS: &str = "events.jsonl";
const AUDIT: &str = "audit.jsonl";
const PROOFS: &str = "proofs.json";
const CHECKPOINT: &str = "checkpoint.txt";
const KEY: &str = "key.txt";
const INDEX: &str = "index.html";
const MANIFEST: &str = "manifest.json";
const ORIGINAL: &str = "original/";
/// The files that every pack has, beside the manifest.
const ALWAYS: [&str; 6] = [EVENTS, AUDIT, PROOFS, CHECKPOINT, KEY, INDEX];
/// Version of the form.
const VERSION: u32 = 1;

/// A line of `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamLine {
    /// The entry to the letter.
    pub entry: Entry,
    /// What its digest commits to; absent when there is none, or when it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<SealedPart>,
}

/// A private part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedPart {
    /// 64 hexadecimal digits.
    pub salt: String,
    /// JSON text to the letter.
    pub content: String,
}

/// A line of `audit.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessLine {
    /// The whole entry to the letter.
    pub entry: Entry,
    /// The records in it that are of this document, in order.
    pub records: Vec<AccessRecord>,
}

impl AccessLine {
    /// Reads the records of a document out of an entry.
    ///
    /// # Errors
    /// When its payload holds no records of access.
    pub fn of(entry: Entry, document_id: uuid::Uuid) -> Result<Self, serde_json::Error> {
        let all: AccessRecorded = serde_json::from_str(&entry.payload)?;
        let ours = all.records.into_iter();
        let records = ours
            .filter(|r| r.document_id == Some(document_id))
            .collect();
        Ok(Self { entry, records })
    }
}

/// `proofs.json`. Hashes are in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proofs {
    /// Size of the checkpoint's tree.
    pub size: u64,
    /// One for each entry, by position.
    pub proofs: Vec<EntryProof>,
}

/// An inclusion proof (RFC 9162, 2.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryProof {
    /// Position of the entry.
    pub position: i64,
    /// From the leaf up.
    pub proof: Vec<String>,
}

/// Whether a pack has the document itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// It is there.
    Included,
    /// The document was withdrawn: its content is not handed out.
    Withdrawn,
    /// The document was in quarantine: its content is not handed out.
    Quarantined,
    /// The document was erased: its content is no more.
    Erased,
}

impl Content {
    /// What the types of a document's events, in order, say of it.
    fn after<'a>(types: impl IntoIterator<Item = &'a str>) -> Self {
        types
            .into_iter()
            .fold(Self::Included, |so_far, name| match (so_far, name) {
                (_, "Erased") | (Self::Erased, _) => Self::Erased,
                (_, "Withdrawn") => Self::Withdrawn,
                (_, "Quarantined") => Self::Quarantined,
                (Self::Quarantined, "QuarantineReleased") => Self::Included,
                _ => so_far,
            })
    }
}

/// `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the form.
    pub version: u32,
    /// The document.
    pub document_id: uuid::Uuid,
    /// Which log: the name of its key.
    pub log: String,
    /// The pack shows the log up to this position.
    pub position: i64,
    /// Whether it has the document itself.
    pub content: Content,
    /// When it was made, by the clock of the gateway.
    #[serde(with = "time::serde::rfc3339")]
    pub made_at: time::OffsetDateTime,
    /// Who asked for it.
    pub made_by: String,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Every other file.
    pub files: Vec<FileDigest>,
}

/// A file of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigest {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes in hexadecimal.
    pub sha256: String,
}
