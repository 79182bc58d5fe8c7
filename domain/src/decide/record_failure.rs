//! An attempt failed. The rules say whether another follows, and when.

use super::record_extraction::{OutcomeRefusal, standing};
use crate::command::RecordFailure;
use crate::document::Document;
use crate::event::{DocumentEvent, Failed};

pub(super) fn decide(
    document: &Document,
    c: RecordFailure,
) -> Result<Option<DocumentEvent>, OutcomeRefusal> {
    if !standing(document, c.attempt)? {
        return Ok(None);
    }
    let wait = c.retry.wait_after(c.attempt.attempt);
    Ok(Some(DocumentEvent::Failed(Failed {
        attempt: c.attempt,
        reason: c.reason,
        retry_at: wait.and_then(|wait| c.at.checked_add(wait)),
        failed_at: c.at,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{DocumentCommand, RetryPolicy};
    use crate::decide::testing::*;
    use time::Duration;

    fn record(run: u32, n: u32, retry: RetryPolicy) -> DocumentCommand {
        DocumentCommand::RecordFailure(RecordFailure {
            attempt: attempt(run, n),
            reason: reason(),
            retry,
            at: at(2),
        })
    }

    #[test]
    fn a_failure_that_would_repeat_is_the_last() {
        given(vec![uploaded(), started(1, 1)])
            .when(record(1, 1, RetryPolicy::Never))
            .then_expect_events(vec![failed(1, 1, None)]);
    }

    #[test]
    fn a_passing_failure_is_tried_again_later() {
        given(vec![uploaded(), started(1, 1)])
            .when(record(1, 1, RETRY))
            .then_expect_events(vec![failed(1, 1, Some(7))]);
        given(vec![uploaded(), started(1, 2)])
            .when(record(1, 2, RETRY))
            .then_expect_events(vec![failed(1, 2, Some(12))]);
    }

    #[test]
    fn the_last_attempt_is_the_last() {
        given(vec![uploaded(), started(1, 3)])
            .when(record(1, 3, RETRY))
            .then_expect_events(vec![failed(1, 3, None)]);
    }

    #[test]
    fn the_wait_doubles_up_to_the_longest() {
        let retry = RetryPolicy::Backoff {
            max_attempts: u32::MAX,
            first: Duration::seconds(5),
            longest: Duration::minutes(5),
        };
        assert_eq!(retry.wait_after(3), Some(Duration::seconds(20)));
        assert_eq!(retry.wait_after(1_000_000), Some(Duration::minutes(5)));
    }

    #[test]
    fn a_redelivered_failure_decides_nothing() {
        nothing(
            vec![uploaded(), started(1, 1), failed(1, 1, Some(7))],
            record(1, 1, RETRY),
        );
        nothing(
            vec![uploaded(), started(1, 1), extracted(1, 1)],
            record(1, 1, RETRY),
        );
    }

    #[test]
    fn a_failure_of_another_attempt_or_after_withdrawal_is_refused() {
        given(vec![uploaded(), started(1, 1), started(1, 2)])
            .when(record(1, 1, RETRY))
            .then_expect_error(
                OutcomeRefusal::Superseded {
                    attempt: attempt(1, 1),
                    current: attempt(1, 2),
                }
                .into(),
            );
        given(vec![uploaded(), started(1, 1), withdrawn()])
            .when(record(1, 1, RETRY))
            .then_expect_error(OutcomeRefusal::Withdrawn.into());
    }
}
