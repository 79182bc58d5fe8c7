//! What an extraction becomes: the text artefact for the blob store, and the command about it.

use super::attempt::Setback;
use bytes::Bytes;
use kmrl_domain::command::RecordExtraction;
use kmrl_domain::judged::{Judgement, ReviewReason};
use kmrl_domain::private::hex;
use kmrl_domain::values::{Attempt, Findings, TextArtefact, TextRef};
use kmrl_extraction::{Extraction, Origin, Page, PdfStructure};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ports::text_key;

/// A text of less confidence is for a person to look at.
const REVIEW_BELOW: f64 = 0.7;

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
        extraction: Extraction,
    ) -> Result<Self, Setback> {
        tokio::task::spawn_blocking(move || Self::build(document_id, attempt, extraction))
            .await
            .map_err(Setback::at("writing the text down"))?
            .map_err(Setback::at("writing the text down"))
    }

    fn build(
        document_id: Uuid,
        attempt: Attempt,
        extraction: Extraction,
    ) -> Result<Self, serde_json::Error> {
        let confidence = bounded(extraction.confidence);
        let judgement = judged(&extraction, confidence);
        let (mut title, mut producer, mut findings) = (None, None, None);
        if let Some(structure) = extraction.structure {
            findings = Some(found(&structure));
            (title, producer) = (structure.title, structure.producer);
        }
        let artefact = TextArtefact {
            pages: extraction.pages.into_iter().map(|p| p.text).collect(),
            title,
            producer,
        };
        let characters: usize = artefact.pages.iter().map(|p| p.chars().count()).sum();
        let bytes = serde_json::to_vec(&artefact)?;
        let sha256 = hex(&Sha256::digest(&bytes));
        Ok(Self {
            text: TextRef {
                key: text_key(document_id, attempt, &sha256),
                sha256,
                characters: u64::try_from(characters).unwrap_or(u64::MAX),
                pages: u32::try_from(artefact.pages.len()).unwrap_or(u32::MAX),
            },
            bytes: bytes.into(),
            language: extraction.language.code().to_owned(),
            confidence,
            judgement,
            findings,
        })
    }

    /// The command that records it.
    pub(super) fn command(&self, attempt: Attempt, at: OffsetDateTime) -> RecordExtraction {
        RecordExtraction {
            attempt,
            text: self.text.clone(),
            language: self.language.clone(),
            confidence: self.confidence,
            department: None,
            judgement: self.judgement.clone(),
            findings: self.findings.clone(),
            at,
        }
    }
}

/// What is known beside the text: its pages, and whether a person has to look at it.
fn judged(extraction: &Extraction, confidence: f64) -> Judgement {
    let pages = |origin| {
        let of_origin = |page: &&Page| page.origin == origin;
        u32::try_from(extraction.pages.iter().filter(of_origin).count()).unwrap_or(u32::MAX)
    };
    let (recognised_pages, unread_pages) = (pages(Origin::Recognised), pages(Origin::Picture));
    let mut needs_review = Vec::new();
    if confidence < REVIEW_BELOW {
        needs_review.push(ReviewReason {
            code: "low_confidence".into(),
            detail: format!("the confidence of {confidence:.2} is below {REVIEW_BELOW}"),
        });
    }
    if unread_pages > 0 {
        needs_review.push(ReviewReason {
            code: "unread_pages".into(),
            detail: format!("pages that could not be read: {unread_pages}"),
        });
    }
    Judgement {
        needs_review,
        recognised_pages,
        unread_pages,
        ..Judgement::default()
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
