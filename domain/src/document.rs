//! The state of a document, folded from its events: only what decisions need.
//!
//! Owns `apply` and the dispatch of commands to [`crate::decide`]. No rule is decided here.

use crate::command::DocumentCommand;
use crate::decide::{self, Refusal};
use crate::event::DocumentEvent;
use crate::values::{Attempt, Priority, Status};
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
    /// The language it is in.
    pub language: Option<String>,
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
            DocumentEvent::Extracted(e) => {
                self.status = Status::Processed;
                self.settled = e.attempt;
                self.language = Some(e.language);
                self.department = e.department.or_else(|| self.department.take());
            }
            DocumentEvent::Failed(e) => {
                self.status = if e.retry_at.is_some() {
                    Status::Queued
                } else {
                    Status::Failed
                };
                self.settled = e.attempt;
            }
            DocumentEvent::ReprocessingRequested(e) => {
                self.status = Status::Queued;
                self.current = Attempt {
                    run: e.run,
                    attempt: 0,
                };
            }
            DocumentEvent::Corrected(e) => {
                self.department = e.department.or_else(|| self.department.take());
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
                self.status = Status::Queued;
                self.current = Attempt {
                    run: e.run,
                    attempt: 0,
                };
            }
        }
    }
}
