//! What is found out about a text beside the text: scripts, department, and whether a person has to
//! look at it. The rules themselves are elsewhere.

use crate::config::JudgingSettings;
use crate::departments::About;
use kmrl_domain::judged::{Judgement, ReviewReason};
use kmrl_domain::values::TextArtefact;
use kmrl_extraction::{Extraction, Origin, Page};
use std::collections::BTreeMap;

/// By what texts are judged.
pub type Judge = JudgingSettings;

/// What the pages said before their texts were moved into the artefact.
pub(super) struct Pages {
    shares: BTreeMap<String, f64>,
    recognised: u32,
    unread: u32,
}

impl Pages {
    pub(super) fn of(extraction: &Extraction) -> Self {
        let count = |origin| {
            let of_origin = |page: &&Page| page.origin == origin;
            u32::try_from(extraction.pages.iter().filter(of_origin).count()).unwrap_or(u32::MAX)
        };
        Self {
            shares: extraction.language.shares.clone(),
            recognised: count(Origin::Recognised),
            unread: count(Origin::Picture),
        }
    }
}

impl Judge {
    /// Judges a text.
    pub(super) fn judge(
        &self,
        file_name: &str,
        artefact: &TextArtefact,
        confidence: f64,
        pages: Pages,
    ) -> Judgement {
        let evidence = self.departments.decide(&About {
            file_name,
            title: artefact.title.as_deref(),
            pages: &artefact.pages,
        });
        Judgement {
            language_shares: pages.shares,
            department_evidence: Some(evidence),
            needs_review: self.reasons(confidence, pages.unread),
            recognised_pages: pages.recognised,
            unread_pages: pages.unread,
        }
    }

    fn reasons(&self, confidence: f64, unread: u32) -> Vec<ReviewReason> {
        let below = self.review_below;
        let doubtful = (confidence < below).then(|| ReviewReason {
            code: "low_confidence".into(),
            detail: format!("the confidence of {confidence:.2} is below {below}"),
        });
        let unread = (unread > 0).then(|| ReviewReason {
            code: "unread_pages".into(),
            detail: format!("pages that could not be read: {unread}"),
        });
        doubtful.into_iter().chain(unread).collect()
    }
}
