//! From events to `document_update` messages.
//!
//! Owns what a message says and what must be known of a document to say it. Pure: it reads
//! neither the log nor the clock.

use super::super::cloud_event::CloudEvent;
use super::known::Known;
use crate::signals::Progress;
use axum::extract::ws::Utf8Bytes;
use kmrl_domain::RecordedEvent;
use kmrl_domain::event::{DocumentEvent, Failed};
use kmrl_domain::quarantine::Objection;
use kmrl_domain::values::Status;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;
use time::OffsetDateTime;
use utoipa::ToSchema;
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
    /// Who uploaded the document.
    pub uploader: Arc<str>,
    /// Type of its event; `None` for transient ones.
    pub event_type: Option<&'static str>,
    /// The message.
    pub json: Utf8Bytes,
    /// The event as a CloudEvent; `None` for transient ones.
    pub cloud_event: Option<Utf8Bytes>,
}

/// What happened to a document, or how far its processing has come.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct DocumentUpdate<'a> {
    #[serde(rename = "type")]
    #[schema(pattern = "^document_update$", example = "document_update")]
    kind: &'static str,
    document_id: Uuid,
    /// The document's status after it.
    #[schema(value_type = StatusWord)]
    status: Status,
    /// 0 to 100.
    #[schema(maximum = 100)]
    progress: u8,
    /// One line for people.
    message: Cow<'a, str>,
    #[serde(with = "time::serde::rfc3339")]
    timestamp: OffsetDateTime,
    /// Where the document came from.
    source: &'a str,
    /// Place in the log; absent from progress, which is in no log and is not told again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, nullable = false)]
    position: Option<i64>,
    /// Version of the document; absent from progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, nullable = false)]
    version: Option<i64>,
    /// corrected or withdrawn, where the status does not say what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    change: Option<&'static str>,
}

/// Where a document is on its way.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "documents the form of the domain's Status")]
pub(in crate::http) enum StatusWord {
    Queued,
    Processing,
    Processed,
    Failed,
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
            DocumentEvent::Reviewed(_) => Some("reviewed"),
            DocumentEvent::Corrected(_) => Some("corrected"),
            DocumentEvent::Withdrawn(_) => Some("withdrawn"),
            DocumentEvent::LegalHoldPlaced(_) => Some("legal_hold_placed"),
            DocumentEvent::LegalHoldReleased(_) => Some("legal_hold_released"),
            DocumentEvent::RetentionExpired(_) => Some("retention_expired"),
            DocumentEvent::ErasureRequested(_) => Some("erasure_requested"),
            DocumentEvent::ErasureRejected(_) => Some("erasure_rejected"),
            DocumentEvent::Erased(_) => Some("erased"),
            DocumentEvent::ContentDestroyed(_) => Some("content_destroyed"),
            DocumentEvent::Quarantined(_) => Some("quarantined"),
            DocumentEvent::RisksAccepted(_) => Some("risks_accepted"),
            DocumentEvent::QuarantineReleaseRequested(_) => Some("quarantine_release_requested"),
            DocumentEvent::QuarantineReleaseRejected(_) => Some("quarantine_release_rejected"),
            DocumentEvent::QuarantineReleased(_) => Some("quarantine_released"),
            _ => None,
        },
    };
    let cloud_event = serde_json::to_string(&CloudEvent::of(recorded))?;
    Ok(LiveEvent {
        event_type: Some(event.name()),
        cloud_event: Some(cloud_event.into()),
        ..rendered(&update, recorded.position, known)?
    })
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
        uploader: Arc::clone(&known.uploader),
        event_type: None,
        json: serde_json::to_string(update)?.into(),
        cloud_event: None,
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
        DocumentEvent::Reviewed(e) => format!("text {}", e.verdict).into(),
        DocumentEvent::Corrected(_) => "corrected".into(),
        DocumentEvent::Withdrawn(e) => format!("withdrawn: {}", e.reason).into(),
        DocumentEvent::LegalHoldPlaced(e) => format!("held for {}", e.matter).into(),
        DocumentEvent::LegalHoldReleased(e) => format!("no longer held for {}", e.matter).into(),
        DocumentEvent::RetentionExpired(e) => format!("kept long enough: {}", e.rule).into(),
        DocumentEvent::ErasureRequested(_) => "its erasure is requested".into(),
        DocumentEvent::ErasureRejected(_) => "its erasure was rejected".into(),
        DocumentEvent::Erased(_) => "erased".into(),
        DocumentEvent::ContentDestroyed(_) => "its content is destroyed".into(),
        DocumentEvent::Quarantined(e) => format!("in quarantine: {}", codes(&e.objections)).into(),
        DocumentEvent::RisksAccepted(e) => {
            format!("accepted in spite of: {}", codes(&e.objections)).into()
        }
        DocumentEvent::QuarantineReleaseRequested(_) => "its release is requested".into(),
        DocumentEvent::QuarantineReleaseRejected(_) => "its release was rejected".into(),
        DocumentEvent::QuarantineReleased(e) => {
            format!("released from quarantine, run {}", e.run).into()
        }
    }
}

fn codes(objections: &[Objection]) -> String {
    let codes: Vec<_> = objections.iter().map(|o| o.code.as_str()).collect();
    codes.join(", ")
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
pub(super) mod tests;
