//! Histories of documents: every way that one can go, many of them interleaved.

use crate::world::New;
use kmrl_domain::event::{
    ContentDestroyed, Corrected, Erased, ErasureRequested, Extracted, Failed, ProcessingStarted,
    ReprocessingRequested, Uploaded, Withdrawn,
};
use kmrl_domain::judged::{Judgement, ReviewReason};
use kmrl_domain::private::{CorrectedPrivate, PrivateDigest, UploadedPrivate};
use kmrl_domain::values::{Attempt, Blob, FailureReason, Findings, Priority, TextRef};
use kmrl_domain::{DocumentEvent, UploadRefused};
use serde_json::{Value, json};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

pub fn id(number: u32) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(number))
}

fn at(number: u32) -> OffsetDateTime {
    datetime!(2026-01-02 03:04:05 UTC) + Duration::seconds(number.into())
}

fn event(number: u32, sequence: i64, event: &DocumentEvent, private: Option<Value>) -> New {
    New {
        aggregate_type: "document",
        id: id(number),
        sequence,
        event_type: event.name(),
        payload: serde_json::to_value(event).unwrap(),
        private,
    }
}

fn digest() -> PrivateDigest {
    PrivateDigest("sha256:00".into())
}

pub fn uploaded(number: u32) -> New {
    let source = ["maximo", "gmail", "scan"][number as usize % 3];
    let private = UploadedPrivate {
        file_name: format!("ജോലി {number}.pdf"),
        metadata: json!({"wonum": number, "odd": "\0"})
            .as_object()
            .cloned()
            .unwrap(),
        uploaded_by: "depot".into(),
    };
    let uploaded = DocumentEvent::Uploaded(Uploaded {
        blob: Blob {
            key: format!("sha256/{:02}", number % 50),
            sha256: format!("{:064x}", number % 50),
            size: 1_000 + u64::from(number),
        },
        content_type: "application/pdf".into(),
        source: source.into(),
        priority: Priority::Normal,
        duplicate_of: (number >= 50).then(|| id(number % 50)),
        parent: None,
        private: digest(),
        uploaded_at: at(number),
    });
    let private = serde_json::to_value(private).unwrap();
    event(number, 1, &uploaded, Some(private))
}

pub fn started(number: u32, sequence: i64, run: u32, attempt: u32) -> New {
    let started = DocumentEvent::ProcessingStarted(ProcessingStarted {
        attempt: Attempt { run, attempt },
        worker: "worker-1".into(),
        started_at: at(number),
    });
    event(number, sequence, &started, None)
}

pub fn text_key(number: u32, run: u32) -> String {
    format!("text/{number}-{run}.json")
}

pub fn extracted(number: u32, sequence: i64, run: u32, attempt: u32) -> New {
    let confidence = 0.5 + f64::from(number % 50) / 100.0;
    let reason = ReviewReason {
        code: "low_confidence".into(),
        detail: format!("{confidence} is below 0.7"),
    };
    let extracted = DocumentEvent::Extracted(Extracted {
        attempt: Attempt { run, attempt },
        text: TextRef {
            key: text_key(number, run),
            sha256: format!("{:064x}", number + run),
            characters: 30,
            pages: 2,
        },
        language: if number.is_multiple_of(2) { "en" } else { "ml" }.into(),
        confidence,
        department: (number.is_multiple_of(4)).then(|| "safety".into()),
        judgement: Judgement {
            needs_review: (confidence < 0.7).then_some(reason).into_iter().collect(),
            ..Judgement::default()
        },
        correction_kept: false,
        findings: Some(Findings {
            version: Some("1.7".into()),
            ..Findings::default()
        }),
        extracted_at: at(number),
    });
    event(number, sequence, &extracted, None)
}

pub fn failed(number: u32, sequence: i64, attempt: u32, again: bool) -> New {
    let failed = DocumentEvent::Failed(Failed {
        attempt: Attempt { run: 1, attempt },
        reason: FailureReason {
            code: "unsupported_type".into(),
            detail: "Files of this type have no text reader.".into(),
        },
        retry_at: again.then(|| at(number + 5)),
        failed_at: at(number),
    });
    event(number, sequence, &failed, None)
}

