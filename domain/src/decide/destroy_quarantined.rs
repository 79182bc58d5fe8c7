//! Somebody asks for a document in quarantine to be destroyed: an erasure, and so approved, stopped
//! by legal holds and carried out as every erasure is.

use super::request_release::{none_waits, of};
use super::{Refusal, request_erasure};
use crate::command::RequestErasure;
use crate::document::Document;
use crate::event::DocumentEvent;

pub(super) fn decide(
    document: &Document,
    c: RequestErasure,
) -> Result<Option<DocumentEvent>, Refusal> {
    none_waits(of(document)?)?;
    Ok(request_erasure::decide(document, c)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::testing::*;
    use crate::decide::{ErasureRefusal, LegalHolds, QuarantineRefusal};

    fn destroy() -> DocumentCommand {
        DocumentCommand::DestroyQuarantined(RequestErasure {
            reason: "asked by the subject".into(),
            by: "key:admin".into(),
            at: at(9),
        })
    }

    #[test]
    fn it_asks_for_an_erasure() {
        given(vec![uploaded(), quarantined("malware")])
            .when(destroy())
            .then_expect_events(vec![requested("key:admin")]);
    }

    #[test]
    fn only_of_what_is_in_quarantine_and_not_about_to_be_released() {
        given(vec![uploaded()])
            .when(destroy())
            .then_expect_error(QuarantineRefusal::NotQuarantined.into());
        given(vec![
            uploaded(),
            quarantined("malware"),
            release_requested("key:approver"),
        ])
        .when(destroy())
        .then_expect_error(
            QuarantineRefusal::AlreadyRequested {
                requested_by: "key:approver".into(),
            }
            .into(),
        );
    }

    #[test]
    fn a_legal_hold_keeps_it() {
        given(vec![uploaded(), quarantined("malware"), held("case-1")])
            .when(destroy())
            .then_expect_error(ErasureRefusal::Held(LegalHolds(vec!["case-1".into()])).into());
    }
}
