//! The door's words: what it objects to in a file, and the events of a quarantine.
//!
//! A quarantined document is accepted and kept, and nothing works on it until a second person
//! releases it. Its destruction is an erasure, with the events that erasures have.

use crate::values::Priority;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What the door objects to in a file. Never holds text or names out of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objection {
    /// Stable word, such as `macros` or `malware`.
    pub code: String,
    /// One sentence for people.
    pub detail: String,
}

/// What the door found in a file that it lets in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// Why the document goes into quarantine; empty: it does not.
    pub quarantine: Vec<Objection>,
    /// What was found and is accepted by policy.
    pub accepted: Vec<Objection>,
}

/// The document was put into quarantine as it came in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Why; at least one.
    pub objections: Vec<Objection>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub quarantined_at: OffsetDateTime,
}

/// Something risky was found as it came in, and the policy accepts it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RisksAccepted {
    /// What; at least one.
    pub objections: Vec<Objection>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub accepted_at: OffsetDateTime,
}

/// Somebody asked for its release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuarantineReleaseRequested {
    /// Why, in the words of whoever asked.
    pub reason: String,
    /// Who asked, such as `key:admin`.
    pub requested_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub requested_at: OffsetDateTime,
}

/// Somebody refused that request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuarantineReleaseRejected {
    /// Why, in the words of whoever rejected it.
    pub reason: String,
    /// Who rejected it.
    pub rejected_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub rejected_at: OffsetDateTime,
}

/// A second person released it: from here on it is processed as any other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuarantineReleased {
    /// The run of processing that this opens.
    pub run: u32,
    /// How urgent it is: as it was uploaded.
    pub priority: Priority,
    /// Why, as it was requested.
    pub reason: String,
    /// Who asked.
    pub requested_by: String,
    /// Who approved: another one.
    pub released_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub released_at: OffsetDateTime,
}
