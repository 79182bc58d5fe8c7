//! The entries of a pack: each proven, those of the document's stream without a gap, private
//! parts and readable records as the entries have them.

use super::super::container::{ContainerError, Member};
use super::super::{AUDIT, AccessLine, EVENTS, SealedPart, StreamLine};
use super::Check;
use crate::proof::entry::Entry;
use crate::proof::{hash_from_hex, tree};
use kmrl_domain::private::PrivatePart;
use kmrl_domain::{access, document};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Seek};

/// Longest line, in bytes.
const LONGEST_LINE: u64 = 16 << 20;
/// Most lines of a file.
const MOST_LINES: u64 = 4_000_000;

/// An event as far as it matters for the content.
pub(super) struct Known {
    pub(super) event_type: String,
    pub(super) payload: Value,
}

impl<R: Read + Seek> Check<R> {
    /// Checks the stream; gives its events.
    pub(super) fn events(&mut self) -> Result<Vec<Known>, ContainerError> {
        let mut known = Vec::new();
        let mut erased_parts = Vec::new();
        let mut last = 0;
        self.lines(EVENTS, |check, line: StreamLine| {
            let StreamLine { entry, private } = line;
            check.report.events += 1;
            if i64::try_from(check.report.events).ok() != Some(entry.sequence) {
                check.wrong(
                    EVENTS,
                    &entry,
                    "an event before it is missing, or the order is another",
                );
            }
            check.placed(EVENTS, &entry, document::TYPE, &mut last);
            if check.report.document_id.map(|id| id.to_string()).as_ref()
                != Some(&entry.aggregate_id)
            {
                check.wrong(EVENTS, &entry, "it is of another document");
            }
            let payload: Value = serde_json::from_str(&entry.payload).unwrap_or_default();
            let digest = payload.get("private").and_then(Value::as_str);
            match (digest, private) {
                (Some(digest), Some(part)) if fits(&part, digest) => {
                    check.report.private_parts += 1
                }
                (None, None) => {}
                (Some(_), None) => erased_parts.push(entry.position),
                _ => check.wrong(
                    EVENTS,
                    &entry,
                    "its private part is another than it commits to",
                ),
            }
            known.push(Known {
                event_type: entry.event_type,
                payload,
            });
        })?;
        if known.is_empty() {
            self.report
                .found(EVENTS, "there is no event of the document");
        }
        if !known.iter().any(|e| e.event_type == "Erased") {
            for position in erased_parts {
                let what = format!(
                    "position {position}: its private part is missing, and no event says that it was erased"
                );
                self.report.found(EVENTS, what);
            }
        }
        Ok(known)
    }

    /// Checks the entries with records of access.
    pub(super) fn access(&mut self) -> Result<(), ContainerError> {
        let mut last = 0;
        self.lines(AUDIT, |check, line: AccessLine| {
            check.placed(AUDIT, &line.entry, access::TYPE, &mut last);
            let id = check.report.document_id.unwrap_or_default();
            match AccessLine::of(line.entry.clone(), id) {
                Ok(proven) if proven.records.is_empty() => {
                    check.wrong(AUDIT, &line.entry, "it has no record of this document");
                }
                Ok(proven) if proven == line => check.report.records += line.records.len() as u64,
                Ok(_) => check.wrong(
                    AUDIT,
                    &line.entry,
                    "the readable records are not those of the entry",
                ),
                Err(error) => check.wrong(AUDIT, &line.entry, &error.to_string()),
            }
        })
    }

    /// An entry of a kind of stream, after the one before it, with its proof.
    fn placed(&mut self, file: &str, entry: &Entry, kind: &str, last: &mut i64) {
        if entry.aggregate_type != kind {
            self.wrong(file, entry, "it is of another kind of stream");
        }
        if entry.position <= *last || entry.position > self.report.position {
            self.wrong(file, entry, "its position is out of order");
        }
        *last = entry.position;
        let Some(checkpoint) = &self.checkpoint else {
            return;
        };
        let Some(proof) = self.proofs.remove(&entry.position) else {
            return self.wrong(file, entry, "it has no proof");
        };
        let index = u64::try_from(entry.position.saturating_sub(1)).unwrap_or(u64::MAX);
        let (size, root) = (checkpoint.size, &checkpoint.root);
        match tree::verify_inclusion(&entry.leaf(), index, size, &proof, root) {
            Ok(()) => self.report.proven += 1,
            Err(error) => {
                let what = format!("it is not proven to be in the log as it stands here: {error}");
                self.wrong(file, entry, &what);
            }
        }
    }

    fn wrong(&mut self, file: &str, entry: &Entry, what: &str) {
        let what = format!("position {}: {what}", entry.position);
        self.report.found(file, what);
    }

    /// Takes each line of a file; it is read again from where it was left, so that what takes a
    /// line has the check for itself.
    fn lines<T: DeserializeOwned>(
        &mut self,
        name: &str,
        mut take: impl FnMut(&mut Self, T),
    ) -> Result<(), ContainerError> {
        let Some(member) = self.member(name) else {
            return Ok(());
        };
        let mut at = 0;
        let mut count = 0;
        while at < u64::from(member.size) {
            let batch = self.some_lines(&member, at)?;
            at += batch.iter().map(|line| line.len() as u64).sum::<u64>();
            for line in batch {
                count += 1;
                match serde_json::from_slice(&line) {
                    Ok(value) if line.ends_with(b"\n") => take(self, value),
                    Ok(_) => self.report.found(name, "its last line is cut off"),
                    Err(error) => self.report.found(name, format!("line {count}: {error}")),
                }
            }
            if count > MOST_LINES {
                self.report.found(name, "it has too many lines");
                break;
            }
        }
        Ok(())
    }

    /// Some whole lines from a place on: about as much as the longest may have.
    fn some_lines(&mut self, member: &Member, from: u64) -> Result<Vec<Vec<u8>>, ContainerError> {
        let mut reader = BufReader::new(self.container.read_from(member, from)?);
        let (mut lines, mut read) = (Vec::new(), 0);
        while read < LONGEST_LINE {
            let mut line = Vec::new();
            let n = reader
                .by_ref()
                .take(LONGEST_LINE)
                .read_until(b'\n', &mut line)?;
            if n == 0 {
                break;
            }
            read += n as u64;
            lines.push(line);
        }
        Ok(lines)
    }
}

fn fits(part: &SealedPart, digest: &str) -> bool {
    let Some(salt) = hash_from_hex(&part.salt) else {
        return false;
    };
    let content = part.content.clone();
    PrivatePart { salt, content }.digest().0 == digest
}
