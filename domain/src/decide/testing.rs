//! Shared given/when/then vocabulary for the decisions' tests.

use crate::command::{DocumentCommand, RetryPolicy};
use crate::document::Document;
use crate::event::*;
use crate::judged::{Judgement, ReviewReason, Verdict};
use crate::private::PrivateDigest;
use crate::quarantine::Objection;
use crate::values::*;
use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use time::{Duration, OffsetDateTime};

pub(crate) const RETRY: RetryPolicy = RetryPolicy::Backoff {
    max_attempts: 3,
    first: Duration::seconds(5),
    longest: Duration::minutes(5),
};

pub(crate) fn given(events: Vec<DocumentEvent>) -> AggregateTestExecutor<Document> {
    TestFramework::<Document>::with(()).given(events)
}

pub(crate) fn at(second: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::seconds(second)
}

pub(crate) fn attempt(run: u32, attempt: u32) -> Attempt {
    Attempt { run, attempt }
}

pub(crate) fn digest() -> PrivateDigest {
    PrivateDigest("sha256:00".into())
}

pub(crate) fn uploaded() -> DocumentEvent {
    DocumentEvent::Uploaded(Uploaded {
        blob: Blob {
            key: "sha256/ab".into(),
            sha256: "ab".into(),
            size: 3,
        },
        content_type: "text/plain".into(),
        source: "manual".into(),
        priority: Priority::Normal,
        duplicate_of: None,
        parent: None,
        private: digest(),
        uploaded_at: at(0),
    })
}

pub(crate) fn started(run: u32, n: u32) -> DocumentEvent {
    DocumentEvent::ProcessingStarted(ProcessingStarted {
        attempt: attempt(run, n),
        worker: "w1".into(),
        started_at: at(1),
    })
}

pub(crate) fn text() -> TextRef {
    TextRef {
        key: "text/cd".into(),
        sha256: "cd".into(),
        characters: 5,
        pages: 1,
    }
}

pub(crate) fn extracted(run: u32, n: u32) -> DocumentEvent {
    DocumentEvent::Extracted(Extracted {
        attempt: attempt(run, n),
        text: text(),
        language: "en".into(),
        confidence: 1.0,
        department: None,
        judgement: Judgement::default(),
        correction_kept: false,
        findings: None,
        extracted_at: at(2),
    })
}

pub(crate) fn text_of(sha256: &str) -> TextRef {
    TextRef {
        key: format!("text/{sha256}"),
        sha256: sha256.into(),
        ..text()
    }
}

/// A text that somebody wrote in place of [`text`].
pub(crate) fn other_text() -> TextRef {
    text_of("ef")
}

/// An extraction that a person has to look at.
pub(crate) fn doubtful(run: u32) -> DocumentEvent {
    extracted_as(run, &text().sha256, &["low_confidence"], false)
}

/// A later extraction, after a correction of the text.
pub(crate) fn reread(run: u32, sha256: &str, is_other: bool) -> DocumentEvent {
    let codes: &[&str] = if is_other { &["correction_kept"] } else { &[] };
    extracted_as(run, sha256, codes, true)
}

pub(crate) fn extracted_as(
    run: u32,
    sha256: &str,
    codes: &[&str],
    correction_kept: bool,
) -> DocumentEvent {
    let reason = |code: &&str| match *code {
        "correction_kept" => ReviewReason::correction_kept(),
        code => ReviewReason {
            code: code.into(),
            detail: "0.4 is below 0.7".into(),
        },
    };
    DocumentEvent::Extracted(Extracted {
        attempt: attempt(run, 1),
        text: text_of(sha256),
        language: "en".into(),
        confidence: 1.0,
        department: None,
        judgement: Judgement {
            needs_review: codes.iter().map(reason).collect(),
            ..Judgement::default()
        },
        correction_kept,
        findings: None,
        extracted_at: at(2),
    })
}

pub(crate) fn reviewed(verdict: Verdict, text: TextRef) -> DocumentEvent {
    DocumentEvent::Reviewed(Reviewed {
        verdict,
        text,
        reviewer: "key:admin".into(),
        reviewed_at: at(5),
    })
}

