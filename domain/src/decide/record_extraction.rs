//! An attempt gave text. An outcome counts once, and only of the current attempt.

use crate::command::RecordExtraction;
use crate::document::Document;
use crate::event::{DocumentEvent, Extracted};
use crate::judged::ReviewReason;
use crate::values::Attempt;

/// Why an outcome was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutcomeRefusal {
    /// The document was withdrawn in the meantime.
    #[error("the document was withdrawn")]
    Withdrawn,
    /// Another attempt is under way, or this one was never started.
    #[error("an outcome of {attempt} came in, but {current} is current")]
    Superseded {
        /// The attempt whose outcome came in.
        attempt: Attempt,
        /// The newest one.
        current: Attempt,
    },
    /// The confidence is no number from 0 to 1.
    #[error("a confidence is a number from 0 to 1")]
    Confidence,
}

/// How an outcome of an attempt stands: `Ok(true)` counts, `Ok(false)` has been recorded already
/// (a redelivery: decides nothing and is no error).
///
/// # Errors
/// When it may not be recorded.
pub fn standing(document: &Document, attempt: Attempt) -> Result<bool, OutcomeRefusal> {
    if attempt <= document.settled {
        return Ok(false);
    }
    if document.withdrawn {
        return Err(OutcomeRefusal::Withdrawn);
    }
    if attempt != document.current {
        let current = document.current;
        return Err(OutcomeRefusal::Superseded { attempt, current });
    }
    Ok(true)
}

