//! Events for the tests of this crate.

use kmrl_domain::access::{self, AccessRecord, AccessRecorded, Outcome};
use kmrl_domain::event::{
    ContentDestroyed, Corrected, Erased, ErasureRejected, ErasureRequested, Extracted, Failed,
    LegalHoldPlaced, LegalHoldReleased, ProcessingStarted, QuarantineReleaseRejected,
    QuarantineReleaseRequested, QuarantineReleased, Quarantined, ReprocessingRequested,
    RetentionExpired, Reviewed, RisksAccepted, Uploaded, Withdrawn,
};
use kmrl_domain::judged::{DepartmentEvidence, Judgement, ReviewReason, Verdict};
use kmrl_domain::private::{CorrectedPrivate, PrivateDigest, UploadedPrivate};
use kmrl_domain::quarantine::Objection;
use kmrl_domain::values::{Attempt, Blob, FailureReason, Priority, TextRef};
use kmrl_domain::{DocumentEvent, RecordedEvent, api_key, intake};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

/// Number of the document, place in its stream, event with its private part.
pub(crate) type Spec = (u128, i64, (DocumentEvent, Option<Value>));

const AT: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(crate) fn text_key() -> String {
    "text/cd/ef/cdef.json".into()
}

/// The log that holds these events alone.
pub(crate) fn log(events: Vec<Spec>) -> Vec<RecordedEvent> {
    (1..)
        .zip(events)
        .map(|(position, (number, sequence, (event, private)))| {
            recorded(
                position,
                "document",
                number,
                sequence,
                event.name(),
                serde_json::to_value(&event).unwrap(),
                private,
            )
        })
        .collect()
}

fn recorded(
    position: i64,
    aggregate_type: &str,
    number: u128,
    sequence: i64,
    event_type: &str,
    payload: Value,
    private: Option<Value>,
) -> RecordedEvent {
    RecordedEvent {
        position,
        aggregate_type: aggregate_type.into(),
        aggregate_id: id(number).to_string(),
        sequence,
        event_type: event_type.into(),
        event_version: "1.0".into(),
        payload,
        metadata: std::collections::HashMap::new(),
        recorded_at: AT,
        private,
    }
}

/// A document on the whole of its way.
pub(crate) fn document(number: u128) -> Vec<Spec> {
    vec![
        (number, 1, uploaded()),
        (number, 2, started(1, 1)),
        (number, 3, extracted_with(5)),
    ]
}

pub(crate) fn uploaded() -> (DocumentEvent, Option<Value>) {
    let private = UploadedPrivate {
        file_name: "job card.pdf".into(),
        metadata: json!({"wonum": "WO-1"}).as_object().cloned().unwrap(),
        uploaded_by: "depot".into(),
    };
    let event = DocumentEvent::Uploaded(Uploaded {
        blob: Blob {
            key: "sha256/ab/cd/abcd".into(),
            sha256: "abcd".into(),
            size: 1_024,
        },
        content_type: "application/pdf".into(),
        source: "maximo".into(),
        priority: Priority::Normal,
        duplicate_of: None,
        parent: None,
        private: PrivateDigest("sha256:00".into()),
        uploaded_at: AT,
    });
    (event, Some(serde_json::to_value(private).unwrap()))
}

pub(crate) fn started(run: u32, attempt: u32) -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::ProcessingStarted(ProcessingStarted {
        attempt: Attempt { run, attempt },
        worker: "worker-1".into(),
        started_at: AT,
    });
    (event, None)
}

pub(crate) fn extracted_with(characters: u64) -> (DocumentEvent, Option<Value>) {
    (extracted(characters, 0.9), None)
}

pub(crate) fn extracted_at(confidence: f64) -> (DocumentEvent, Option<Value>) {
    (extracted(5, confidence), None)
}

fn extracted(characters: u64, confidence: f64) -> DocumentEvent {
    DocumentEvent::Extracted(Extracted {
        attempt: Attempt { run: 1, attempt: 1 },
        text: TextRef {
            key: text_key(),
            sha256: "cdef".into(),
            characters,
            pages: 1,
        },
        language: "en".into(),
        confidence,
        department: Some("rolling_stock".into()),
        judgement: Judgement::default(),
        correction_kept: false,
        findings: None,
        extracted_at: AT,
    })
}

