//! Somebody refuses a request to release, whoever made it. It can be made again.

use super::QuarantineRefusal;
use super::reason;
use super::request_release::of;
use crate::command::RejectRelease;
use crate::document::Document;
use crate::event::{DocumentEvent, QuarantineReleaseRejected};

pub(super) fn decide(
    document: &Document,
    c: RejectRelease,
) -> Result<Option<DocumentEvent>, QuarantineRefusal> {
    if of(document)?.release.is_none() {
        return Err(QuarantineRefusal::NotRequested);
    }
    let reason = reason::given(&c.reason).ok_or(QuarantineRefusal::Reason)?;
    Ok(Some(DocumentEvent::QuarantineReleaseRejected(
        QuarantineReleaseRejected {
            reason,
            rejected_by: c.by,
            rejected_at: c.at,
        },
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::testing::*;

    fn reject(reason: &str) -> DocumentCommand {
        DocumentCommand::RejectRelease(RejectRelease {
            reason: reason.into(),
            by: "key:approver".into(),
            at: at(10),
        })
    }

    #[test]
    fn a_request_is_rejected_by_either_person_with_a_reason() {
        for asked in ["key:admin", "key:approver"] {
            let before = || vec![uploaded(), quarantined("macros"), release_requested(asked)];
            given(before())
                .when(reject("not convinced"))
                .then_expect_events(vec![release_rejected("key:approver")]);
            given(before())
                .when(reject(" "))
                .then_expect_error(QuarantineRefusal::Reason.into());
        }
    }

    #[test]
    fn there_must_be_a_request() {
        given(vec![uploaded(), quarantined("macros")])
            .when(reject("not convinced"))
            .then_expect_error(QuarantineRefusal::NotRequested.into());
        given(vec![uploaded()])
            .when(reject("not convinced"))
            .then_expect_error(QuarantineRefusal::NotQuarantined.into());
    }
}
