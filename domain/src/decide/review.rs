//! A person looks at a text and says what stands: the text as it is, another one, or, in place of
//! a correction, the one that was read from the file last.

use crate::command::Review;
use crate::document::Document;
use crate::event::{DocumentEvent, Reviewed};
use crate::judged::Verdict;
use crate::values::TextRef;

/// Why a review was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewRefusal {
    /// The document was withdrawn.
    #[error("the document was withdrawn")]
    Withdrawn,
    /// There is nothing to look at.
    #[error("the document has no text to review")]
    NoText,
    /// A correction has no text, or another verdict has one.
    #[error("a text goes with the verdict to correct, and with no other")]
    Text,
    /// The corrected text does not have the document's pages.
    #[error("the document has {expected} pages, the corrected text {given}")]
    Pages {
        /// Pages of the text that stands.
        expected: u32,
        /// Pages of the correction.
        given: u32,
    },
}

pub(super) fn decide(
    document: &Document,
    c: Review,
) -> Result<Option<DocumentEvent>, ReviewRefusal> {
    if document.withdrawn {
        return Err(ReviewRefusal::Withdrawn);
    }
    let (Some(standing), Some(extracted)) = (&document.text, &document.extracted) else {
        return Err(ReviewRefusal::NoText);
    };
    let text = match (c.verdict, c.text) {
        (Verdict::Accepted, None) => standing.clone(),
        (Verdict::Corrected, Some(text)) => matching(text, standing)?,
        (Verdict::Reread, None) => extracted.clone(),
        (Verdict::Corrected, None) | (Verdict::Accepted | Verdict::Reread, Some(_)) => {
            return Err(ReviewRefusal::Text);
        }
    };
    // What stands already and waits for nobody is not said again.
    let is_so = match c.verdict {
        Verdict::Accepted => true,
        Verdict::Corrected => text.sha256 == standing.sha256 && document.text_corrected,
        Verdict::Reread => !document.text_corrected,
    };
    if is_so && !document.needs_review {
        return Ok(None);
    }
    Ok(Some(DocumentEvent::Reviewed(Reviewed {
        verdict: c.verdict,
        text,
        reviewer: c.by,
        reviewed_at: c.at,
    })))
}

/// Pages are those of the file; who corrects what stands on them neither adds nor removes any.
fn matching(text: TextRef, standing: &TextRef) -> Result<TextRef, ReviewRefusal> {
    if text.pages == standing.pages {
        return Ok(text);
    }
    Err(ReviewRefusal::Pages {
        expected: standing.pages,
        given: text.pages,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::testing::*;

    fn review(verdict: Verdict, text: Option<TextRef>) -> DocumentCommand {
        DocumentCommand::Review(Review {
            verdict,
            text,
            by: "key:admin".into(),
            at: at(5),
        })
    }

    fn processed(event: DocumentEvent) -> Vec<DocumentEvent> {
        vec![uploaded(), started(1, 1), event]
    }

    /// A person corrected the text, and then another one was read from the file.
    fn kept() -> Vec<DocumentEvent> {
        let mut way = processed(doubtful(1));
        way.extend([
            reviewed(Verdict::Corrected, other_text()),
            reprocessing(2),
            started(2, 1),
            reread(2, "77", true),
        ]);
        way
    }

    #[test]
    fn what_stands_is_accepted() {
        given(processed(doubtful(1)))
            .when(review(Verdict::Accepted, None))
            .then_expect_events(vec![reviewed(Verdict::Accepted, text())]);
    }

    #[test]
    fn another_text_takes_its_place_also_where_nobody_asked() {
        for event in [doubtful(1), extracted(1, 1)] {
            given(processed(event))
                .when(review(Verdict::Corrected, Some(other_text())))
                .then_expect_events(vec![reviewed(Verdict::Corrected, other_text())]);
        }
    }

    #[test]
    fn what_is_said_already_decides_nothing() {
        nothing(processed(extracted(1, 1)), review(Verdict::Accepted, None));
        nothing(processed(extracted(1, 1)), review(Verdict::Reread, None));
        let mut way = processed(doubtful(1));
        way.push(reviewed(Verdict::Corrected, other_text()));
        nothing(way, review(Verdict::Corrected, Some(other_text())));
    }

    #[test]
    fn a_correction_that_was_kept_is_accepted_or_given_up() {
        given(kept())
            .when(review(Verdict::Accepted, None))
            .then_expect_events(vec![reviewed(Verdict::Accepted, other_text())]);
        given(kept())
            .when(review(Verdict::Reread, None))
            .then_expect_events(vec![reviewed(Verdict::Reread, text_of("77"))]);
    }

    #[test]
    fn it_needs_a_text_to_look_at() {
        for way in [
            vec![uploaded()],
            vec![uploaded(), started(1, 1), failed(1, 1, None)],
        ] {
            given(way)
                .when(review(Verdict::Accepted, None))
                .then_expect_error(ReviewRefusal::NoText.into());
        }
    }

    #[test]
    fn a_text_goes_with_a_correction_alone() {
        for (verdict, text) in [
            (Verdict::Corrected, None),
            (Verdict::Accepted, Some(other_text())),
            (Verdict::Reread, Some(other_text())),
        ] {
            given(processed(doubtful(1)))
                .when(review(verdict, text))
                .then_expect_error(ReviewRefusal::Text.into());
        }
    }

    #[test]
    fn pages_are_those_of_the_file() {
        let two = TextRef {
            pages: 2,
            ..other_text()
        };
        let refusal = ReviewRefusal::Pages {
            expected: 1,
            given: 2,
        };
        given(processed(doubtful(1)))
            .when(review(Verdict::Corrected, Some(two)))
            .then_expect_error(refusal.into());
    }

    #[test]
    fn a_withdrawn_document_is_not_reviewed() {
        let mut way = processed(doubtful(1));
        way.push(withdrawn());
        given(way)
            .when(review(Verdict::Accepted, None))
            .then_expect_error(ReviewRefusal::Withdrawn.into());
    }
}