/// An extraction that a person has to look at.
pub(crate) fn doubtful() -> (DocumentEvent, Option<Value>) {
    (judged(1, "cdef", "low_confidence", false), None)
}

/// A later one of another text, after a correction.
pub(crate) fn kept_back(run: u32, sha256: &str) -> (DocumentEvent, Option<Value>) {
    (judged(run, sha256, "correction_kept", true), None)
}

fn judged(run: u32, sha256: &str, code: &str, correction_kept: bool) -> DocumentEvent {
    DocumentEvent::Extracted(Extracted {
        attempt: Attempt { run, attempt: 1 },
        text: text_of(sha256),
        language: "ml".into(),
        confidence: 0.4,
        department: Some("safety".into()),
        judgement: Judgement {
            language_shares: [("Mlym".to_owned(), 1.0)].into(),
            department_evidence: Some(DepartmentEvidence {
                department: "safety".into(),
                ..DepartmentEvidence::default()
            }),
            needs_review: vec![ReviewReason {
                code: code.into(),
                detail: "why".into(),
            }],
            recognised_pages: 1,
            unread_pages: 0,
        },
        correction_kept,
        findings: None,
        extracted_at: AT,
    })
}

pub(crate) fn text_of(sha256: &str) -> TextRef {
    TextRef {
        key: format!("text/{sha256}.json"),
        sha256: sha256.into(),
        characters: 7,
        pages: 1,
    }
}

pub(crate) fn reviewed(verdict: Verdict, sha256: &str) -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::Reviewed(Reviewed {
        verdict,
        text: text_of(sha256),
        reviewer: "key:admin".into(),
        reviewed_at: AT,
    });
    (event, None)
}

pub(crate) fn failed(run: u32, attempt: u32, again: bool) -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::Failed(Failed {
        attempt: Attempt { run, attempt },
        reason: FailureReason {
            code: "unsupported_type".into(),
            detail: "Files of this type have no text reader.".into(),
        },
        retry_at: again.then_some(AT),
        failed_at: AT,
    });
    (event, None)
}

pub(crate) fn reprocessing(run: u32) -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::ReprocessingRequested(ReprocessingRequested {
        run,
        priority: Priority::High,
        requested_at: AT,
    });
    (event, None)
}

pub(crate) fn corrected(
    department: Option<&str>,
    wonum: Option<&str>,
) -> (DocumentEvent, Option<Value>) {
    let private = wonum.map(|wonum| CorrectedPrivate {
        metadata: json!({"wonum": wonum}).as_object().cloned().unwrap(),
    });
    let event = DocumentEvent::Corrected(Corrected {
        department: department.map(Into::into),
        language: None,
        private: wonum.map(|_| PrivateDigest("sha256:00".into())),
        corrected_at: AT,
    });
    (event, private.map(|p| serde_json::to_value(p).unwrap()))
}

pub(crate) fn withdrawn() -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::Withdrawn(Withdrawn {
        reason: "sent twice".into(),
        withdrawn_at: AT,
    });
    (event, None)
}

pub(crate) fn held(matter: &str) -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::LegalHoldPlaced(LegalHoldPlaced {
        matter: matter.into(),
        reason: "inquiry".into(),
        placed_at: AT,
    });
    (event, None)
}

pub(crate) fn released(matter: &str) -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::LegalHoldReleased(LegalHoldReleased {
        matter: matter.into(),
        reason: "closed".into(),
        released_at: AT,
    });
    (event, None)
}

pub(crate) fn expired(rule: &str) -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::RetentionExpired(RetentionExpired {
        rule: rule.into(),
        expired_at: AT,
    });
    (event, None)
}

pub(crate) fn requested(by: &str) -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::ErasureRequested(ErasureRequested {
        reason: "asked by the subject".into(),
        requested_by: by.into(),
        requested_at: AT,
    });
    (event, None)
}

pub(crate) fn rejected(by: &str) -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::ErasureRejected(ErasureRejected {
        reason: "still needed".into(),
        rejected_by: by.into(),
        rejected_at: AT,
    });
    (event, None)
}

