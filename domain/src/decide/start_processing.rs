//! May an attempt start? Only a newer one than was started before, in the current run.

use crate::command::StartProcessing;
use crate::document::Document;
use crate::event::{DocumentEvent, ProcessingStarted};
use crate::values::Attempt;

/// Why an attempt may not start. Each tells a worker to drop the job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartRefusal {
    /// The document was withdrawn.
    #[error("the document was withdrawn")]
    Withdrawn,
    /// The document is in quarantine.
    #[error("the document is in quarantine")]
    Quarantined,
    /// The run has its outcome.
    #[error("{attempt} is asked for, but its run has its outcome")]
    Finished {
        /// The attempt asked for.
        attempt: Attempt,
    },
    /// A newer attempt or run was started.
    #[error("{attempt} is asked for, but {current} is current")]
    Superseded {
        /// The attempt asked for.
        attempt: Attempt,
        /// The newest one.
        current: Attempt,
    },
}

pub(super) fn decide(
    document: &Document,
    c: StartProcessing,
) -> Result<Option<DocumentEvent>, StartRefusal> {
    let (attempt, current) = (c.attempt, document.current);
    if document.withdrawn {
        return Err(StartRefusal::Withdrawn);
    }
    if document.quarantine.is_some() {
        return Err(StartRefusal::Quarantined);
    }
    if attempt.run != current.run || attempt <= current {
        return Err(StartRefusal::Superseded { attempt, current });
    }
    if document.is_finished() {
        return Err(StartRefusal::Finished { attempt });
    }
    Ok(Some(DocumentEvent::ProcessingStarted(ProcessingStarted {
        attempt,
        worker: c.worker,
        started_at: c.at,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::Refusal;
    use crate::decide::testing::*;

    fn start(run: u32, n: u32) -> DocumentCommand {
        DocumentCommand::StartProcessing(StartProcessing {
            attempt: attempt(run, n),
            worker: "w1".into(),
            at: at(1),
        })
    }

    #[test]
    fn the_first_attempt_starts() {
        given(vec![uploaded()])
            .when(start(1, 1))
            .then_expect_events(vec![started(1, 1)]);
    }

    #[test]
    fn an_attempt_follows_one_that_never_ended() {
        given(vec![uploaded(), started(1, 1)])
            .when(start(1, 2))
            .then_expect_events(vec![started(1, 2)]);
    }

    #[test]
    fn an_attempt_follows_a_failure() {
        given(vec![uploaded(), started(1, 1), failed(1, 1, Some(9))])
            .when(start(1, 2))
            .then_expect_events(vec![started(1, 2)]);
    }

    #[test]
    fn a_new_run_starts_after_reprocessing_was_requested() {
        given(vec![
            uploaded(),
            started(1, 1),
            extracted(1, 1),
            reprocessing(2),
        ])
        .when(start(2, 1))
        .then_expect_events(vec![started(2, 1)]);
    }

    #[test]
    fn an_attempt_starts_once() {
        given(vec![uploaded(), started(1, 2)])
            .when(start(1, 2))
            .then_expect_error(superseded(attempt(1, 2), attempt(1, 2)));
    }

    #[test]
    fn an_attempt_of_another_run_does_not_start() {
        given(vec![uploaded(), reprocessing(2)])
            .when(start(1, 1))
            .then_expect_error(superseded(attempt(1, 1), attempt(2, 0)));
        given(vec![uploaded()])
            .when(start(2, 1))
            .then_expect_error(superseded(attempt(2, 1), attempt(1, 0)));
    }

    #[test]
    fn nothing_starts_after_the_outcome() {
        for last in [extracted(1, 1), failed(1, 1, None)] {
            given(vec![uploaded(), started(1, 1), last])
                .when(start(1, 2))
                .then_expect_error(
                    StartRefusal::Finished {
                        attempt: attempt(1, 2),
                    }
                    .into(),
                );
        }
    }

    #[test]
    fn nothing_starts_after_withdrawal() {
        given(vec![uploaded(), withdrawn()])
            .when(start(1, 1))
            .then_expect_error(StartRefusal::Withdrawn.into());
    }

    #[test]
    fn an_unknown_document_is_refused() {
        given(vec![])
            .when(start(1, 1))
            .then_expect_error(Refusal::Unknown);
    }

    fn superseded(attempt: crate::values::Attempt, current: crate::values::Attempt) -> Refusal {
        StartRefusal::Superseded { attempt, current }.into()
    }
}