pub fn corrected(number: u32, sequence: i64) -> New {
    let corrected = DocumentEvent::Corrected(Corrected {
        department: Some("legal".into()),
        language: Some("mixed".into()),
        private: Some(digest()),
        corrected_at: at(number),
    });
    let private = CorrectedPrivate {
        metadata: json!({"corrected": true}).as_object().cloned().unwrap(),
    };
    let private = serde_json::to_value(private).unwrap();
    event(number, sequence, &corrected, Some(private))
}

pub fn withdrawn(number: u32, sequence: i64) -> New {
    let withdrawn = DocumentEvent::Withdrawn(Withdrawn {
        reason: "sent twice".into(),
        withdrawn_at: at(number),
    });
    event(number, sequence, &withdrawn, None)
}

pub fn reprocessing(number: u32, sequence: i64) -> New {
    let requested = DocumentEvent::ReprocessingRequested(ReprocessingRequested {
        run: 2,
        priority: Priority::High,
        requested_at: at(number),
    });
    event(number, sequence, &requested, None)
}

pub fn refused(number: u32) -> New {
    let refused = UploadRefused {
        problem: "empty-file".into(),
        detail: "The file is empty.".into(),
        objections: Vec::new(),
        source: Some("manual".into()),
        received: 0,
        private: Some(digest()),
        refused_at: at(number),
    };
    New {
        aggregate_type: "intake",
        id: id(1_000_000 + number),
        sequence: 1,
        event_type: "UploadRefused",
        payload: serde_json::to_value(refused).unwrap(),
        private: Some(json!({"file_name": "empty.pdf"})),
    }
}

/// A document that is processed at once.
pub fn processed(number: u32) -> Vec<New> {
    vec![
        uploaded(number),
        started(number, 2, 1, 1),
        extracted(number, 3, 1, 1),
    ]
}

/// One of seven ways, by the number.
pub fn way(number: u32) -> Vec<New> {
    let n = number;
    let (up, go) = (uploaded(n), started(n, 2, 1, 1));
    match n % 7 {
        0 => vec![up],
        1 => vec![up, go],
        2 => processed(n),
        3 => vec![
            up,
            go,
            failed(n, 3, 1, true),
            started(n, 4, 1, 2),
            extracted(n, 5, 1, 2),
        ],
        4 => vec![up, go, failed(n, 3, 1, false)],
        5 => [
            processed(n),
            vec![
                reprocessing(n, 4),
                started(n, 5, 2, 1),
                extracted(n, 6, 2, 1),
            ],
        ]
        .concat(),
        _ => [processed(n), vec![corrected(n, 4), withdrawn(n, 5)]].concat(),
    }
}

/// The ways of documents `numbers`, interleaved, with a refused upload for each.
pub fn interleaved(numbers: std::ops::Range<u32>) -> Vec<New> {
    let ways: Vec<Vec<New>> = numbers.clone().map(way).collect();
    let mut events: Vec<New> = numbers.map(refused).collect();
    for step in 0..6 {
        events.extend(ways.iter().filter_map(|way| way.get(step).cloned()));
    }
    events
}

/// The last events of an erased document, `sequence` being that of the request.
pub fn erasure(number: u32, sequence: i64) -> Vec<New> {
    let (admin, approver) = ("key:admin".to_owned(), "key:approver".to_owned());
    let reason = || "asked by the subject".to_owned();
    let requested = DocumentEvent::ErasureRequested(ErasureRequested {
        reason: reason(),
        requested_by: admin.clone(),
        requested_at: at(number),
    });
    let erased = DocumentEvent::Erased(Erased {
        reason: reason(),
        requested_by: admin,
        approved_by: approver,
        erased_at: at(number),
    });
    let destroyed = DocumentEvent::ContentDestroyed(ContentDestroyed {
        private_parts: 1,
        objects_removed: 2,
        objects_kept: 0,
        destroyed_at: at(number),
    });
    (sequence..)
        .zip([requested, erased, destroyed])
        .map(|(sequence, what)| event(number, sequence, &what, None))
        .collect()
}
