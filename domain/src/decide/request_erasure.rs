//! Somebody asks for the content of a document to be erased: a person, or the retention rules.
//! Nothing is erased before another person approves.

use super::LegalHolds;
use super::reason::{self, MAX_REASON};
use crate::command::RequestErasure;
use crate::document::Document;
use crate::event::{DocumentEvent, ErasureRequested};

/// Why a step of an erasure was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErasureRefusal {
    /// No reason was given, or one beyond reason.
    #[error("an erasure gives a reason of 1 to {MAX_REASON} characters, and so does its rejection")]
    Reason,
    /// A legal matter holds the document.
    #[error(transparent)]
    Held(#[from] LegalHolds),
    /// A request waits already.
    #[error("the erasure was requested by {requested_by} and waits for another person")]
    AlreadyRequested {
        /// Who asked.
        requested_by: String,
    },
    /// There is no request: none was made, or it was rejected.
    #[error("no erasure of the document is requested")]
    NotRequested,
    /// Whoever asked cannot approve.
    #[error("an erasure is approved by another person than {requested_by}, who requested it")]
    SamePerson {
        /// Who asked.
        requested_by: String,
    },
    /// A part of the gateway cannot approve.
    #[error("an erasure is approved by a person")]
    NoPerson,
    /// The content cannot have been destroyed: the document was not erased.
    #[error("the document was not erased")]
    NotErased,
}

pub(super) fn decide(
    document: &Document,
    c: RequestErasure,
) -> Result<Option<DocumentEvent>, ErasureRefusal> {
    LegalHolds::none_on(document)?;
    if let Some(pending) = &document.erasure {
        return Err(ErasureRefusal::AlreadyRequested {
            requested_by: pending.requested_by.clone(),
        });
    }
    let reason = reason::given(&c.reason).ok_or(ErasureRefusal::Reason)?;
    Ok(Some(DocumentEvent::ErasureRequested(ErasureRequested {
        reason,
        requested_by: c.by,
        requested_at: c.at,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::testing::*;

    fn request(reason: &str) -> DocumentCommand {
        DocumentCommand::RequestErasure(RequestErasure {
            reason: reason.into(),
            by: "key:admin".into(),
            at: at(9),
        })
    }

    #[test]
    fn it_is_requested_at_any_point_of_the_way() {
        for before in [
            vec![uploaded()],
            vec![uploaded(), started(1, 1)],
            vec![uploaded(), started(1, 1), extracted(1, 1), withdrawn()],
            vec![uploaded(), requested("key:admin"), rejected("key:approver")],
            vec![uploaded(), held("case-1"), released("case-1")],
        ] {
            given(before)
                .when(request(" asked by the subject "))
                .then_expect_events(vec![requested("key:admin")]);
        }
    }

    #[test]
    fn it_needs_a_reason_that_says_something() {
        for reason in ["", " ", "...", &"x".repeat(MAX_REASON + 1)] {
            given(vec![uploaded()])
                .when(request(reason))
                .then_expect_error(ErasureRefusal::Reason.into());
        }
    }

    #[test]
    fn one_request_waits_at_a_time() {
        given(vec![uploaded(), requested("system:retention")])
            .when(request("asked by the subject"))
            .then_expect_error(
                ErasureRefusal::AlreadyRequested {
                    requested_by: "system:retention".into(),
                }
                .into(),
            );
    }

    #[test]
    fn every_legal_hold_stops_it() {
        given(vec![uploaded(), held("case-2"), held("case-1")])
            .when(request("asked by the subject"))
            .then_expect_error(
                ErasureRefusal::Held(LegalHolds(vec!["case-1".into(), "case-2".into()])).into(),
            );
    }
}
