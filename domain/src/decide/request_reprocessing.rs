//! May a document be processed once more? When its run has ended and it was not withdrawn.

use crate::command::RequestReprocessing;
use crate::document::Document;
use crate::event::{DocumentEvent, ReprocessingRequested};

/// Why a request to reprocess was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReprocessingRefusal {
    /// The document was withdrawn.
    #[error("the document was withdrawn")]
    Withdrawn,
    /// The document is in quarantine.
    #[error("the document is in quarantine")]
    Quarantined,
    /// It waits or is under way already.
    #[error("the document is still being processed")]
    StillProcessing,
}

pub(super) fn decide(
    document: &Document,
    c: &RequestReprocessing,
) -> Result<Option<DocumentEvent>, ReprocessingRefusal> {
    if document.withdrawn {
        return Err(ReprocessingRefusal::Withdrawn);
    }
    if document.quarantine.is_some() {
        return Err(ReprocessingRefusal::Quarantined);
    }
    if !document.is_finished() {
        return Err(ReprocessingRefusal::StillProcessing);
    }
    Ok(Some(DocumentEvent::ReprocessingRequested(
        ReprocessingRequested {
            run: document.current.run.saturating_add(1),
            priority: c.priority,
            requested_at: c.at,
        },
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::testing::*;
    use crate::values::Priority;

    fn request() -> DocumentCommand {
        DocumentCommand::RequestReprocessing(RequestReprocessing {
            priority: Priority::High,
            at: at(3),
        })
    }

    #[test]
    fn a_finished_document_gets_a_new_run() {
        for last in [extracted(1, 1), failed(1, 1, None)] {
            given(vec![uploaded(), started(1, 1), last])
                .when(request())
                .then_expect_events(vec![reprocessing(2)]);
        }
    }

    #[test]
    fn a_document_under_way_is_left_alone() {
        for under_way in [
            vec![uploaded()],
            vec![uploaded(), started(1, 1)],
            vec![uploaded(), started(1, 1), failed(1, 1, Some(9))],
            vec![uploaded(), started(1, 1), extracted(1, 1), reprocessing(2)],
        ] {
            given(under_way)
                .when(request())
                .then_expect_error(ReprocessingRefusal::StillProcessing.into());
        }
    }

    #[test]
    fn a_withdrawn_document_is_not_reprocessed() {
        given(vec![
            uploaded(),
            started(1, 1),
            extracted(1, 1),
            withdrawn(),
        ])
        .when(request())
        .then_expect_error(ReprocessingRefusal::Withdrawn.into());
    }
}
