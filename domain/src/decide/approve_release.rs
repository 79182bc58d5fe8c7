//! A second person approves the release of a document from quarantine: it is queued for processing.

use super::QuarantineRefusal;
use super::request_release::{can_be_processed, of};
use crate::command::ApproveRelease;
use crate::document::Document;
use crate::event::{DocumentEvent, QuarantineReleased};

/// What the names of parts of the gateway begin with.
const SYSTEM: &str = "system:";

pub(super) fn decide(
    document: &Document,
    c: ApproveRelease,
) -> Result<Option<DocumentEvent>, QuarantineRefusal> {
    let Some(pending) = &of(document)?.release else {
        return Err(QuarantineRefusal::NotRequested);
    };
    can_be_processed(document)?;
    if c.by.starts_with(SYSTEM) {
        return Err(QuarantineRefusal::NoPerson);
    }
    if c.by == pending.requested_by {
        return Err(QuarantineRefusal::SamePerson { requested_by: c.by });
    }
    Ok(Some(DocumentEvent::QuarantineReleased(
        QuarantineReleased {
            // The run that the upload opened was never worked on, and its job is cancelled.
            run: document.current.run.saturating_add(1),
            priority: document.priority,
            reason: pending.reason.clone(),
            requested_by: pending.requested_by.clone(),
            released_by: c.by,
            released_at: c.at,
        },
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{DocumentCommand, StartProcessing};
    use crate::decide::testing::*;

    fn approve(by: &str) -> DocumentCommand {
        DocumentCommand::ApproveRelease(ApproveRelease {
            by: by.into(),
            at: at(10),
        })
    }

    fn waiting() -> Vec<DocumentEvent> {
        vec![
            uploaded(),
            quarantined("macros"),
            release_requested("key:admin"),
        ]
    }

    #[test]
    fn another_person_approves() {
        given(waiting())
            .when(approve("key:approver"))
            .then_expect_events(vec![quarantine_released("key:admin", "key:approver")]);
        given(waiting())
            .when(approve("key:admin"))
            .then_expect_error(
                QuarantineRefusal::SamePerson {
                    requested_by: "key:admin".into(),
                }
                .into(),
            );
        given(waiting())
            .when(approve("system:worker"))
            .then_expect_error(QuarantineRefusal::NoPerson.into());
    }

    #[test]
    fn there_must_be_a_request() {
        let rejected = [waiting(), vec![release_rejected("key:approver")]].concat();
        for before in [vec![uploaded(), quarantined("macros")], rejected] {
            given(before)
                .when(approve("key:approver"))
                .then_expect_error(QuarantineRefusal::NotRequested.into());
        }
        let released = [
            waiting(),
            vec![quarantine_released("key:admin", "key:approver")],
        ];
        given(released.concat())
            .when(approve("key:approver"))
            .then_expect_error(QuarantineRefusal::NotQuarantined.into());
    }

    #[test]
    fn what_became_of_it_meanwhile_counts() {
        given([waiting(), vec![withdrawn()]].concat())
            .when(approve("key:approver"))
            .then_expect_error(QuarantineRefusal::Withdrawn.into());
        given([waiting(), vec![requested("key:admin")]].concat())
            .when(approve("key:approver"))
            .then_expect_error(
                QuarantineRefusal::ErasureWaits {
                    requested_by: "key:admin".into(),
                }
                .into(),
            );
    }

    #[test]
    fn a_released_document_is_processed_in_a_new_run() {
        let released = [
            waiting(),
            vec![quarantine_released("key:admin", "key:approver")],
        ];
        given(released.concat())
            .when(DocumentCommand::StartProcessing(StartProcessing {
                attempt: attempt(2, 1),
                worker: "w1".into(),
                at: at(1),
            }))
            .then_expect_events(vec![started(2, 1)]);
    }
}
