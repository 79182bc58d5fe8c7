//! A legal matter holds a document: while it does, the document is neither withdrawn nor erased.
//! Several matters can hold one document; each is released for itself.

use super::reason::{self, MAX_REASON};
use crate::command::PlaceLegalHold;
use crate::document::Document;
use crate::event::{DocumentEvent, LegalHoldPlaced};

/// Longest name of a matter, in characters.
pub const MAX_MATTER: usize = 64;

/// The matters that hold a document, and so forbid what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the document is under legal hold: {}", .0.join(", "))]
pub struct LegalHolds(pub Vec<String>);

impl LegalHolds {
    /// Refuses while a matter holds the document.
    pub(super) fn none_on(document: &Document) -> Result<(), Self> {
        if document.holds.is_empty() {
            return Ok(());
        }
        Err(Self(document.holds.iter().cloned().collect()))
    }
}

/// Why a legal hold was neither placed nor released.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LegalHoldRefusal {
    /// The matter has no name that can be used.
    #[error(
        "a matter begins with a letter or digit and has at most {MAX_MATTER} letters, digits, -, _ and ."
    )]
    Matter,
    /// No reason was given, or one beyond reason.
    #[error("a legal hold gives a reason of 1 to {MAX_REASON} characters, and so does its end")]
    Reason,
    /// The matter holds the document already.
    #[error("the matter holds the document already")]
    AlreadyHeld,
    /// The matter does not hold the document.
    #[error("the matter does not hold the document")]
    NotHeld,
}

pub(super) fn decide(
    document: &Document,
    c: PlaceLegalHold,
) -> Result<Option<DocumentEvent>, LegalHoldRefusal> {
    let of_a_matter = |m: char| m.is_alphanumeric() || "-_.".contains(m);
    if !c.matter.starts_with(char::is_alphanumeric)
        || !c.matter.chars().all(of_a_matter)
        || c.matter.chars().count() > MAX_MATTER
    {
        return Err(LegalHoldRefusal::Matter);
    }
    let reason = reason::given(&c.reason).ok_or(LegalHoldRefusal::Reason)?;
    if document.holds.contains(&c.matter) {
        return Err(LegalHoldRefusal::AlreadyHeld);
    }
    Ok(Some(DocumentEvent::LegalHoldPlaced(LegalHoldPlaced {
        matter: c.matter,
        reason,
        placed_at: c.at,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::testing::*;

    fn hold(matter: &str, reason: &str) -> DocumentCommand {
        DocumentCommand::PlaceLegalHold(PlaceLegalHold {
            matter: matter.into(),
            reason: reason.into(),
            at: at(6),
        })
    }

    #[test]
    fn several_matters_hold_a_document_withdrawn_or_not() {
        for before in [
            vec![uploaded()],
            vec![uploaded(), held("case-1")],
            vec![uploaded(), withdrawn()],
            vec![uploaded(), requested("key:admin")],
        ] {
            given(before)
                .when(hold("case-2", " inquiry "))
                .then_expect_events(vec![held("case-2")]);
        }
    }

    #[test]
    fn a_matter_holds_it_once_at_a_time() {
        given(vec![uploaded(), held("case-1")])
            .when(hold("case-1", "inquiry"))
            .then_expect_error(LegalHoldRefusal::AlreadyHeld.into());
        given(vec![uploaded(), held("case-1"), released("case-1")])
            .when(hold("case-1", "inquiry"))
            .then_expect_events(vec![held("case-1")]);
    }

    #[test]
    fn it_needs_a_matter_and_a_reason() {
        for matter in ["", "a b", "a/b", "..", &"x".repeat(MAX_MATTER + 1)] {
            given(vec![uploaded()])
                .when(hold(matter, "inquiry"))
                .then_expect_error(LegalHoldRefusal::Matter.into());
        }
        given(vec![uploaded()])
            .when(hold("case-1", " "))
            .then_expect_error(LegalHoldRefusal::Reason.into());
    }
}