pub(crate) fn erased(requested_by: &str, approved_by: &str) -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::Erased(Erased {
        reason: "asked by the subject".into(),
        requested_by: requested_by.into(),
        approved_by: approved_by.into(),
        erased_at: AT,
    });
    (event, None)
}

pub(crate) fn destroyed() -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::ContentDestroyed(ContentDestroyed {
        private_parts: 1,
        objects_removed: 1,
        objects_kept: 1,
        destroyed_at: AT,
    });
    (event, None)
}

fn objection(code: &str) -> Objection {
    Objection {
        code: code.into(),
        detail: "the file carries something".into(),
    }
}

pub(crate) fn quarantined() -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::Quarantined(Quarantined {
        objections: vec![objection("macros")],
        quarantined_at: AT,
    });
    (event, None)
}

pub(crate) fn risks_accepted() -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::RisksAccepted(RisksAccepted {
        objections: vec![objection("javascript")],
        accepted_at: AT,
    });
    (event, None)
}

pub(crate) fn release_requested() -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::QuarantineReleaseRequested(QuarantineReleaseRequested {
        reason: "looked at by hand".into(),
        requested_by: "key:admin".into(),
        requested_at: AT,
    });
    (event, None)
}

pub(crate) fn release_rejected() -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::QuarantineReleaseRejected(QuarantineReleaseRejected {
        reason: "not convinced".into(),
        rejected_by: "key:approver".into(),
        rejected_at: AT,
    });
    (event, None)
}

pub(crate) fn quarantine_released() -> (DocumentEvent, Option<Value>) {
    let event = DocumentEvent::QuarantineReleased(QuarantineReleased {
        run: 2,
        priority: Priority::Normal,
        reason: "looked at by hand".into(),
        requested_by: "key:admin".into(),
        released_by: "key:approver".into(),
        released_at: AT,
    });
    (event, None)
}

/// A refused upload, as the only event of its stream.
pub(crate) fn refused(position: i64) -> RecordedEvent {
    recorded(
        position,
        intake::TYPE,
        99,
        1,
        "UploadRefused",
        json!({
            "type": "UploadRefused", "problem": "empty-file", "detail": "The file is empty.",
            "objections": [{"code": "empty", "detail": "nothing in it"}],
            "source": "manual", "received": 0, "private": "sha256:00",
            "refused_at": "2026-01-02T03:04:05Z",
        }),
        Some(json!({"file_name": "empty.pdf"})),
    )
}

/// So many records of access, as one event.
pub(crate) fn accessed(position: i64, records: usize) -> RecordedEvent {
    let record = AccessRecord::new("view", Outcome::Shown, "key:admin", AT);
    let event = AccessRecorded {
        records: vec![record; records],
    };
    let payload = serde_json::to_value(event).unwrap();
    recorded(
        position,
        access::TYPE,
        7,
        position,
        access::EVENT,
        payload,
        None,
    )
}

/// A key that was issued, rotated and revoked, as the whole log.
pub(crate) fn key_events() -> Vec<RecordedEvent> {
    let at = "2026-01-02T03:04:05Z";
    let payloads = [
        json!({
            "type": "KeyIssued", "digest": "00", "pepper": "p", "issued_at": at,
            "grant": {
                "name": "maximo", "owner": "IT", "roles": ["connector"], "scopes": null,
                "sources": {"only": ["maximo"]}, "departments": "all", "expires_at": null,
            },
        }),
        json!({
            "type": "KeyRotated", "digest": "11", "pepper": "p", "overlap_until": at,
            "rotated_at": at,
        }),
        json!({"type": "KeyRevoked", "reason": "lost", "revoked_at": at}),
    ];
    (1..)
        .zip(payloads)
        .map(|(n, payload)| {
            let name = payload["type"].as_str().unwrap().to_owned();
            let mut event = recorded(n, api_key::TYPE, 9, n, &name, payload, None);
            let actor = ("actor".to_owned(), "key:admin".to_owned());
            event.metadata.extend([actor]);
            event
        })
        .collect()
}
