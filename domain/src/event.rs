//! What has happened to a document: the events, in the past tense, with their versions.
//!
//! An event's form never changes in place. A changed form gets a higher version, an upcaster in
//! [`crate::upcast`] and a golden file in `domain/goldens`; the old golden file stays for ever.

use crate::judged::{Judgement, Verdict};
use crate::private::PrivateDigest;
pub use crate::quarantine::{
    QuarantineReleaseRejected, QuarantineReleaseRequested, QuarantineReleased, Quarantined,
    RisksAccepted,
};
use crate::values::{Attempt, Blob, FailureReason, Findings, Parent, Priority, TextRef};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// Everything that can happen to a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum DocumentEvent {
    /// It was taken in; its bytes are in the object store.
    Uploaded(Uploaded),
    /// A worker began an attempt.
    ProcessingStarted(ProcessingStarted),
    /// Its text was extracted.
    Extracted(Extracted),
    /// An attempt failed.
    Failed(Failed),
    /// Somebody asked for its processing to be done again.
    ReprocessingRequested(ReprocessingRequested),
    /// A person looked at its text, and said what stands.
    Reviewed(Reviewed),
    /// Somebody corrected what is said of it.
    Corrected(Corrected),
    /// It was withdrawn; its history stays.
    Withdrawn(Withdrawn),
    /// A legal matter holds it: it is neither withdrawn nor erased.
    LegalHoldPlaced(LegalHoldPlaced),
    /// A legal matter holds it no more.
    LegalHoldReleased(LegalHoldReleased),
    /// The time for which it is kept has passed.
    RetentionExpired(RetentionExpired),
    /// Somebody asked for its content to be erased.
    ErasureRequested(ErasureRequested),
    /// Somebody refused that request.
    ErasureRejected(ErasureRejected),
    /// A second person approved it: from here on the content is nobody's to see.
    Erased(Erased),
    /// The content was deleted wherever it was kept.
    ContentDestroyed(ContentDestroyed),
    /// The door let it in, but into quarantine.
    Quarantined(Quarantined),
    /// The door found something that the policy accepts.
    RisksAccepted(RisksAccepted),
    /// Somebody asked for its release from quarantine.
    QuarantineReleaseRequested(QuarantineReleaseRequested),
    /// Somebody refused that request.
    QuarantineReleaseRejected(QuarantineReleaseRejected),
    /// A second person released it.
    QuarantineReleased(QuarantineReleased),
}

/// See [`DocumentEvent::Uploaded`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Uploaded {
    /// The bytes.
    pub blob: Blob,
    /// Media type, from what the sender said and what the name says.
    pub content_type: String,
    /// Where it came from, such as `maximo`.
    pub source: String,
    /// How urgent its processing is.
    pub priority: Priority,
    /// The first document that had the same bytes.
    pub duplicate_of: Option<Uuid>,
    /// The document that it was found inside, if it was not sent in by itself.
    pub parent: Option<Parent>,
    /// Commitment to the private part: file name, metadata, uploader's name.
    pub private: PrivateDigest,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub uploaded_at: OffsetDateTime,
}

/// See [`DocumentEvent::ProcessingStarted`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessingStarted {
    /// Which attempt.
    #[serde(flatten)]
    pub attempt: Attempt,
    /// Name of the worker.
    pub worker: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
}

/// See [`DocumentEvent::Extracted`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extracted {
    /// Which attempt.
    #[serde(flatten)]
    pub attempt: Attempt,
    /// Where the text is.
    pub text: TextRef,
    /// `mixed` (English and Malayalam), `und`, or a code of ISO 639, such as `en` or `ml`.
    pub language: String,
    /// 0 to 1: how far the text can be trusted.
    pub confidence: f64,
    /// The department that the rules found; `None` when none were asked.
    pub department: Option<String>,
    /// What else was found out.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// A person had corrected the text: that one stands, and this one does not take its place.
    pub correction_kept: bool,
    /// What the file's structure gave away; `None` for formats without one.
    pub findings: Option<Findings>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub extracted_at: OffsetDateTime,
}

/// See [`DocumentEvent::Failed`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// Which attempt.
    #[serde(flatten)]
    pub attempt: Attempt,
    /// Why.
    pub reason: FailureReason,
    /// When the next attempt is due; `None`: this was the last.
    #[serde(with = "time::serde::rfc3339::option")]
    pub retry_at: Option<OffsetDateTime>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub failed_at: OffsetDateTime,
}

/// See [`DocumentEvent::ReprocessingRequested`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReprocessingRequested {
    /// The run that this opens.
    pub run: u32,
    /// How urgent it is.
    pub priority: Priority,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub requested_at: OffsetDateTime,
}

