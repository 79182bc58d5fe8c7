//! A person corrects department, language or metadata.

use crate::command::Correct;
use crate::document::Document;
use crate::event::{Corrected, DocumentEvent};

/// Why a correction was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CorrectRefusal {
    /// The document was withdrawn.
    #[error("the document was withdrawn")]
    Withdrawn,
    /// It names nothing to correct.
    #[error("a correction names at least one of department, language and metadata")]
    Nothing,
    /// A value is empty, too long or holds control characters.
    #[error("`{field}` must be 1 to {MAX_WORD} characters, without control characters")]
    Value {
        /// Which one.
        field: &'static str,
    },
}

/// Longest department or language, in characters.
pub const MAX_WORD: usize = 64;

pub(super) fn decide(
    document: &Document,
    c: Correct,
) -> Result<Option<DocumentEvent>, CorrectRefusal> {
    if document.withdrawn {
        return Err(CorrectRefusal::Withdrawn);
    }
    if c.department.is_none() && c.language.is_none() && c.private.is_none() {
        return Err(CorrectRefusal::Nothing);
    }
    check("department", c.department.as_deref())?;
    check("language", c.language.as_deref())?;
    // What a person has said already is not said again, though what rules found is: from then on
    // no rule says otherwise. Only digests tell metadata apart, so it always counts.
    let is_new =
        |new: &String, old: &Option<String>, said: bool| !said || old.as_ref() != Some(new);
    let department = c
        .department
        .filter(|d| is_new(d, &document.department, document.department_corrected));
    let language = c
        .language
        .filter(|l| is_new(l, &document.language, document.language_corrected));
    if department.is_none() && language.is_none() && c.private.is_none() {
        return Ok(None);
    }
    Ok(Some(DocumentEvent::Corrected(Corrected {
        department,
        language,
        private: c.private,
        corrected_at: c.at,
    })))
}

fn check(field: &'static str, value: Option<&str>) -> Result<(), CorrectRefusal> {
    let Some(value) = value else { return Ok(()) };
    let length = value.chars().count();
    if length == 0 || length > MAX_WORD || value.chars().any(char::is_control) {
        return Err(CorrectRefusal::Value { field });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::testing::*;

    fn correct(department: Option<&str>, language: Option<&str>) -> DocumentCommand {
        DocumentCommand::Correct(Correct {
            department: department.map(Into::into),
            language: language.map(Into::into),
            private: None,
            at: at(5),
        })
    }

    fn corrected(department: Option<&str>, language: Option<&str>) -> DocumentEvent {
        DocumentEvent::Corrected(Corrected {
            department: department.map(Into::into),
            language: language.map(Into::into),
            private: None,
            corrected_at: at(5),
        })
    }

    #[test]
    fn department_and_language_are_corrected() {
        given(vec![uploaded()])
            .when(correct(Some("safety"), Some("ml")))
            .then_expect_events(vec![corrected(Some("safety"), Some("ml"))]);
    }

    #[test]
    fn metadata_is_corrected_as_a_whole() {
        given(vec![uploaded()])
            .when(DocumentCommand::Correct(Correct {
                department: None,
                language: None,
                private: Some(digest()),
                at: at(5),
            }))
            .then_expect_events(vec![DocumentEvent::Corrected(Corrected {
                department: None,
                language: None,
                private: Some(digest()),
                corrected_at: at(5),
            })]);
    }

    #[test]
    fn what_is_already_so_decides_nothing() {
        nothing(
            vec![uploaded(), corrected(Some("safety"), None)],
            correct(Some("safety"), None),
        );
    }

    #[test]
    fn what_rules_found_can_be_confirmed() {
        given(vec![uploaded(), started(1, 1), extracted(1, 1)])
            .when(correct(None, Some("en")))
            .then_expect_events(vec![corrected(None, Some("en"))]);
    }

    #[test]
    fn an_empty_correction_is_refused() {
        given(vec![uploaded()])
            .when(correct(None, None))
            .then_expect_error(CorrectRefusal::Nothing.into());
    }

    #[test]
    fn senseless_values_are_refused() {
        for bad in ["", "a\nb", &"x".repeat(MAX_WORD + 1)] {
            given(vec![uploaded()])
                .when(correct(Some(bad), None))
                .then_expect_error(
                    CorrectRefusal::Value {
                        field: "department",
                    }
                    .into(),
                );
            given(vec![uploaded()])
                .when(correct(None, Some(bad)))
                .then_expect_error(CorrectRefusal::Value { field: "language" }.into());
        }
    }

    #[test]
    fn a_withdrawn_document_is_not_corrected() {
        given(vec![uploaded(), withdrawn()])
            .when(correct(Some("safety"), None))
            .then_expect_error(CorrectRefusal::Withdrawn.into());
    }
}
