//! The state of a document, folded from its events: only what decisions need.
//!
//! Owns `apply` and the dispatch of commands to [`crate::decide`]. No rule is decided here.

use crate::command::DocumentCommand;
use crate::decide::{self, Refusal};
use crate::event::{DocumentEvent, Extracted, Reviewed};
use crate::judged::Verdict;
use crate::values::{Attempt, Priority, Status, TextRef};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The kind of stream that documents are.
pub const TYPE: &str = "document";

/// A document as far as decisions need to know it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// It exists.
    pub uploaded: bool,
    /// Where it is on its way.
    pub status: Status,
    /// The newest attempt that was started; `attempt` is 0 while the run has had none.
    pub current: Attempt,
    /// The newest attempt whose outcome is recorded.
    pub settled: Attempt,
    /// It was withdrawn.
    pub withdrawn: bool,
    /// The department it belongs to.
    pub department: Option<String>,
    /// A person said so: no rule says otherwise any more.
    pub department_corrected: bool,
    /// The language it is in.
    pub language: Option<String>,
    /// A person said so.
    pub language_corrected: bool,
    /// The text that stands.
    pub text: Option<TextRef>,
    /// A person wrote it: no extraction takes its place.
    pub text_corrected: bool,
    /// The text that was read from the file last.
    pub extracted: Option<TextRef>,
    /// SHA-256 of the extracted text that a person looked at last.
    pub looked_at: Option<String>,
    /// A person has to look at its text.
    pub needs_review: bool,
    /// The legal matters that hold it.
    pub holds: BTreeSet<String>,
    /// The newest retention rule that it was kept for as long as.
    pub expired: Option<String>,
    /// The request to erase it that waits for a second person.
    pub erasure: Option<PendingErasure>,
    /// It was erased; nothing more can be done with it.
    pub erased: bool,
    /// Its content is gone from everywhere.
    pub destroyed: bool,
    /// How urgent its processing was when it came in.
    pub priority: Priority,
    /// It is in quarantine.
    pub quarantine: Option<Quarantine>,
}

/// The state of a quarantine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quarantine {
    /// The request to release that waits for a second person.
    pub release: Option<PendingRelease>,
}

/// A request to release that waits for a second person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingRelease {
    /// Why.
    pub reason: String,
    /// Who asked.
    pub requested_by: String,
}

/// A request to erase that waits for a second person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingErasure {
    /// Why.
    pub reason: String,
    /// Who asked.
    pub requested_by: String,
}

impl Document {
    /// No attempt of the current run is to follow any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.status, Status::Processed | Status::Failed)
    }
}

impl Document {
    fn opens(&mut self, run: u32) {
        self.status = Status::Queued;
        self.current = Attempt { run, attempt: 0 };
    }

    fn extracted(&mut self, e: Extracted) {
        self.status = Status::Processed;
        self.settled = e.attempt;
        if !self.language_corrected {
            self.language = Some(e.language);
        }
        if !self.department_corrected {
            self.department = e.department.or_else(|| self.department.take());
        }
        self.needs_review = !e.judgement.needs_review.is_empty();
        if !e.correction_kept {
            (self.text, self.text_corrected) = (Some(e.text.clone()), false);
        }
        self.extracted = Some(e.text);
    }

    fn reviewed(&mut self, e: Reviewed) {
        self.needs_review = false;
        self.looked_at = self.extracted.as_ref().map(|text| text.sha256.clone());
        self.text = Some(e.text);
        self.text_corrected = match e.verdict {
            Verdict::Accepted => self.text_corrected,
            Verdict::Corrected => true,
            Verdict::Reread => false,
        };
    }
}

impl Aggregate for Document {
    const TYPE: &'static str = TYPE;
    type Command = DocumentCommand;
    type Event = DocumentEvent;
    type Error = Refusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: Self::Command,
        (): &Self::Services,
        sink: &EventSink<Self>,
    ) -> Result<(), Refusal> {
        for event in decide::decide(self, command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: DocumentEvent) {
        match event {
            DocumentEvent::Uploaded(e) => {
                self.uploaded = true;
                self.priority = e.priority;
                self.status = Status::Queued;
                self.current = Attempt { run: 1, attempt: 0 };
            }
            DocumentEvent::ProcessingStarted(e) => {
                self.status = Status::Processing;
                self.current = e.attempt;
            }
            DocumentEvent::Extracted(e) => self.extracted(e),
            DocumentEvent::Reviewed(e) => self.reviewed(e),
            DocumentEvent::Failed(e) => {
                self.status = if e.retry_at.is_some() {
                    Status::Queued
                } else {
                    Status::Failed
                };
                self.settled = e.attempt;
            }
            DocumentEvent::ReprocessingRequested(e) => self.opens(e.run),
            DocumentEvent::Corrected(e) => {
                self.department_corrected |= e.department.is_some();
                self.department = e.department.or_else(|| self.department.take());
                self.language_corrected |= e.language.is_some();
                self.language = e.language.or_else(|| self.language.take());
            }
            DocumentEvent::Withdrawn(_) => self.withdrawn = true,
            DocumentEvent::LegalHoldPlaced(e) => {
                self.holds.insert(e.matter);
            }
            DocumentEvent::LegalHoldReleased(e) => {
                self.holds.remove(&e.matter);
            }
            DocumentEvent::RetentionExpired(e) => self.expired = Some(e.rule),
            DocumentEvent::ErasureRequested(e) => {
                self.erasure = Some(PendingErasure {
                    reason: e.reason,
                    requested_by: e.requested_by,
                });
            }
            DocumentEvent::ErasureRejected(_) => self.erasure = None,
            DocumentEvent::Erased(_) => (self.erased, self.erasure) = (true, None),
            DocumentEvent::ContentDestroyed(_) => self.destroyed = true,
            DocumentEvent::Quarantined(_) => self.quarantine = Some(Quarantine::default()),
            DocumentEvent::RisksAccepted(_) => {}
            DocumentEvent::QuarantineReleaseRequested(e) => {
                let release = Some(PendingRelease {
                    reason: e.reason,
                    requested_by: e.requested_by,
                });
                self.quarantine = Some(Quarantine { release });
            }
            DocumentEvent::QuarantineReleaseRejected(_) => {
                self.quarantine = Some(Quarantine::default());
            }
            DocumentEvent::QuarantineReleased(e) => {
                self.quarantine = None;
                self.opens(e.run);
            }
        }
    }
}
