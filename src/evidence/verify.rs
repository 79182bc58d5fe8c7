//! Checks a pack without a server, reading it as what it may be: made by an enemy.
//!
//! Nothing is unpacked; what is read into memory is bounded.

mod content;
mod entries;

use super::container::{Container, ContainerError, Member};
use super::{
    ALWAYS, CHECKPOINT, Content, KEY, MANIFEST, Manifest, ORIGINAL, PROOFS, Proofs, TEXT,
    TEXT_JSON, VERSION,
};
use crate::proof::checkpoint::Checkpoint;
use crate::proof::note::VerifyingKey;
use crate::proof::{Hash, hash_from_hex};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Seek};
use time::OffsetDateTime;
use uuid::Uuid;

/// Most findings kept; one is enough to know that a pack is bad.
const MOST_FINDINGS: usize = 100;
/// Largest file that is read into memory, in bytes.
const LARGEST: u64 = 256 << 20;
/// Largest small file.
const SMALL: u64 = 1 << 20;

/// What was checked, and what was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The document.
    pub document_id: Option<Uuid>,
    /// The log: the name of the key that was used.
    pub log: String,
    /// The key that was used.
    pub vkey: String,
    /// Whether it was given from outside; if not, the pack's own was used.
    pub key_was_given: bool,
    /// The pack shows the log up to this position.
    pub position: i64,
    /// Size of the checkpoint's tree.
    pub size: u64,
    /// Whether the pack has the document itself.
    pub content: Option<Content>,
    /// When it was made, as its manifest says.
    #[serde(with = "time::serde::rfc3339::option")]
    pub made_at: Option<OffsetDateTime>,
    /// By whom.
    pub made_by: String,
    /// Why.
    pub reason: Option<String>,
    /// Files in the pack.
    pub files: usize,
    /// Events of the document.
    pub events: u64,
    /// Private parts that fit their digests.
    pub private_parts: u64,
    /// Records of access to the document.
    pub records: u64,
    /// Entries that the checkpoint proves.
    pub proven: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file of the pack, or `the pack`.
    pub place: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl Report {
    fn found(&mut self, place: &str, what: impl fmt::Display) {
        if self.findings.len() < MOST_FINDINGS {
            let what = what.to_string();
            let place = place.to_owned();
            self.findings.push(Finding { place, what });
        }
    }
}

/// Checks a pack. Without a key from outside its own is used, which shows that it is whole, but not
/// whose log it is of.
///
/// # Errors
/// When it cannot be read, or is no zip of the form that packs have.
pub fn verify<R: Read + Seek>(
    pack: R,
    key: Option<&VerifyingKey>,
) -> Result<Report, ContainerError> {
    let container = Container::open(pack)?;
    let report = Report {
        files: container.members.len(),
        key_was_given: key.is_some(),
        ..Report::default()
    };
    let mut check = Check {
        container,
        report,
        checkpoint: None,
        proofs: BTreeMap::new(),
        manifest: None,
    };
    check.all(key)?;
    Ok(check.report)
}

/// A check under way.
struct Check<R> {
    container: Container<R>,
    report: Report,
    checkpoint: Option<Checkpoint>,
    /// Proofs that no entry has used yet.
    proofs: BTreeMap<i64, Vec<Hash>>,
    manifest: Option<Manifest>,
}

impl<R: Read + Seek> Check<R> {
    fn all(&mut self, given: Option<&VerifyingKey>) -> Result<(), ContainerError> {
        let own = self.text(KEY)?.unwrap_or_default();
        let own = VerifyingKey::parse(&own);
        let key = match (given, own) {
            (Some(given), own) => {
                if own.as_ref() != Ok(given) {
                    self.report.found(KEY, "it is not the key that was given");
                }
                given.clone()
            }
            (None, Ok(own)) => own,
            (None, Err(error)) => {
                self.report.found(KEY, error);
                return Ok(());
            }
        };
        key.name().clone_into(&mut self.report.log);
        self.report.vkey = key.vkey();
        if let Err(error) = self.container.check_seal(&key) {
            self.report.found("the pack", error);
        }
        self.manifest()?;
        self.tree(&key)?;
        let events = self.events()?;
        self.access()?;
        let unused: Vec<i64> = self.proofs.keys().copied().collect();
        for position in unused {
            let what = format!("it proves position {position}, which no entry has");
            self.report.found(PROOFS, what);
        }
        self.content(&events)
    }

