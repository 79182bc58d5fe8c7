//! An attempt gave text. An outcome counts once, and only of the current attempt.

use crate::command::RecordExtraction;
use crate::document::Document;
use crate::event::{DocumentEvent, Extracted};
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
    Ok(Some(DocumentEvent::Extracted(Extracted {
        attempt: c.attempt,
        text: c.text,
        language: c.language,
        confidence: c.confidence,
        department: c.department,
        findings: c.findings,
        extracted_at: c.at,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::testing::*;

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

    #[test]
    fn a_confidence_is_from_0_to_1() {
        for confidence in [-0.1, 1.1, f64::NAN] {
            given(vec![uploaded(), started(1, 1)])
                .when(record_with(1, 1, confidence))
                .then_expect_error(OutcomeRefusal::Confidence.into());
        }
    }
}
