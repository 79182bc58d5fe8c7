//! Every version of every event has a golden file, kept for ever, that today's code still reads.
//!
//! Current versions must also be written exactly so. `UPDATE_GOLDENS=1` writes files that are
//! missing; it never changes one that is there.

#![cfg(test)]

use cqrs_es::DomainEvent;
use cqrs_es::persist::SerializedEvent;
use kmrl_domain::access::Outcome;
use kmrl_domain::api_key::{ApiKeyEvent, Grant, KeyIssued, KeyRevoked, KeyRotated};
use kmrl_domain::authority::{Permission, Reach, Role};
use kmrl_domain::event::*;
use kmrl_domain::judged::*;
use kmrl_domain::quarantine::Objection;
use kmrl_domain::upcast::{upcast, upcasters};
use kmrl_domain::values::*;
use kmrl_domain::{AccessRecord, AccessRecorded, DocumentEvent, PrivateDigest, UploadRefused};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use time::macros::datetime;

const WHEN: time::OffsetDateTime = datetime!(2026-01-02 03:04:05.678901 UTC);
const ATTEMPT: Attempt = Attempt { run: 1, attempt: 2 };

fn private() -> PrivateDigest {
    PrivateDigest(format!("sha256:{}", "0".repeat(64)))
}

fn judgement() -> Judgement {
    Judgement {
        language_shares: [("Latn".to_owned(), 0.5), ("Mlym".to_owned(), 0.5)].into(),
        department_evidence: Some(DepartmentEvidence {
            department: "safety".into(),
            rules: "0123456789abcdef".into(),
            score: 6.5,
            next_score: 1.0,
            terms: vec![FoundTerm {
                term: "safety circular".into(),
                place: "title".into(),
                count: 1,
                score: 6.5,
            }],
        }),
        needs_review: vec![ReviewReason::correction_kept()],
        recognised_pages: 1,
        unread_pages: 2,
    }
}

fn samples() -> Vec<DocumentEvent> {
    vec![
        DocumentEvent::Uploaded(Uploaded {
            blob: Blob {
                key: "sha256/ab/cd/abcd".into(),
                sha256: "abcd".into(),
                size: 1234,
            },
            content_type: "application/pdf".into(),
            source: "maximo".into(),
            priority: Priority::Normal,
            duplicate_of: Some(uuid::Uuid::from_u128(1)),
            parent: Some(Parent {
                id: uuid::Uuid::from_u128(2),
                level: 1,
            }),
            private: private(),
            uploaded_at: WHEN,
        }),
        DocumentEvent::ProcessingStarted(ProcessingStarted {
            attempt: ATTEMPT,
            worker: "worker-1".into(),
            started_at: WHEN,
        }),
        DocumentEvent::Extracted(Extracted {
            attempt: ATTEMPT,
            text: TextRef {
                key: "text/ef/01/ef01".into(),
                sha256: "ef01".into(),
                characters: 42,
                pages: 3,
            },
            language: "mixed".into(),
            confidence: 0.75,
            department: Some("safety".into()),
            judgement: judgement(),
            correction_kept: true,
            findings: Some(Findings {
                version: Some("1.7".into()),
                javascript: true,
                ..Findings::default()
            }),
            extracted_at: WHEN,
        }),
        DocumentEvent::Failed(Failed {
            attempt: ATTEMPT,
            reason: FailureReason {
                code: "time_limit".into(),
                detail: "stopped after 300 s".into(),
            },
            retry_at: Some(WHEN),
            failed_at: WHEN,
        }),
        DocumentEvent::ReprocessingRequested(ReprocessingRequested {
            run: 2,
            priority: Priority::High,
            requested_at: WHEN,
        }),
        DocumentEvent::Reviewed(Reviewed {
            verdict: Verdict::Corrected,
            text: TextRef {
                key: "text/ef/01/ef01".into(),
                sha256: "ef01".into(),
                characters: 42,
                pages: 3,
            },
            reviewer: "key:admin".into(),
            reviewed_at: WHEN,
        }),
        DocumentEvent::Corrected(Corrected {
            department: Some("finance".into()),
            language: None,
            private: Some(private()),
            corrected_at: WHEN,
        }),
        DocumentEvent::Withdrawn(Withdrawn {
            reason: "sent twice".into(),
            withdrawn_at: WHEN,
        }),
    ]
}

/// Legal holds, retention and erasure.
fn samples_of_erasure() -> Vec<DocumentEvent> {
    vec![
        DocumentEvent::LegalHoldPlaced(LegalHoldPlaced {
            matter: "case-1".into(),
            reason: "inquiry".into(),
            placed_at: WHEN,
        }),
        DocumentEvent::LegalHoldReleased(LegalHoldReleased {
            matter: "case-1".into(),
            reason: "closed".into(),
            released_at: WHEN,
        }),
        DocumentEvent::RetentionExpired(RetentionExpired {
            rule: "source=scan,department=finance,days=3650".into(),
            expired_at: WHEN,
        }),
        DocumentEvent::ErasureRequested(ErasureRequested {
            reason: "asked by the subject".into(),
            requested_by: "key:admin".into(),
            requested_at: WHEN,
        }),
        DocumentEvent::ErasureRejected(ErasureRejected {
            reason: "still needed".into(),
            rejected_by: "key:approver".into(),
            rejected_at: WHEN,
        }),
        DocumentEvent::Erased(Erased {
            reason: "asked by the subject".into(),
            requested_by: "key:admin".into(),
            approved_by: "key:approver".into(),
            erased_at: WHEN,
        }),
        DocumentEvent::ContentDestroyed(ContentDestroyed {
            private_parts: 2,
            objects_removed: 3,
            objects_kept: 1,
            destroyed_at: WHEN,
        }),
    ]
}

