//! Of the read model `documents`: what programs and people found out about a document's text.
//!
//! Owns how an extraction and a review change the row. Which of them stands is decided by the
//! domain and said in the event.

use super::documents::{Document, json};
use crate::fold::{self, Unfit, amount, storable};
use kmrl_domain::event::{Corrected, Extracted, Reviewed};
use kmrl_domain::judged::{Judgement, Verdict};
use kmrl_domain::values::{Status, TextRef};
use serde::Serialize;
use time::OffsetDateTime;

/// What a person said last, as it is kept with the row.
#[derive(Serialize)]
struct LastReview<'a> {
    verdict: Verdict,
    reviewer: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    reviewed_at: OffsetDateTime,
}

impl Document {
    pub(super) fn extracted(&mut self, e: Extracted) -> Result<(), Unfit> {
        self.status = Status::Processed.as_str().into();
        (self.run, self.attempt) = (e.attempt.run.into(), e.attempt.attempt.into());
        (self.error, self.retry_at) = (None, None);
        self.processed_at = Some(e.extracted_at);
        if !self.language_corrected {
            self.language = Some(e.language);
        }
        if !self.department_corrected {
            self.department = e.department.or(self.department.take());
        }
        self.confidence_score = Some(fold::confidence(e.confidence)?);
        self.findings = e.findings.map(|findings| json(&findings)).transpose()?;
        self.judged(&e.judgement)?;
        if !e.correction_kept {
            self.stands(e.text)?;
            self.text_corrected = false;
        }
        Ok(())
    }

    fn judged(&mut self, judgement: &Judgement) -> Result<(), Unfit> {
        self.language_shares = Some(json(&judgement.language_shares)?);
        let evidence = judgement.department_evidence.as_ref();
        self.department_evidence = evidence.map(json).transpose()?;
        self.recognised_pages = Some(judgement.recognised_pages.into());
        self.unread_pages = Some(judgement.unread_pages.into());
        self.needs_review = !judgement.needs_review.is_empty();
        self.review_reasons = json(&judgement.needs_review)?;
        Ok(())
    }

    pub(super) fn reviewed(&mut self, e: Reviewed) -> Result<(), Unfit> {
        self.review = Some(json(&LastReview {
            verdict: e.verdict,
            reviewer: &storable(e.reviewer),
            reviewed_at: e.reviewed_at,
        })?);
        self.needs_review = false;
        self.review_reasons = "[]".into();
        self.text_corrected = match e.verdict {
            Verdict::Accepted => self.text_corrected,
            Verdict::Corrected => true,
            Verdict::Reread => false,
        };
        self.stands(e.text)
    }

    pub(super) fn said_by_a_person(&mut self, e: &Corrected) {
        self.department_corrected |= e.department.is_some();
        self.language_corrected |= e.language.is_some();
    }

    fn stands(&mut self, text: TextRef) -> Result<(), Unfit> {
        self.page_count = Some(text.pages.into());
        self.character_count = Some(amount("number of characters", text.characters)?);
        self.text_sha256 = Some(text.sha256);
        Ok(())
    }

    pub(super) fn forget_judgement(&mut self) {
        (self.language_shares, self.department_evidence) = (None, None);
        (self.recognised_pages, self.unread_pages) = (None, None);
        (self.needs_review, self.review) = (false, None);
        self.review_reasons = "[]".into();
    }
}
