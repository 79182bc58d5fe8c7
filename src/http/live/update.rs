//! From events to `document_update` messages.
//!
//! Owns what a message says and what must be known of a document to say it. Pure: it reads
//! neither the log nor the clock.

use crate::signals::Progress;
use axum::extract::ws::Utf8Bytes;
use kmrl_domain::RecordedEvent;
use kmrl_domain::event::{DocumentEvent, Failed};
use kmrl_domain::values::Status;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;
use time::OffsetDateTime;
use uuid::Uuid;

/// One message to subscribers, rendered once for all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveEvent {
    /// Its place in the log; for transient ones the place after which it was said.
    pub position: i64,
    /// It is in no log and cannot be replayed.
    pub transient: bool,
    /// The document.
    pub document_id: Uuid,
    /// The document's status after it.
    pub status: Status,
    /// Where the document came from.
    pub source: Arc<str>,
    /// The department the document belonged to after it.
    pub department: Option<Arc<str>>,
    /// The message.
    pub json: Utf8Bytes,
}

/// What is known of a document after the event `sequence` of its stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Version of its stream.
    pub sequence: i64,
    /// Where it is on its way.
    pub status: Status,
    /// Where it came from; empty before its first event.
    pub source: Arc<str>,
    /// Where it belongs.
    pub department: Option<Arc<str>>,
    /// When its newest attempt began.
    pub started_at: Option<OffsetDateTime>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            sequence: 0,
            status: Status::Queued,
            source: Arc::from(""),
            department: None,
            started_at: None,
        }
    }
}

impl Known {
    /// What is known after one more event.
    pub fn apply(&mut self, sequence: i64, event: &DocumentEvent) {
        self.sequence = sequence;
        match event {
            DocumentEvent::Uploaded(e) => {
                self.status = Status::Queued;
                self.source = Arc::from(e.source.as_str());
            }
            DocumentEvent::ProcessingStarted(e) => {
                self.status = Status::Processing;
                self.started_at = Some(e.started_at);
            }
            DocumentEvent::Extracted(e) => {
                self.status = Status::Processed;
                self.belongs_to(e.department.as_deref());
            }
            DocumentEvent::Failed(e) => {
                self.status = if e.retry_at.is_some() {
                    Status::Queued
                } else {
                    Status::Failed
                };
            }
            DocumentEvent::ReprocessingRequested(_) => self.status = Status::Queued,
            DocumentEvent::Corrected(e) => self.belongs_to(e.department.as_deref()),
            DocumentEvent::Withdrawn(_)
            | DocumentEvent::LegalHoldPlaced(_)
            | DocumentEvent::LegalHoldReleased(_)
            | DocumentEvent::RetentionExpired(_)
            | DocumentEvent::ErasureRequested(_)
            | DocumentEvent::ErasureRejected(_)
            | DocumentEvent::Erased(_)
            | DocumentEvent::ContentDestroyed(_) => {}
        }
    }

    fn belongs_to(&mut self, department: Option<&str>) {
        if let Some(department) = department {
            self.department = Some(Arc::from(department));
        }
    }
}

/// The message as it goes over the wire.
#[derive(Serialize)]
struct DocumentUpdate<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    document_id: Uuid,
    status: Status,
    progress: u8,
    message: Cow<'a, str>,
    #[serde(with = "time::serde::rfc3339")]
    timestamp: OffsetDateTime,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'static str>,
}

