//! What happens before there is a document: an upload that was refused at the door.
//!
//! A refusal is a fact worth keeping (who sends what cannot be taken), so it is an event, in a
//! stream of its own. Nothing of the refused document itself is kept.

use crate::private::PrivateDigest;
use crate::quarantine::Objection;
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The kind of stream that refusals are in; each refusal is one stream of one event.
pub const TYPE: &str = "intake";

/// An upload was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "UploadRefused")]
pub struct UploadRefused {
    /// Stable word of the problem, as in the answer's `type`.
    pub problem: String,
    /// One sentence for people.
    pub detail: String,
    /// What the door objected to in the file; empty when the form itself was wrong.
    pub objections: Vec<Objection>,
    /// The source that the sender named, when it is a known one.
    pub source: Option<String>,
    /// How many bytes had come in when it was refused.
    pub received: u64,
    /// Commitment to the private part (the file's name).
    pub private: Option<PrivateDigest>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub refused_at: OffsetDateTime,
}

impl DomainEvent for UploadRefused {
    fn event_type(&self) -> String {
        "UploadRefused".into()
    }
    fn event_version(&self) -> String {
        "2.0".into()
    }
}
