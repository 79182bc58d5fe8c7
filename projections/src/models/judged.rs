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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::fold;
    use crate::models::documents::moves;
    use crate::testing::*;
    use std::collections::BTreeMap;
    use uuid::Uuid;

    fn rows(events: Vec<Spec>) -> BTreeMap<Uuid, Document> {
        let events = log(events);
        let once = fold::<Document>(&events, &BTreeMap::new());
        assert!(once.rejected.is_empty(), "{:?}", once.rejected);
        let again = fold(&events, &once.changed);
        assert!(again.changed.is_empty(), "delivered twice changes nothing");
        once.changed
    }

    fn row(events: Vec<Spec>) -> Document {
        rows(events).remove(&id(1)).unwrap()
    }

    fn doubted() -> Vec<Spec> {
        vec![
            (1, 1, uploaded()),
            (1, 2, started(1, 1)),
            (1, 3, doubtful()),
        ]
    }

    #[test]
    fn a_doubtful_text_waits_until_a_person_looked_at_it() {
        let waits = rows(doubted());
        let before = &waits[&id(1)];
        assert!(before.needs_review && before.review_reasons.contains("low_confidence"));
        assert_eq!(before.language_shares.as_deref(), Some(r#"{"Mlym":1.0}"#));
        assert_eq!(before.recognised_pages, Some(1));
        let reviewed = vec![(1, 4, reviewed(Verdict::Accepted, "cdef"))];
        let looked_at = rows([doubted(), reviewed].concat());
        let after = &looked_at[&id(1)];
        assert!(!after.needs_review && !after.text_corrected);
        assert_eq!(after.review_reasons, "[]");
        assert!(
            after
                .review
                .as_ref()
                .unwrap()
                .contains(r#""verdict":"accepted""#)
        );
        let moves = moves(&waits, &looked_at);
        let kind = |review| ["maximo", "processed", "safety", "ml", review, "standing"];
        assert_eq!((moves.of(kind("waiting")), moves.of(kind(""))), (-1, 1));
    }

    #[test]
    fn a_correction_stands_through_later_extractions_until_it_is_given_up() {
        let kept = vec![
            (1, 4, reviewed(Verdict::Corrected, "ee")),
            (1, 5, reprocessing(2)),
            (1, 6, started(2, 1)),
            (1, 7, kept_back(2, "77")),
        ];
        let row_kept = row([doubted(), kept.clone()].concat());
        assert!(row_kept.text_corrected && row_kept.needs_review);
        assert_eq!(row_kept.text_sha256.as_deref(), Some("ee"));
        assert_eq!(row_kept.status, "processed");
        let given_up = vec![(1, 8, reviewed(Verdict::Reread, "77"))];
        let row = row([doubted(), kept, given_up].concat());
        assert!(!row.text_corrected && !row.needs_review);
        assert_eq!(row.text_sha256.as_deref(), Some("77"));
    }

    #[test]
    fn what_a_person_said_of_the_department_outlasts_an_extraction() {
        let said = row([
            vec![(1, 1, uploaded()), (1, 2, corrected(Some("legal"), None))],
            vec![(1, 3, started(1, 1)), (1, 4, doubtful())],
        ]
        .concat());
        assert_eq!(said.department.as_deref(), Some("legal"));
        assert!(said.department_corrected && !said.language_corrected);
        // What the rules found is still to be seen.
        assert!(said.department_evidence.unwrap().contains("safety"));
    }

    #[test]
    fn an_erased_document_tells_nothing_of_what_was_found() {
        let row = row([
            doubted(),
            vec![
                (1, 4, reviewed(Verdict::Corrected, "ee")),
                (1, 5, requested("key:admin")),
                (1, 6, erased("key:admin", "key:approver")),
            ],
        ]
        .concat());
        assert_eq!((row.language_shares, row.department_evidence), (None, None));
        assert_eq!((row.review, row.needs_review), (None, false));
    }
}
