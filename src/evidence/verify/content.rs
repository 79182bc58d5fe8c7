//! The document itself against what its events commit to.

use super::super::container::ContainerError;
use super::super::{Content, MANIFEST, ORIGINAL, TEXT, TEXT_JSON};
use super::entries::Known;
use super::{Check, LARGEST};
use kmrl_domain::judged;
use kmrl_domain::private::hex;
use kmrl_domain::values::TextArtefact;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::{Read, Seek};

impl<R: Read + Seek> Check<R> {
    /// Bytes and text, as the events say that they are.
    pub(super) fn content(&mut self, events: &[Known]) -> Result<(), ContainerError> {
        let expected = Content::after(events.iter().map(|e| e.event_type.as_str()));
        if self.manifest.is_some() && self.report.content != Some(expected) {
            let what = "what it says of the document's content is not what the events say";
            self.report.found(MANIFEST, what);
        }
        let is_included = expected == Content::Included;
        let uploaded = events.iter().find(|e| e.event_type == "Uploaded");
        let blob = uploaded.filter(|_| is_included).map(|e| &e.payload["blob"]);
        self.original(blob)?;
        let newest_first = events.iter().rev();
        let sets_text = |e: &&Known| judged::sets_text(&e.event_type, &e.payload);
        let text = newest_first.filter(|_| is_included).find(sets_text);
        self.extracted(text.map(|e| &e.payload["text"]))
    }

    fn original(&mut self, blob: Option<&Value>) -> Result<(), ContainerError> {
        let members = self.container.members.iter();
        let originals: Vec<_> = members
            .filter(|m| m.name.starts_with(ORIGINAL))
            .cloned()
            .collect();
        match (blob, &originals[..]) {
            (None, []) => {}
            (Some(blob), [original]) => {
                let digests = self.container.digests(original)?;
                if blob["sha256"].as_str() != Some(&digests.sha256)
                    || blob["size"].as_u64() != Some(u64::from(original.size))
                {
                    let what = "its bytes are not those that the event Uploaded names";
                    self.report.found(&original.name, what);
                }
            }
            (Some(_), []) => self
                .report
                .found(ORIGINAL, "the document's bytes are missing"),
            (None, _) => self
                .report
                .found(ORIGINAL, "no event allows for the document's bytes"),
            (Some(_), _) => self.report.found(ORIGINAL, "there are several originals"),
        }
        Ok(())
    }

    fn extracted(&mut self, text: Option<&Value>) -> Result<(), ContainerError> {
        let artefact = self.bytes(TEXT_JSON, LARGEST)?;
        let plain = self.member(TEXT);
        let (text, artefact, plain) = match (text, artefact, plain) {
            (None, None, None) => return Ok(()),
            (Some(text), Some(artefact), Some(plain)) => (text, artefact, plain),
            (None, ..) => {
                self.report.found(TEXT, "no event allows for a text");
                return Ok(());
            }
            (Some(_), ..) => {
                self.report.found(TEXT, "the text is missing");
                return Ok(());
            }
        };
        if text["sha256"].as_str() != Some(&hex(&Sha256::digest(&artefact))) {
            self.report.found(
                TEXT_JSON,
                "it is not what the last event that sets a text names",
            );
        }
        let same = match serde_json::from_slice::<TextArtefact>(&artefact) {
            Ok(artefact) => hex(&Sha256::digest(artefact.text())),
            Err(error) => {
                self.report.found(TEXT_JSON, error);
                return Ok(());
            }
        };
        if self.container.digests(&plain)?.sha256 != same {
            self.report.found(TEXT, "it is not the text of text.json");
        }
        Ok(())
    }
}
