//! Writes the files of a pack in their order.

use super::container::{LONGEST_NAME, Sink, Writer};
use super::page::{self, Page};
use super::{
    AUDIT, AccessLine, CHECKPOINT, Content, EVENTS, EvidenceError, FileDigest, INDEX, KEY,
    MANIFEST, Manifest, ORIGINAL, PROOFS, Proofs, StreamLine, TEXT, TEXT_JSON, VERSION,
};
use crate::proof::note::SigningKey;
use kmrl_domain::values::TextArtefact;
use serde::Serialize;
use std::io::{Read, Seek, Write};
use time::OffsetDateTime;
use uuid::Uuid;

/// What a pack is.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) document_id: Uuid,
    pub(super) position: i64,
    pub(super) content: Content,
    pub(super) made_at: OffsetDateTime,
    pub(super) made_by: String,
    pub(super) reason: Option<String>,
}

/// A pack being written. What it shows to people is gathered on the way.
pub(super) struct Pack<W: Read + Write + Seek> {
    zip: Writer<W>,
    files: Vec<FileDigest>,
    page: Page,
}

impl<W: Read + Write + Seek> Pack<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            zip: Writer::new(out),
            files: Vec::new(),
            page: Page::default(),
        }
    }

    /// Adds the document's bytes; gives their SHA-256.
    pub(super) fn original(
        &mut self,
        name: &str,
        fill: impl FnOnce(&mut Sink<'_>) -> Result<(), EvidenceError>,
    ) -> Result<String, EvidenceError> {
        self.add(&format!("{ORIGINAL}{}", safe(name)), fill)
    }

    /// Adds the text in both forms.
    pub(super) fn text(&mut self, artefact: &[u8]) -> Result<(), EvidenceError> {
        let read: TextArtefact = serde_json::from_slice(artefact)?;
        self.add(TEXT_JSON, |to| Ok(to.write_all(artefact)?))?;
        let text = read.text();
        self.add(TEXT, |to| Ok(to.write_all(text.as_bytes())?))?;
        Ok(())
    }

    /// Adds the events of the stream.
    pub(super) fn events(&mut self, events: &[StreamLine]) -> Result<(), EvidenceError> {
        self.add(EVENTS, |to| {
            events.iter().try_for_each(|event| json_line(to, event))
        })?;
        self.page.events(events);
        Ok(())
    }

    /// Adds the entries with records of access, as they come.
    pub(super) fn access(
        &mut self,
        entries: impl IntoIterator<Item = Result<AccessLine, EvidenceError>>,
    ) -> Result<(), EvidenceError> {
        let mut page = std::mem::take(&mut self.page);
        self.add(AUDIT, |to| {
            for line in entries {
                let line = line?;
                json_line(to, &line)?;
                page.access(&line);
            }
            Ok(())
        })?;
        self.page = page;
        Ok(())
    }

    /// Adds the proofs and all that the rest says, and seals the pack.
    pub(super) fn finish(
        mut self,
        about: About,
        proofs: &Proofs,
        checkpoint: &str,
        key: &SigningKey,
    ) -> Result<W, EvidenceError> {
        self.add(PROOFS, |to| Ok(serde_json::to_writer(to, proofs)?))?;
        self.add(CHECKPOINT, |to| Ok(to.write_all(checkpoint.as_bytes())?))?;
        let vkey = key.vkey();
        self.add(KEY, |to| Ok(writeln!(to, "{vkey}")?))?;
        let mut manifest = Manifest {
            version: VERSION,
            document_id: about.document_id,
            log: key.name().to_owned(),
            position: about.position,
            content: about.content,
            made_at: about.made_at,
            made_by: about.made_by,
            reason: about.reason,
            files: self.files.clone(),
        };
        let html = page::html(&self.page, &manifest, &vkey);
        self.add(INDEX, |to| Ok(to.write_all(html.as_bytes())?))?;
        manifest.files = std::mem::take(&mut self.files);
        self.add(MANIFEST, |to| {
            serde_json::to_writer_pretty(&mut *to, &manifest)?;
            Ok(to.write_all(b"\n")?)
        })?;
        self.zip.finish(key)
    }

    fn add(
        &mut self,
        name: &str,
        fill: impl FnOnce(&mut Sink<'_>) -> Result<(), EvidenceError>,
    ) -> Result<String, EvidenceError> {
        let (size, sha256) = self.zip.add(name, fill)?;
        self.files.push(FileDigest {
            name: name.to_owned(),
            size,
            sha256: sha256.clone(),
        });
        Ok(sha256)
    }
}

fn json_line(to: &mut Sink<'_>, line: &impl Serialize) -> Result<(), EvidenceError> {
    serde_json::to_writer(&mut *to, line)?;
    Ok(to.write_all(b"\n")?)
}

/// A name that is one file wherever the pack is unpacked.
pub(super) fn safe(name: &str) -> String {
    let forbidden = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    let shown = |c: char| if forbidden(c) { '_' } else { c };
    let mut safe = String::new();
    for c in name.trim_matches([' ', '.']).chars().map(shown) {
        if safe.len() + c.len_utf8() > LONGEST_NAME - ORIGINAL.len() {
            break;
        }
        safe.push(c);
    }
    safe.truncate(safe.trim_end_matches([' ', '.']).len());
    if safe.is_empty() {
        safe.push_str("document");
    }
    safe
}
