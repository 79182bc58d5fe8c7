//! Somebody refuses a request to erase, whoever made it. It can be made again.

use super::ErasureRefusal;
use super::reason;
use crate::command::RejectErasure;
use crate::document::Document;
use crate::event::{DocumentEvent, ErasureRejected};

pub(super) fn decide(
    document: &Document,
    c: RejectErasure,
) -> Result<Option<DocumentEvent>, ErasureRefusal> {
    if document.erasure.is_none() {
        return Err(ErasureRefusal::NotRequested);
    }
    let reason = reason::given(&c.reason).ok_or(ErasureRefusal::Reason)?;
    Ok(Some(DocumentEvent::ErasureRejected(ErasureRejected {
        reason,
        rejected_by: c.by,
        rejected_at: c.at,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::testing::*;

    fn reject(reason: &str) -> DocumentCommand {
        DocumentCommand::RejectErasure(RejectErasure {
            reason: reason.into(),
            by: "key:approver".into(),
            at: at(10),
        })
    }

    #[test]
    fn a_request_is_rejected_by_either_person_held_or_not() {
        for before in [
            vec![uploaded(), requested("key:admin")],
            vec![uploaded(), requested("key:approver")],
            vec![uploaded(), requested("key:admin"), held("case-1")],
        ] {
            given(before)
                .when(reject("still needed"))
                .then_expect_events(vec![rejected("key:approver")]);
        }
    }

    #[test]
    fn there_must_be_a_request_and_a_reason() {
        for before in [
            vec![uploaded()],
            vec![uploaded(), requested("key:admin"), rejected("key:approver")],
        ] {
            given(before)
                .when(reject("still needed"))
                .then_expect_error(ErasureRefusal::NotRequested.into());
        }
        given(vec![uploaded(), requested("key:admin")])
            .when(reject(""))
            .then_expect_error(ErasureRefusal::Reason.into());
    }
}
