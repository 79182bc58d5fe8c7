//! What is said of each event; the events made here serve other tests too.

use super::*;
use kmrl_domain::PrivateDigest;
use kmrl_domain::event::{
    Corrected, Extracted, ProcessingStarted, ReprocessingRequested, Uploaded, Withdrawn,
};
use kmrl_domain::values::{Attempt, Blob, FailureReason, Priority, TextRef};
use serde_json::{Value, json};
use std::collections::HashMap;
use time::macros::datetime;

const AT: OffsetDateTime = datetime!(2026-03-01 10:00 UTC);

pub fn recorded(position: i64, id: Uuid, sequence: i64, event: &DocumentEvent) -> RecordedEvent {
    RecordedEvent {
        position,
        aggregate_type: "document".into(),
        aggregate_id: id.to_string(),
        sequence,
        event_type: event.name().into(),
        event_version: "1.0".into(),
        payload: serde_json::to_value(event).unwrap(),
        metadata: HashMap::new(),
        recorded_at: AT,
        private: None,
    }
}

pub fn uploaded(source: &str) -> DocumentEvent {
    DocumentEvent::Uploaded(Uploaded {
        blob: Blob {
            key: "sha256/aa/bb/aabb".into(),
            sha256: "aabb".into(),
            size: 3,
        },
        content_type: "application/pdf".into(),
        source: source.into(),
        priority: Priority::Normal,
        duplicate_of: None,
        parent: None,
        private: PrivateDigest("sha256:00".into()),
        uploaded_at: AT,
    })
}

const TRY: Attempt = Attempt { run: 1, attempt: 2 };

pub fn started() -> DocumentEvent {
    DocumentEvent::ProcessingStarted(ProcessingStarted {
        attempt: TRY,
        worker: "w".into(),
        started_at: AT,
    })
}

pub fn extracted() -> DocumentEvent {
    DocumentEvent::Extracted(Extracted {
        attempt: TRY,
        text: TextRef {
            key: "text/aa/bb/aabb.json".into(),
            sha256: "aabb".into(),
            characters: 900,
            pages: 12,
        },
        language: "en".into(),
        confidence: 0.9,
        department: Some("engineering".into()),
        judgement: kmrl_domain::judged::Judgement::default(),
        correction_kept: false,
        findings: None,
        extracted_at: AT,
    })
}

fn failed(retry: bool) -> DocumentEvent {
    DocumentEvent::Failed(Failed {
        attempt: TRY,
        reason: FailureReason {
            code: "time_limit".into(),
            detail: "It took longer than 300 s.".into(),
        },
        retry_at: retry.then_some(AT),
        failed_at: AT,
    })
}

/// The messages of a stream made of these events, at positions 11, 12, …
fn messages(events: &[DocumentEvent]) -> Vec<Value> {
    let (id, mut known) = (Uuid::from_u128(7), Known::default());
    events
        .iter()
        .zip(1_i64..)
        .map(|(event, n)| {
            known.apply(n, "key:one", event);
            let live = of_event(id, &recorded(10 + n, id, n, event), event, &known).unwrap();
            serde_json::from_str(&live.json).unwrap()
        })
        .collect()
}

fn says(message: &Value) -> (String, u64, String) {
    (
        message["status"].as_str().unwrap().into(),
        message["progress"].as_u64().unwrap(),
        message["message"].as_str().unwrap().into(),
    )
}

#[test]
fn a_message_has_the_fields_promised() {
    assert_eq!(
        messages(&[uploaded("maximo")]),
        [json!({
            "type": "document_update", "document_id": Uuid::from_u128(7), "status": "queued",
            "progress": 0, "message": "queued", "timestamp": "2026-03-01T10:00:00Z",
            "source": "maximo", "position": 11, "version": 1,
        })]
    );
}

#[test]
fn each_event_says_where_the_document_is() {
    let all = messages(&[
        uploaded("scan"),
        started(),
        failed(true),
        started(),
        extracted(),
        DocumentEvent::ReprocessingRequested(ReprocessingRequested {
            run: 2,
            priority: Priority::High,
            requested_at: AT,
        }),
        failed(false),
    ]);
    let said: Vec<_> = all.iter().map(says).collect();
    let line = |s: &str, p, m: &str| (s.to_owned(), p, m.to_owned());
    let why = "attempt 2 failed (time_limit): It took longer than 300 s.";
    assert_eq!(
        said,
        [
            line("queued", 0, "queued"),
            line("processing", 0, "processing, attempt 2"),
            line("queued", 0, &format!("{why}; queued for another attempt")),
            line("processing", 0, "processing, attempt 2"),
            line("processed", 100, "processed: 12 pages, 900 characters"),
            line("queued", 0, "queued again, run 2"),
            line("failed", 0, &format!("{why}; given up")),
        ]
    );
    assert!(
        all.iter()
            .all(|m| m["source"] == "scan" && m.get("change").is_none())
    );
}

#[test]
fn corrections_and_withdrawals_keep_the_status_and_name_the_change() {
    let all = messages(&[
        uploaded("scan"),
        extracted(),
        DocumentEvent::Corrected(Corrected {
            department: Some("finance".into()),
            language: None,
            private: None,
            corrected_at: AT,
        }),
        DocumentEvent::Withdrawn(Withdrawn {
            reason: "sent twice".into(),
            withdrawn_at: AT,
        }),
    ]);
    assert_eq!(says(&all[2]), ("processed".into(), 100, "corrected".into()));
    assert_eq!(all[2]["change"], "corrected");
    assert_eq!(
        says(&all[3]),
        ("processed".into(), 100, "withdrawn: sent twice".into())
    );
    assert_eq!(all[3]["change"], "withdrawn");
}

#[test]
fn progress_is_transient_and_has_no_position() {
    let id = Uuid::from_u128(7);
    let mut known = Known::default();
    known.apply(1, "key:one", &uploaded("scan"));
    known.apply(2, "key:one", &started());
    let progress = Progress {
        document_id: id,
        percent: 25,
        page: 3,
        pages: 12,
        timestamp: AT,
    };
    let live = of_progress(&progress, 12, &known).unwrap();
    assert!(live.transient && live.position == 12);
    let message: Value = serde_json::from_str(&live.json).unwrap();
    assert_eq!(
        says(&message),
        ("processing".into(), 25, "page 3 of 12".into())
    );
    assert!(message.get("position").is_none() && message.get("version").is_none());
}
