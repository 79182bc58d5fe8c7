//! A person withdraws a document, and says why. Its history stays.

use super::LegalHolds;
use super::reason::{self, MAX_REASON};
use crate::command::Withdraw;
use crate::document::Document;
use crate::event::{DocumentEvent, Withdrawn};

/// Why a withdrawal was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WithdrawRefusal {
    /// No reason was given, or one beyond reason.
    #[error("a withdrawal gives a reason of 1 to {MAX_REASON} characters")]
    Reason,
    /// It was withdrawn before.
    #[error("the document was withdrawn before")]
    AlreadyWithdrawn,
    /// A legal matter holds it.
    #[error(transparent)]
    Held(#[from] LegalHolds),
}

pub(super) fn decide(
    document: &Document,
    c: &Withdraw,
) -> Result<Option<DocumentEvent>, WithdrawRefusal> {
    if document.withdrawn {
        return Err(WithdrawRefusal::AlreadyWithdrawn);
    }
    LegalHolds::none_on(document)?;
    let reason = reason::given(&c.reason).ok_or(WithdrawRefusal::Reason)?;
    Ok(Some(DocumentEvent::Withdrawn(Withdrawn {
        reason,
        withdrawn_at: c.at,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::testing::*;

    fn withdraw(reason: &str) -> DocumentCommand {
        DocumentCommand::Withdraw(Withdraw {
            reason: reason.into(),
            at: at(4),
        })
    }

    #[test]
    fn it_is_withdrawn_at_any_point_of_its_way() {
        for way in [
            vec![uploaded()],
            vec![uploaded(), started(1, 1)],
            vec![uploaded(), started(1, 1), extracted(1, 1)],
            vec![uploaded(), started(1, 1), failed(1, 1, None)],
        ] {
            given(way)
                .when(withdraw(" sent twice "))
                .then_expect_events(vec![withdrawn()]);
        }
    }

    #[test]
    fn it_needs_a_reason() {
        for reason in ["", "  \n", &"x".repeat(MAX_REASON + 1)] {
            given(vec![uploaded()])
                .when(withdraw(reason))
                .then_expect_error(WithdrawRefusal::Reason.into());
        }
    }

    #[test]
    fn a_legal_hold_stops_it_until_the_last_one_is_released() {
        given(vec![
            uploaded(),
            held("case-1"),
            held("case-2"),
            released("case-1"),
        ])
        .when(withdraw("sent twice"))
        .then_expect_error(WithdrawRefusal::Held(LegalHolds(vec!["case-2".into()])).into());
        given(vec![uploaded(), held("case-1"), released("case-1")])
            .when(withdraw("sent twice"))
            .then_expect_events(vec![withdrawn()]);
    }

    #[test]
    fn it_is_withdrawn_once() {
        given(vec![uploaded(), withdrawn()])
            .when(withdraw("again"))
            .then_expect_error(WithdrawRefusal::AlreadyWithdrawn.into());
    }
}