    /// The manifest, and every file against it.
    fn manifest(&mut self) -> Result<(), ContainerError> {
        let members = self.container.members.clone();
        for name in ALWAYS.into_iter().chain([MANIFEST]) {
            if !members.iter().any(|m| m.name == name) {
                self.report.found(name, "it is missing");
            }
        }
        let manifest: Option<Manifest> = self.json(MANIFEST, SMALL)?;
        let mut listed = manifest.as_ref().map_or(Vec::new(), |m| m.files.clone());
        for member in &members {
            let name = &member.name;
            let digests = self.container.digests(member)?;
            if digests.crc != member.crc {
                self.report.found(name, "its CRC-32 does not fit");
            }
            if !is_known(name) {
                self.report
                    .found(name, "such a file has no place in a pack");
            }
            if name == MANIFEST {
                continue;
            }
            let Some(at) = listed.iter().position(|f| f.name == *name) else {
                self.report.found(name, "the manifest does not list it");
                continue;
            };
            let file = listed.swap_remove(at);
            if file.size != u64::from(member.size) || file.sha256 != digests.sha256 {
                self.report.found(name, "it is not what the manifest says");
            }
        }
        for file in listed {
            self.report
                .found(&file.name, "the manifest lists it, and it is missing");
        }
        if let Some(manifest) = &manifest {
            let report = &mut self.report;
            if manifest.version != VERSION {
                report.found(MANIFEST, "it is of another version");
            }
            if manifest.log != report.log {
                report.found(MANIFEST, format!("it is of the log {}", manifest.log));
            }
            report.document_id = Some(manifest.document_id);
            report.position = manifest.position;
            report.content = Some(manifest.content);
            report.made_at = Some(manifest.made_at);
            report.made_by.clone_from(&manifest.made_by);
            report.reason.clone_from(&manifest.reason);
        }
        self.manifest = manifest;
        Ok(())
    }

    /// The checkpoint, and the proofs that lead to it.
    fn tree(&mut self, key: &VerifyingKey) -> Result<(), ContainerError> {
        let note = self.text(CHECKPOINT)?.unwrap_or_default();
        match Checkpoint::open(&note, key) {
            Ok(checkpoint) => {
                self.report.size = checkpoint.size;
                if u64::try_from(self.report.position).unwrap_or(0) > checkpoint.size {
                    self.report
                        .found(CHECKPOINT, "it is older than the pack's position");
                }
                self.checkpoint = Some(checkpoint);
            }
            Err(error) => self.report.found(CHECKPOINT, Chain(&error)),
        }
        let Some(proofs) = self.json::<Proofs>(PROOFS, LARGEST)? else {
            return Ok(());
        };
        if self
            .checkpoint
            .as_ref()
            .is_some_and(|c| c.size != proofs.size)
        {
            self.report
                .found(PROOFS, "they are for a tree of another size");
        }
        for proof in proofs.proofs {
            let hashes = proof.proof.iter().map(|h| hash_from_hex(h)).collect();
            let hashes: Option<Vec<Hash>> = hashes;
            let taken = hashes.map(|hashes| self.proofs.insert(proof.position, hashes));
            if !matches!(taken, Some(None)) {
                let what = format!(
                    "that of position {} is broken or there twice",
                    proof.position
                );
                self.report.found(PROOFS, what);
            }
        }
        Ok(())
    }

    fn member(&self, name: &str) -> Option<Member> {
        self.container
            .members
            .iter()
            .find(|m| m.name == name)
            .cloned()
    }

    /// A file as a whole, when it is there and not too large.
    fn bytes(&mut self, name: &str, largest: u64) -> Result<Option<Vec<u8>>, ContainerError> {
        let Some(member) = self.member(name) else {
            return Ok(None);
        };
        if u64::from(member.size) > largest {
            self.report.found(name, "it is too large");
            return Ok(None);
        }
        let mut bytes = Vec::new();
        self.container
            .read_from(&member, 0)?
            .read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, ContainerError> {
        let bytes = self.bytes(name, SMALL)?;
        Ok(bytes.and_then(|b| String::from_utf8(b).ok()))
    }

    fn json<T: DeserializeOwned>(
        &mut self,
        name: &str,
        largest: u64,
    ) -> Result<Option<T>, ContainerError> {
        let Some(bytes) = self.bytes(name, largest)? else {
            return Ok(None);
        };
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                self.report.found(name, error);
                Ok(None)
            }
        }
    }
}

fn is_known(name: &str) -> bool {
    let original = name.strip_prefix(ORIGINAL);
    ALWAYS.contains(&name)
        || [MANIFEST, TEXT, TEXT_JSON].contains(&name)
        || original.is_some_and(|name| super::pack::safe(name) == name)
}

/// An error with its causes in one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