pub(super) fn decide(
    document: &Document,
    c: RecordExtraction,
) -> Result<Option<DocumentEvent>, OutcomeRefusal> {
    if !standing(document, c.attempt)? {
        return Ok(None);
    }
    if !(0.0..=1.0).contains(&c.confidence) {
        return Err(OutcomeRefusal::Confidence);
    }
    let mut judgement = c.judgement;
    // What a person wrote outranks what a program read. A text that a person has looked at need
    // not be looked at again; another one must be, also where it stands back behind a correction.
    if document.looked_at.as_ref() == Some(&c.text.sha256) {
        judgement.needs_review.clear();
    } else if document.text_corrected {
        judgement.needs_review.push(ReviewReason::correction_kept());
    }
    Ok(Some(DocumentEvent::Extracted(Extracted {
        attempt: c.attempt,
        text: c.text,
        language: c.language,
        confidence: c.confidence,
        department: c.department,
        judgement,
        correction_kept: document.text_corrected,
        findings: c.findings,
        extracted_at: c.at,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::testing::*;
    use crate::judged::{Judgement, Verdict};
    use crate::values::TextRef;

    fn record(run: u32, n: u32) -> DocumentCommand {
        record_with(run, n, 1.0)
    }

    fn record_with(run: u32, n: u32, confidence: f64) -> DocumentCommand {
        DocumentCommand::RecordExtraction(RecordExtraction {
            attempt: attempt(run, n),
            text: text(),
            language: "en".into(),
            confidence,
            department: None,
            judgement: Judgement::default(),
            findings: None,
            at: at(2),
        })
    }

    #[test]
    fn the_current_attempt_gives_the_text() {
        given(vec![uploaded(), started(1, 1)])
            .when(record(1, 1))
            .then_expect_events(vec![extracted(1, 1)]);
    }

    #[test]
    fn a_redelivered_outcome_decides_nothing() {
        nothing(
            vec![uploaded(), started(1, 1), extracted(1, 1)],
            record(1, 1),
        );
        nothing(
            vec![uploaded(), started(1, 1), failed(1, 1, Some(9))],
            record(1, 1),
        );
        nothing(
            vec![uploaded(), started(1, 1), extracted(1, 1), withdrawn()],
            record(1, 1),
        );
        nothing(
            vec![uploaded(), started(1, 2), extracted(1, 2)],
            record(1, 1),
        );
    }

    #[test]
    fn an_outcome_of_another_attempt_is_refused() {
        let refused = |attempt, current| OutcomeRefusal::Superseded { attempt, current }.into();
        given(vec![uploaded(), started(1, 1), started(1, 2)])
            .when(record(1, 1))
            .then_expect_error(refused(attempt(1, 1), attempt(1, 2)));
        given(vec![uploaded()])
            .when(record(1, 1))
            .then_expect_error(refused(attempt(1, 1), attempt(1, 0)));
    }

    #[test]
    fn no_text_after_withdrawal() {
        given(vec![uploaded(), started(1, 1), withdrawn()])
            .when(record(1, 1))
            .then_expect_error(OutcomeRefusal::Withdrawn.into());
    }

    /// What an attempt of run 2 tells: a text that it doubts.
    fn record_text(sha256: &str) -> DocumentCommand {
        DocumentCommand::RecordExtraction(RecordExtraction {
            attempt: attempt(2, 1),
            text: text_of(sha256),
            language: "en".into(),
            confidence: 1.0,
            department: None,
            judgement: Judgement {
                needs_review: vec![ReviewReason {
                    code: "low_confidence".into(),
                    detail: "0.4 is below 0.7".into(),
                }],
                ..Judgement::default()
            },
            findings: None,
            at: at(2),
        })
    }

    fn once_more(verdict: Verdict, text: TextRef) -> Vec<DocumentEvent> {
        vec![
            uploaded(),
            started(1, 1),
            doubtful(1),
            reviewed(verdict, text),
            reprocessing(2),
            started(2, 1),
        ]
    }

    #[test]
    fn a_text_that_a_person_looked_at_need_not_be_looked_at_again() {
        given(once_more(Verdict::Accepted, text()))
            .when(record_text("cd"))
            .then_expect_events(vec![extracted_as(2, "cd", &[], false)]);
        given(once_more(Verdict::Accepted, text()))
            .when(record_text("77"))
            .then_expect_events(vec![extracted_as(2, "77", &["low_confidence"], false)]);
    }

    #[test]
    fn a_correction_is_kept_and_another_reading_says_so() {
        given(once_more(Verdict::Corrected, other_text()))
            .when(record_text("cd"))
            .then_expect_events(vec![reread(2, "cd", false)]);
        let doubts = ["low_confidence", "correction_kept"];
        given(once_more(Verdict::Corrected, other_text()))
            .when(record_text("77"))
            .then_expect_events(vec![extracted_as(2, "77", &doubts, true)]);
    }

    #[test]
    fn a_correction_that_was_given_up_is_not_kept() {
        let mut way = once_more(Verdict::Corrected, other_text());
        way.insert(4, reviewed(Verdict::Reread, text()));
        given(way)
            .when(record_text("77"))
            .then_expect_events(vec![extracted_as(2, "77", &["low_confidence"], false)]);
    }

    #[test]
    fn what_a_person_said_of_department_and_language_outlasts_an_extraction() {
        let mut document = Document::default();
        let corrected = DocumentEvent::Corrected(crate::event::Corrected {
            department: Some("safety".into()),
            language: Some("ml".into()),
            private: None,
            corrected_at: at(1),
        });
        let DocumentEvent::Extracted(mut found) = extracted(1, 1) else {
            unreachable!("it is one");
        };
        found.department = Some("finance".into());
        for event in [uploaded(), corrected, DocumentEvent::Extracted(found)] {
            cqrs_es::Aggregate::apply(&mut document, event);
        }
        assert_eq!(document.department.as_deref(), Some("safety"));
        assert_eq!(document.language.as_deref(), Some("ml"));
    }

    #[test]
    fn a_confidence_is_from_0_to_1() {
        for confidence in [-0.1, 1.1, f64::NAN] {
            given(vec![uploaded(), started(1, 1)])
                .when(record_with(1, 1, confidence))
                .then_expect_error(OutcomeRefusal::Confidence.into());
        }
    }
}
