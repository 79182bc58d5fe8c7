//! A second person approves an erasure. From this event on the content is nobody's to see.

use super::{ErasureRefusal, LegalHolds};
use crate::command::ApproveErasure;
use crate::document::Document;
use crate::event::{DocumentEvent, Erased};

/// What the names of parts of the gateway begin with.
const SYSTEM: &str = "system:";

pub(super) fn decide(
    document: &Document,
    c: ApproveErasure,
) -> Result<Option<DocumentEvent>, ErasureRefusal> {
    let Some(pending) = &document.erasure else {
        return Err(ErasureRefusal::NotRequested);
    };
    LegalHolds::none_on(document)?;
    if c.by.starts_with(SYSTEM) {
        return Err(ErasureRefusal::NoPerson);
    }
    if c.by == pending.requested_by {
        return Err(ErasureRefusal::SamePerson { requested_by: c.by });
    }
    Ok(Some(DocumentEvent::Erased(Erased {
        reason: pending.reason.clone(),
        requested_by: pending.requested_by.clone(),
        approved_by: c.by,
        erased_at: c.at,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{
        Correct, DocumentCommand, PlaceLegalHold, RecordExtraction, RecordFailure,
        ReleaseLegalHold, RequestErasure, RequestReprocessing, StartProcessing, Withdraw,
    };
    use crate::decide::Refusal;
    use crate::decide::testing::*;
    use crate::values::Priority;

    fn approve(by: &str) -> DocumentCommand {
        DocumentCommand::ApproveErasure(ApproveErasure {
            by: by.into(),
            at: at(10),
        })
    }

    #[test]
    fn another_person_approves() {
        given(vec![uploaded(), requested("key:admin")])
            .when(approve("key:approver"))
            .then_expect_events(vec![erased("key:admin", "key:approver")]);
        given(vec![uploaded(), requested("key:admin")])
            .when(approve("key:admin"))
            .then_expect_error(
                ErasureRefusal::SamePerson {
                    requested_by: "key:admin".into(),
                }
                .into(),
            );
    }

    #[test]
    fn any_one_person_approves_what_retention_requested() {
        for person in ["key:admin", "key:approver"] {
            given(vec![
                uploaded(),
                expired("days=1"),
                requested("system:retention"),
            ])
            .when(approve(person))
            .then_expect_events(vec![erased("system:retention", person)]);
        }
        given(vec![uploaded(), requested("key:admin")])
            .when(approve("system:retention"))
            .then_expect_error(ErasureRefusal::NoPerson.into());
    }

    #[test]
    fn there_must_be_a_request() {
        for before in [
            vec![uploaded()],
            vec![uploaded(), requested("key:admin"), rejected("key:approver")],
        ] {
            given(before)
                .when(approve("key:approver"))
                .then_expect_error(ErasureRefusal::NotRequested.into());
        }
    }

    #[test]
    fn a_hold_placed_after_the_request_stops_it() {
        given(vec![uploaded(), requested("key:admin"), held("case-1")])
            .when(approve("key:approver"))
            .then_expect_error(ErasureRefusal::Held(LegalHolds(vec!["case-1".into()])).into());
    }

    #[test]
    fn nothing_can_be_done_with_an_erased_document() {
        let reason = || "because".to_owned();
        let commands = [
            approve("key:approver"),
            DocumentCommand::StartProcessing(StartProcessing {
                attempt: attempt(1, 2),
                worker: "w1".into(),
                at: at(11),
            }),
            DocumentCommand::RecordExtraction(RecordExtraction {
                attempt: attempt(1, 1),
                text: text(),
                language: "en".into(),
                confidence: 1.0,
                department: None,
                judgement: crate::judged::Judgement::default(),
                findings: None,
                at: at(11),
            }),
            DocumentCommand::RecordFailure(RecordFailure {
                attempt: attempt(1, 1),
                reason: super::super::testing::reason(),
                retry: RETRY,
                at: at(11),
            }),
            DocumentCommand::RequestReprocessing(RequestReprocessing {
                priority: Priority::High,
                at: at(11),
            }),
            DocumentCommand::Correct(Correct {
                department: Some("safety".into()),
                language: None,
                private: Some(digest()),
                at: at(11),
            }),
            DocumentCommand::Withdraw(Withdraw {
                reason: reason(),
                at: at(11),
            }),
            DocumentCommand::PlaceLegalHold(PlaceLegalHold {
                matter: "case-1".into(),
                reason: reason(),
                at: at(11),
            }),
            DocumentCommand::ReleaseLegalHold(ReleaseLegalHold {
                matter: "case-1".into(),
                reason: reason(),
                at: at(11),
            }),
            DocumentCommand::RequestErasure(RequestErasure {
                reason: reason(),
                by: "key:admin".into(),
                at: at(11),
            }),
        ];
        for command in commands {
            let before = vec![
                uploaded(),
                started(1, 1),
                requested("key:admin"),
                erased("key:admin", "key:approver"),
            ];
            given(before)
                .when(command)
                .then_expect_error(Refusal::Erased);
        }
    }
}