/// See [`DocumentEvent::Reviewed`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reviewed {
    /// What they said.
    pub verdict: Verdict,
    /// The text that stands from now on; when accepted, the one that stood.
    pub text: TextRef,
    /// Who, such as `key:admin`.
    pub reviewer: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub reviewed_at: OffsetDateTime,
}

/// See [`DocumentEvent::Corrected`]. `None` leaves as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Corrected {
    /// The department it belongs to.
    pub department: Option<String>,
    /// The language it is in.
    pub language: Option<String>,
    /// Commitment to the private part with the whole new metadata.
    pub private: Option<PrivateDigest>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub corrected_at: OffsetDateTime,
}

/// See [`DocumentEvent::Withdrawn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// Why, in the words of whoever withdrew it.
    pub reason: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub withdrawn_at: OffsetDateTime,
}

/// See [`DocumentEvent::LegalHoldPlaced`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegalHoldPlaced {
    /// Which matter, such as a case's number.
    pub matter: String,
    /// Why, in the words of whoever placed it.
    pub reason: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub placed_at: OffsetDateTime,
}

/// See [`DocumentEvent::LegalHoldReleased`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegalHoldReleased {
    /// Which matter.
    pub matter: String,
    /// Why, in the words of whoever released it.
    pub reason: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub released_at: OffsetDateTime,
}

/// See [`DocumentEvent::RetentionExpired`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetentionExpired {
    /// The rule, as the settings have it.
    pub rule: String,
    /// When that was found.
    #[serde(with = "time::serde::rfc3339")]
    pub expired_at: OffsetDateTime,
}

/// See [`DocumentEvent::ErasureRequested`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErasureRequested {
    /// Why, in the words of whoever asked.
    pub reason: String,
    /// Who asked, such as `key:admin`.
    pub requested_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub requested_at: OffsetDateTime,
}

/// See [`DocumentEvent::ErasureRejected`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErasureRejected {
    /// Why, in the words of whoever rejected it.
    pub reason: String,
    /// Who rejected it.
    pub rejected_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub rejected_at: OffsetDateTime,
}

/// See [`DocumentEvent::Erased`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Erased {
    /// Why, as it was requested.
    pub reason: String,
    /// Who asked.
    pub requested_by: String,
    /// Who approved: another one.
    pub approved_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub erased_at: OffsetDateTime,
}

/// See [`DocumentEvent::ContentDestroyed`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContentDestroyed {
    /// Private parts of its events that are gone.
    pub private_parts: u32,
    /// Objects of it that are gone from the object store.
    pub objects_removed: u32,
    /// Objects that stay because another document has the same bytes.
    pub objects_kept: u32,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub destroyed_at: OffsetDateTime,
}

impl DocumentEvent {
    /// The names of all event types.
    pub const TYPES: [&'static str; 20] = [
        "Uploaded",
        "ProcessingStarted",
        "Extracted",
        "Failed",
        "ReprocessingRequested",
        "Reviewed",
        "Corrected",
        "Withdrawn",
        "LegalHoldPlaced",
        "LegalHoldReleased",
        "RetentionExpired",
        "ErasureRequested",
        "ErasureRejected",
        "Erased",
        "ContentDestroyed",
        "Quarantined",
        "RisksAccepted",
        "QuarantineReleaseRequested",
        "QuarantineReleaseRejected",
        "QuarantineReleased",
    ];

    /// The name of the event's type.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Uploaded(_) => "Uploaded",
            Self::ProcessingStarted(_) => "ProcessingStarted",
            Self::Extracted(_) => "Extracted",
            Self::Failed(_) => "Failed",
            Self::ReprocessingRequested(_) => "ReprocessingRequested",
            Self::Reviewed(_) => "Reviewed",
            Self::Corrected(_) => "Corrected",
            Self::Withdrawn(_) => "Withdrawn",
            Self::LegalHoldPlaced(_) => "LegalHoldPlaced",
            Self::LegalHoldReleased(_) => "LegalHoldReleased",
            Self::RetentionExpired(_) => "RetentionExpired",
            Self::ErasureRequested(_) => "ErasureRequested",
            Self::ErasureRejected(_) => "ErasureRejected",
            Self::Erased(_) => "Erased",
            Self::ContentDestroyed(_) => "ContentDestroyed",
            Self::Quarantined(_) => "Quarantined",
            Self::RisksAccepted(_) => "RisksAccepted",
            Self::QuarantineReleaseRequested(_) => "QuarantineReleaseRequested",
            Self::QuarantineReleaseRejected(_) => "QuarantineReleaseRejected",
            Self::QuarantineReleased(_) => "QuarantineReleased",
        }
    }
}

impl DomainEvent for DocumentEvent {
    fn event_type(&self) -> String {
        self.name().into()
    }

    fn event_version(&self) -> String {
        match self {
            Self::Uploaded(_) | Self::Extracted(_) => "1.1",
            _ => "1.0",
        }
        .into()
    }
}
