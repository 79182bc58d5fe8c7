//! What has happened to a document: the events, in the past tense, with their versions.
//!
//! An event's form never changes in place. A changed form gets a higher version, an upcaster in
//! [`crate::upcast`] and a golden file in `domain/goldens`; the old golden file stays for ever.

use crate::private::PrivateDigest;
use crate::values::{Attempt, Blob, FailureReason, Findings, Priority, TextRef};
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
    /// Somebody corrected what is said of it.
    Corrected(Corrected),
    /// It was withdrawn; its history stays.
    Withdrawn(Withdrawn),
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
    /// `en`, `ml`, `mixed` or `und`.
    pub language: String,
    /// 0 to 1: how far the text can be trusted.
    pub confidence: f64,
    /// The department that the rules found, if any.
    pub department: Option<String>,
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

impl DocumentEvent {
    /// The names of all event types.
    pub const TYPES: [&'static str; 7] = [
        "Uploaded",
        "ProcessingStarted",
        "Extracted",
        "Failed",
        "ReprocessingRequested",
        "Corrected",
        "Withdrawn",
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
            Self::Corrected(_) => "Corrected",
            Self::Withdrawn(_) => "Withdrawn",
        }
    }
}

impl DomainEvent for DocumentEvent {
    fn event_type(&self) -> String {
        self.name().into()
    }

    fn event_version(&self) -> String {
        "1.0".into()
    }
}
