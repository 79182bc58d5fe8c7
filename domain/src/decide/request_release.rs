//! Somebody asks for a document to be released from quarantine. Nothing works on it before another
//! person approves.

use super::reason::{self, MAX_REASON};
use crate::command::RequestRelease;
use crate::document::{Document, Quarantine};
use crate::event::{DocumentEvent, QuarantineReleaseRequested};

/// Why a step of a quarantine was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuarantineRefusal {
    /// No reason was given, or one beyond reason.
    #[error("a release gives a reason of 1 to {MAX_REASON} characters, and so does its rejection")]
    Reason,
    /// The document is not in quarantine.
    #[error("the document is not in quarantine")]
    NotQuarantined,
    /// It was withdrawn: there is nothing to process.
    #[error("the document was withdrawn")]
    Withdrawn,
    /// A request waits already.
    #[error("the release was requested by {requested_by} and waits for another person")]
    AlreadyRequested {
        /// Who asked.
        requested_by: String,
    },
    /// Its destruction is asked for: one of the two has to be rejected first.
    #[error("its erasure was requested by {requested_by} and waits for another person")]
    ErasureWaits {
        /// Who asked.
        requested_by: String,
    },
    /// There is no request: none was made, or it was rejected.
    #[error("no release of the document is requested")]
    NotRequested,
    /// Whoever asked cannot approve.
    #[error("a release is approved by another person than {requested_by}, who requested it")]
    SamePerson {
        /// Who asked.
        requested_by: String,
    },
    /// A part of the gateway cannot approve.
    #[error("a release is approved by a person")]
    NoPerson,
}

/// The quarantine that the document is in.
pub(super) fn of(document: &Document) -> Result<&Quarantine, QuarantineRefusal> {
    document
        .quarantine
        .as_ref()
        .ok_or(QuarantineRefusal::NotQuarantined)
}

/// Refuses while a release waits for another person.
pub(super) fn none_waits(quarantine: &Quarantine) -> Result<(), QuarantineRefusal> {
    match &quarantine.release {
        Some(pending) => Err(QuarantineRefusal::AlreadyRequested {
            requested_by: pending.requested_by.clone(),
        }),
        None => Ok(()),
    }
}

/// Refuses what cannot be processed once it is released, or is to be destroyed.
pub(super) fn can_be_processed(document: &Document) -> Result<(), QuarantineRefusal> {
    if document.withdrawn {
        return Err(QuarantineRefusal::Withdrawn);
    }
    match &document.erasure {
        Some(pending) => Err(QuarantineRefusal::ErasureWaits {
            requested_by: pending.requested_by.clone(),
        }),
        None => Ok(()),
    }
}

pub(super) fn decide(
    document: &Document,
    c: RequestRelease,
) -> Result<Option<DocumentEvent>, QuarantineRefusal> {
    none_waits(of(document)?)?;
    can_be_processed(document)?;
    let reason = reason::given(&c.reason).ok_or(QuarantineRefusal::Reason)?;
    Ok(Some(DocumentEvent::QuarantineReleaseRequested(
        QuarantineReleaseRequested {
            reason,
            requested_by: c.by,
            requested_at: c.at,
        },
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{DocumentCommand, RequestReprocessing, StartProcessing};
    use crate::decide::testing::*;
    use crate::decide::{ReprocessingRefusal, StartRefusal};
    use crate::values::Priority;

    fn request(reason: &str) -> DocumentCommand {
        DocumentCommand::RequestRelease(RequestRelease {
            reason: reason.into(),
            by: "key:admin".into(),
            at: at(9),
        })
    }

    #[test]
    fn nothing_works_on_a_quarantined_document() {
        let start = DocumentCommand::StartProcessing(StartProcessing {
            attempt: attempt(1, 1),
            worker: "w1".into(),
            at: at(1),
        });
        let reprocess = DocumentCommand::RequestReprocessing(RequestReprocessing {
            priority: Priority::High,
            at: at(1),
        });
        let before = || vec![uploaded(), quarantined("macros")];
        given(before())
            .when(start)
            .then_expect_error(StartRefusal::Quarantined.into());
        given(before())
            .when(reprocess)
            .then_expect_error(ReprocessingRefusal::Quarantined.into());
    }

    #[test]
    fn its_release_is_requested_with_a_reason() {
        for before in [
            vec![uploaded(), quarantined("macros")],
            vec![
                uploaded(),
                quarantined("macros"),
                release_requested("key:admin"),
                release_rejected("key:approver"),
            ],
        ] {
            given(before)
                .when(request(" looked at by hand "))
                .then_expect_events(vec![release_requested("key:admin")]);
        }
        given(vec![uploaded(), quarantined("macros")])
            .when(request("..."))
            .then_expect_error(QuarantineRefusal::Reason.into());
    }

    #[test]
    fn only_what_is_in_quarantine_and_can_be_processed_is_released() {
        let waits = vec![
            uploaded(),
            quarantined("macros"),
            release_requested("key:approver"),
        ];
        let refusals = [
            (vec![uploaded()], QuarantineRefusal::NotQuarantined),
            (
                vec![uploaded(), quarantined("macros"), withdrawn()],
                QuarantineRefusal::Withdrawn,
            ),
            (
                waits,
                QuarantineRefusal::AlreadyRequested {
                    requested_by: "key:approver".into(),
                },
            ),
            (
                vec![uploaded(), quarantined("macros"), requested("key:approver")],
                QuarantineRefusal::ErasureWaits {
                    requested_by: "key:approver".into(),
                },
            ),
        ];
        for (before, refusal) in refusals {
            given(before)
                .when(request("looked at by hand"))
                .then_expect_error(refusal.into());
        }
    }
}