/// The message that tells of an event; `known` is what is known after it.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn of_event(
    document_id: Uuid,
    recorded: &RecordedEvent,
    event: &DocumentEvent,
    known: &Known,
) -> Result<LiveEvent, serde_json::Error> {
    let update = DocumentUpdate {
        kind: "document_update",
        document_id,
        status: known.status,
        progress: if known.status == Status::Processed {
            100
        } else {
            0
        },
        message: message(event),
        timestamp: recorded.recorded_at,
        source: &known.source,
        position: Some(recorded.position),
        version: Some(recorded.sequence),
        change: match event {
            DocumentEvent::Corrected(_) => Some("corrected"),
            DocumentEvent::Withdrawn(_) => Some("withdrawn"),
            DocumentEvent::LegalHoldPlaced(_) => Some("legal_hold_placed"),
            DocumentEvent::LegalHoldReleased(_) => Some("legal_hold_released"),
            DocumentEvent::RetentionExpired(_) => Some("retention_expired"),
            DocumentEvent::ErasureRequested(_) => Some("erasure_requested"),
            DocumentEvent::ErasureRejected(_) => Some("erasure_rejected"),
            DocumentEvent::Erased(_) => Some("erased"),
            DocumentEvent::ContentDestroyed(_) => Some("content_destroyed"),
            _ => None,
        },
    };
    rendered(&update, recorded.position, known)
}

/// The message that tells how far a job has come, said after `position`.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn of_progress(
    progress: &Progress,
    position: i64,
    known: &Known,
) -> Result<LiveEvent, serde_json::Error> {
    let update = DocumentUpdate {
        kind: "document_update",
        document_id: progress.document_id,
        status: Status::Processing,
        progress: progress.percent.min(100),
        message: format!("page {} of {}", progress.page, progress.pages).into(),
        timestamp: progress.timestamp,
        source: &known.source,
        position: None,
        version: None,
        change: None,
    };
    rendered(&update, position, known)
}

fn rendered(
    update: &DocumentUpdate<'_>,
    position: i64,
    known: &Known,
) -> Result<LiveEvent, serde_json::Error> {
    Ok(LiveEvent {
        position,
        transient: update.position.is_none(),
        document_id: update.document_id,
        status: update.status,
        source: Arc::clone(&known.source),
        department: known.department.clone(),
        json: serde_json::to_string(update)?.into(),
    })
}

fn message(event: &DocumentEvent) -> Cow<'_, str> {
    match event {
        DocumentEvent::Uploaded(_) => "queued".into(),
        DocumentEvent::ProcessingStarted(e) => {
            format!("processing, attempt {}", e.attempt.attempt).into()
        }
        DocumentEvent::Extracted(e) => {
            let (pages, characters) = (e.text.pages, e.text.characters);
            format!("processed: {pages} pages, {characters} characters").into()
        }
        DocumentEvent::Failed(e) => failure(e).into(),
        DocumentEvent::ReprocessingRequested(e) => format!("queued again, run {}", e.run).into(),
        DocumentEvent::Corrected(_) => "corrected".into(),
        DocumentEvent::Withdrawn(e) => format!("withdrawn: {}", e.reason).into(),
        DocumentEvent::LegalHoldPlaced(e) => format!("held for {}", e.matter).into(),
        DocumentEvent::LegalHoldReleased(e) => format!("no longer held for {}", e.matter).into(),
        DocumentEvent::RetentionExpired(e) => format!("kept long enough: {}", e.rule).into(),
        DocumentEvent::ErasureRequested(_) => "its erasure is requested".into(),
        DocumentEvent::ErasureRejected(_) => "its erasure was rejected".into(),
        DocumentEvent::Erased(_) => "erased".into(),
        DocumentEvent::ContentDestroyed(_) => "its content is destroyed".into(),
    }
}

fn failure(e: &Failed) -> String {
    let (code, detail, attempt) = (&e.reason.code, &e.reason.detail, e.attempt.attempt);
    let end = if e.retry_at.is_some() {
        "queued for another attempt"
    } else {
        "given up"
    };
    format!("attempt {attempt} failed ({code}): {detail}; {end}")
}

#[cfg(test)]
pub(super) mod tests {
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

    pub fn recorded(
        position: i64,
        id: Uuid,
        sequence: i64,
        event: &DocumentEvent,
    ) -> RecordedEvent {
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
                known.apply(n, event);
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
        known.apply(1, &uploaded("scan"));
        known.apply(2, &started());
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
}