pub(crate) fn reason() -> FailureReason {
    FailureReason {
        code: "damaged".into(),
        detail: "the file ends too early".into(),
    }
}

pub(crate) fn failed(run: u32, n: u32, retry_at: Option<i64>) -> DocumentEvent {
    DocumentEvent::Failed(Failed {
        attempt: attempt(run, n),
        reason: reason(),
        retry_at: retry_at.map(at),
        failed_at: at(2),
    })
}

pub(crate) fn reprocessing(run: u32) -> DocumentEvent {
    DocumentEvent::ReprocessingRequested(ReprocessingRequested {
        run,
        priority: Priority::High,
        requested_at: at(3),
    })
}

pub(crate) fn withdrawn() -> DocumentEvent {
    DocumentEvent::Withdrawn(Withdrawn {
        reason: "sent twice".into(),
        withdrawn_at: at(4),
    })
}

pub(crate) fn held(matter: &str) -> DocumentEvent {
    DocumentEvent::LegalHoldPlaced(LegalHoldPlaced {
        matter: matter.into(),
        reason: "inquiry".into(),
        placed_at: at(6),
    })
}

pub(crate) fn released(matter: &str) -> DocumentEvent {
    DocumentEvent::LegalHoldReleased(LegalHoldReleased {
        matter: matter.into(),
        reason: "closed".into(),
        released_at: at(7),
    })
}

pub(crate) fn expired(rule: &str) -> DocumentEvent {
    DocumentEvent::RetentionExpired(RetentionExpired {
        rule: rule.into(),
        expired_at: at(8),
    })
}

pub(crate) fn requested(by: &str) -> DocumentEvent {
    DocumentEvent::ErasureRequested(ErasureRequested {
        reason: "asked by the subject".into(),
        requested_by: by.into(),
        requested_at: at(9),
    })
}

pub(crate) fn rejected(by: &str) -> DocumentEvent {
    DocumentEvent::ErasureRejected(ErasureRejected {
        reason: "still needed".into(),
        rejected_by: by.into(),
        rejected_at: at(10),
    })
}

pub(crate) fn erased(requested_by: &str, approved_by: &str) -> DocumentEvent {
    DocumentEvent::Erased(Erased {
        reason: "asked by the subject".into(),
        requested_by: requested_by.into(),
        approved_by: approved_by.into(),
        erased_at: at(10),
    })
}

pub(crate) fn objection(code: &str) -> Objection {
    Objection {
        code: code.into(),
        detail: "the file carries something".into(),
    }
}

pub(crate) fn quarantined(code: &str) -> DocumentEvent {
    DocumentEvent::Quarantined(Quarantined {
        objections: vec![objection(code)],
        quarantined_at: at(0),
    })
}

pub(crate) fn risks_accepted(code: &str) -> DocumentEvent {
    DocumentEvent::RisksAccepted(RisksAccepted {
        objections: vec![objection(code)],
        accepted_at: at(0),
    })
}

pub(crate) fn release_requested(by: &str) -> DocumentEvent {
    DocumentEvent::QuarantineReleaseRequested(QuarantineReleaseRequested {
        reason: "looked at by hand".into(),
        requested_by: by.into(),
        requested_at: at(9),
    })
}

pub(crate) fn release_rejected(by: &str) -> DocumentEvent {
    DocumentEvent::QuarantineReleaseRejected(QuarantineReleaseRejected {
        reason: "not convinced".into(),
        rejected_by: by.into(),
        rejected_at: at(10),
    })
}

pub(crate) fn quarantine_released(requested_by: &str, released_by: &str) -> DocumentEvent {
    DocumentEvent::QuarantineReleased(QuarantineReleased {
        run: 2,
        priority: Priority::Normal,
        reason: "looked at by hand".into(),
        requested_by: requested_by.into(),
        released_by: released_by.into(),
        released_at: at(10),
    })
}

/// Asserts that the command decides nothing and is no error.
pub(crate) fn nothing(events: Vec<DocumentEvent>, command: DocumentCommand) {
    given(events).when(command).then_expect_events(vec![]);
}