/// Quarantine.
fn samples_of_quarantine() -> Vec<DocumentEvent> {
    vec![
        DocumentEvent::Quarantined(Quarantined {
            objections: vec![objection()],
            quarantined_at: WHEN,
        }),
        DocumentEvent::RisksAccepted(RisksAccepted {
            objections: vec![objection()],
            accepted_at: WHEN,
        }),
        DocumentEvent::QuarantineReleaseRequested(QuarantineReleaseRequested {
            reason: "looked at by hand".into(),
            requested_by: "key:admin".into(),
            requested_at: WHEN,
        }),
        DocumentEvent::QuarantineReleaseRejected(QuarantineReleaseRejected {
            reason: "not convinced".into(),
            rejected_by: "key:approver".into(),
            rejected_at: WHEN,
        }),
        DocumentEvent::QuarantineReleased(QuarantineReleased {
            run: 2,
            priority: Priority::Normal,
            reason: "looked at by hand".into(),
            requested_by: "key:admin".into(),
            released_by: "key:approver".into(),
            released_at: WHEN,
        }),
    ]
}

fn objection() -> Objection {
    Objection {
        code: "macros".into(),
        detail: "the file carries a macro project".into(),
    }
}

fn refused() -> UploadRefused {
    UploadRefused {
        problem: "content-refused".into(),
        detail: "The file carries something that is not taken in".into(),
        objections: vec![objection()],
        source: Some("scan".into()),
        received: 0,
        private: Some(private()),
        refused_at: WHEN,
    }
}

fn accessed() -> AccessRecorded {
    let whole = AccessRecord {
        key_id: Some("admin".into()),
        request_id: Some("r-1".into()),
        correlation_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        address: Some("192.0.2.7".into()),
        user_agent: Some("curl/8".into()),
        document_id: Some(uuid::Uuid::from_u128(1)),
        version: Some(3),
        shown_at: Some(42),
        count: Some(1),
        status: Some(200),
        problem: None,
        reason: Some("inspection".into()),
        parameters: [("format".to_owned(), "csv".to_owned())].into(),
        ..AccessRecord::new("view", Outcome::Shown, "key:admin", WHEN)
    };
    let denied = AccessRecord {
        status: Some(401),
        problem: Some("unauthorized".into()),
        ..AccessRecord::new("list", Outcome::Denied, "anonymous", WHEN)
    };
    AccessRecorded {
        records: vec![whole, denied],
    }
}

fn samples_of_keys() -> Vec<ApiKeyEvent> {
    vec![
        ApiKeyEvent::KeyIssued(KeyIssued {
            grant: Grant {
                name: "maximo-muttom".into(),
                owner: "Rolling stock maintenance".into(),
                roles: vec![Role::Connector],
                scopes: Some(vec![Permission::Upload, Permission::Read]),
                sources: Reach::Only(vec!["maximo".into()]),
                departments: Reach::All,
                expires_at: Some(WHEN),
            },
            digest: "0".repeat(64),
            pepper: "0123456789abcdef".into(),
            issued_at: WHEN,
        }),
        ApiKeyEvent::KeyRotated(KeyRotated {
            digest: "1".repeat(64),
            pepper: "0123456789abcdef".into(),
            overlap_until: WHEN,
            rotated_at: WHEN,
        }),
        ApiKeyEvent::KeyRevoked(KeyRevoked {
            reason: "the laptop was stolen".into(),
            revoked_at: WHEN,
        }),
    ]
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("goldens")
}

fn file(event: &impl DomainEvent) -> String {
    format!("{}.{}.json", event.event_type(), event.event_version())
}

fn check(event: &impl DomainEvent) {
    let path = folder().join(file(event));
    let written = serde_json::to_string_pretty(event).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDENS").is_some() && !path.exists() {
        std::fs::write(&path, &written).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    assert_eq!(golden, written, "{path:?}");
}

#[test]
fn current_events_are_written_as_their_golden_files() {
    let events = [samples(), samples_of_erasure(), samples_of_quarantine()].concat();
    let types: BTreeSet<_> = events.iter().map(DocumentEvent::name).collect();
    assert_eq!(types, DocumentEvent::TYPES.into_iter().collect());
    events.iter().for_each(check);
    let keys = samples_of_keys();
    let types: BTreeSet<_> = keys.iter().map(DomainEvent::event_type).collect();
    assert_eq!(types, ApiKeyEvent::TYPES.map(str::to_owned).into());
    keys.iter().for_each(check);
    check(&refused());
    check(&accessed());
}

#[test]
fn every_golden_file_is_still_read() {
    let mut read = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (event_type, version) = name.split_once('.').unwrap();
        let payload: Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let old = SerializedEvent::new(
            "id".into(),
            1,
            "document".into(),
            event_type.into(),
            version.into(),
            payload,
            Value::Null,
        );
        let now = upcast(old, &upcasters()).payload;
        if event_type == "UploadRefused" {
            serde_json::from_value::<UploadRefused>(now).unwrap();
        } else if event_type == "AccessRecorded" {
            serde_json::from_value::<AccessRecorded>(now).unwrap();
        } else if ApiKeyEvent::TYPES.contains(&event_type) {
            let event: ApiKeyEvent = serde_json::from_value(now).unwrap();
            assert_eq!(event.event_type(), event_type);
        } else {
            let event: DocumentEvent = serde_json::from_value(now).unwrap();
            assert_eq!(event.name(), event_type);
        }
        read += 1;
    }
    assert!(read >= 28);
}
