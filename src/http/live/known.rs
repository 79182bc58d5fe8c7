//! What must be known of a document to tell of its events: folded from its stream.
//!
//! Pure: it reads neither the log nor the clock.

use kmrl_domain::event::DocumentEvent;
use kmrl_domain::values::Status;
use std::sync::Arc;
use time::OffsetDateTime;

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
    /// Who uploaded it; empty before its first event.
    pub uploader: Arc<str>,
    /// A person said so.
    pub corrected: bool,
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
            uploader: Arc::from(""),
            corrected: false,
            started_at: None,
        }
    }
}

impl Known {
    /// What is known after one more event, done by an actor.
    pub fn apply(&mut self, sequence: i64, actor: &str, event: &DocumentEvent) {
        self.sequence = sequence;
        match event {
            DocumentEvent::Uploaded(e) => {
                self.status = Status::Queued;
                self.source = Arc::from(e.source.as_str());
                self.uploader = Arc::from(actor);
            }
            DocumentEvent::ProcessingStarted(e) => {
                self.status = Status::Processing;
                self.started_at = Some(e.started_at);
            }
            DocumentEvent::Extracted(e) => {
                self.status = Status::Processed;
                if !self.corrected {
                    self.belongs_to(e.department.as_deref());
                }
            }
            DocumentEvent::Failed(e) => {
                self.status = if e.retry_at.is_some() {
                    Status::Queued
                } else {
                    Status::Failed
                };
            }
            DocumentEvent::ReprocessingRequested(_) | DocumentEvent::QuarantineReleased(_) => {
                self.status = Status::Queued;
            }
            DocumentEvent::Corrected(e) => {
                self.corrected |= e.department.is_some();
                self.belongs_to(e.department.as_deref());
            }
            DocumentEvent::Reviewed(_)
            | DocumentEvent::Withdrawn(_)
            | DocumentEvent::LegalHoldPlaced(_)
            | DocumentEvent::LegalHoldReleased(_)
            | DocumentEvent::RetentionExpired(_)
            | DocumentEvent::ErasureRequested(_)
            | DocumentEvent::ErasureRejected(_)
            | DocumentEvent::Erased(_)
            | DocumentEvent::ContentDestroyed(_)
            | DocumentEvent::Quarantined(_)
            | DocumentEvent::RisksAccepted(_)
            | DocumentEvent::QuarantineReleaseRequested(_)
            | DocumentEvent::QuarantineReleaseRejected(_) => {}
        }
    }

    fn belongs_to(&mut self, department: Option<&str>) {
        if let Some(department) = department {
            self.department = Some(Arc::from(department));
        }
    }
}
