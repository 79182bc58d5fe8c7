//! What an extraction becomes: the text artefact for the blob store, and the command about it.

use super::attempt::Setback;
use super::judgement::{Judge, Pages};
use super::places;
use bytes::Bytes;
use kmrl_domain::boxes::StoredText;
use kmrl_domain::command::RecordExtraction;
use kmrl_domain::judged::Judgement;
use kmrl_domain::private::hex;
use kmrl_domain::values::{Attempt, Findings, TextArtefact, TextRef};
use kmrl_extraction::{Extraction, PdfStructure};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ports::text_key;

/// An extraction ready to be stored and recorded.
pub(super) struct Artefact {
    pub(super) bytes: Bytes,
    pub(super) text: TextRef,
    language: String,
    confidence: f64,
    judgement: Judgement,
    findings: Option<Findings>,
}

impl Artefact {
    /// Writes the text down, off the async threads: it may be millions of characters.
    pub(super) async fn of(
        document_id: Uuid,
        attempt: Attempt,
        file_name: String,
        judge: Judge,
        extraction: Extraction,
    ) -> Result<Self, Setback> {
        let build = move || Self::build(document_id, attempt, &file_name, &judge, extraction);
        tokio::task::spawn_blocking(build)
            .await
            .map_err(Setback::at("writing the text down"))?
            .map_err(Setback::at("writing the text down"))
    }

    fn build(
        document_id: Uuid,
        attempt: Attempt,
        file_name: &str,
        judge: &Judge,
        extraction: Extraction,
    ) -> Result<Self, serde_json::Error> {
        let confidence = bounded(extraction.confidence);
        let pages = Pages::of(&extraction);
        let (mut title, mut producer, mut findings) = (None, None, None);
        if let Some(structure) = extraction.structure {
            findings = Some(found(&structure));
            (title, producer) = (structure.title, structure.producer);
        }
        let boxes = places::of(&extraction.pages);
        let artefact = TextArtefact {
            pages: extraction.pages.into_iter().map(|p| p.text).collect(),
            title,
            producer,
        };
        let characters: usize = artefact.pages.iter().map(|p| p.chars().count()).sum();
        let count = u32::try_from(artefact.pages.len()).unwrap_or(u32::MAX);
        let judgement = judge.judge(file_name, &artefact, confidence, pages);
        let stored = StoredText {
            text: artefact,
            boxes,
        };
        let bytes = stored.to_json()?;
        let sha256 = hex(&Sha256::digest(&bytes));
        Ok(Self {
            text: TextRef {
                key: text_key(document_id, attempt, &sha256),
                sha256,
                characters: u64::try_from(characters).unwrap_or(u64::MAX),
                pages: count,
            },
            bytes: bytes.into(),
            language: extraction.language.code,
            confidence,
            judgement,
            findings,
        })
    }

    fn department(&self) -> Option<String> {
        let evidence = self.judgement.department_evidence.as_ref();
        evidence.map(|evidence| evidence.department.clone())
    }

    /// The command that records it.
    pub(super) fn command(&self, attempt: Attempt, at: OffsetDateTime) -> RecordExtraction {
        RecordExtraction {
            attempt,
            text: self.text.clone(),
            language: self.language.clone(),
            confidence: self.confidence,
            department: self.department(),
            judgement: self.judgement.clone(),
            findings: self.findings.clone(),
            at,
        }
    }
}

/// The domain refuses what is no number from 0 to 1; no trust is then the honest answer.
fn bounded(confidence: f64) -> f64 {
    if confidence.is_nan() {
        0.0
    } else {
        confidence.clamp(0.0, 1.0)
    }
}

fn found(structure: &PdfStructure) -> Findings {
    Findings {
        version: Some(structure.version.clone()),
        encrypted: structure.encrypted,
        javascript: structure.javascript,
        launch_actions: structure.launch_actions,
        open_action: structure.open_action,
        embedded_files: structure.embedded_files,
        signatures: structure.signatures,
        xfa: structure.xfa,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confidence_is_always_one() {
        assert_eq!(bounded(f64::NAN), 0.0);
        assert_eq!(bounded(-1.0), 0.0);
        assert_eq!(bounded(0.5), 0.5);
        assert_eq!(bounded(f64::INFINITY), 1.0);
    }
}
