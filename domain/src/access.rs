//! Who saw or tried what: records of reads, refused commands and denied attempts.
//!
//! Records are gathered and kept as events of their own kind of stream, in the one log, so that
//! they have the same order and the same proof as changes. Owns the form of a record and its
//! bounds; when a record is made and how it becomes durable is not known here.

use crate::event::DocumentEvent;
use crate::values::UnknownWord;
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use time::OffsetDateTime;
use uuid::Uuid;

/// The kind of stream that records are in; each process that records has a stream of its own.
pub const TYPE: &str = "access";
/// The name of the one event of such streams.
pub const EVENT: &str = "AccessRecorded";

/// Most characters of a word: action, actor, ids, problem, address.
const LONGEST_WORD: usize = 128;
/// Most characters of a user agent and of a parameter's value.
pub const LONGEST_VALUE: usize = 256;
/// Most characters of a reason.
pub const LONGEST_REASON: usize = 1_000;
/// Most parameters of a record.
const MOST_PARAMETERS: usize = 24;
/// Most characters of a parameter's name.
const LONGEST_NAME: usize = 64;

/// What can be done or tried, beside what events of documents tell ([`action_of_event`]).
pub const ACTIONS: &[&str] = &[
    "upload",
    "correct",
    "reprocess",
    "withdraw",
    "place_legal_hold",
    "release_legal_hold",
    "legal_holds",
    "request_erasure",
    "approve_erasure",
    "reject_erasure",
    "erasures",
    "request_release",
    "approve_release",
    "reject_release",
    "destroy_quarantined",
    "commands",
    "list",
    "search",
    "view",
    "status",
    "download",
    "page",
    "history",
    "statistics",
    "validation_errors",
    "events",
    "system_status",
    "live_info",
    "live",
    "live_subscribe",
    "live_unsubscribe",
    "live_end",
    "audit",
    "audit_export",
    "audit_shown",
    "document_audit",
    "document_audit_export",
    "evidence",
    "log_proof",
    "log_entries",
    "log_export",
    "dead_letters",
    "replay",
    "issue_key",
    "rotate_key",
    "revoke_key",
    "keys",
    "live_ticket",
    "blocked_addresses",
    "lift_block",
    "unlisted",
];

/// Records that were gathered, in the order in which they came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "AccessRecorded")]
pub struct AccessRecorded {
    /// At least one.
    pub records: Vec<AccessRecord>,
}

impl DomainEvent for AccessRecorded {
    fn event_type(&self) -> String {
        EVENT.into()
    }
    fn event_version(&self) -> String {
        "1.0".into()
    }
}

/// How an access ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was read.
    Shown,
    /// It was done; its event says what.
    Accepted,
    /// It was allowed, and it was so already.
    Unchanged,
    /// It had been done before under the same idempotency key.
    Replayed,
    /// The rules or the request's form forbade it.
    Refused,
    /// Whoever asked may not.
    Denied,
    /// The gateway could not.
    Failed,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Shown,
        Self::Accepted,
        Self::Unchanged,
        Self::Replayed,
        Self::Refused,
        Self::Denied,
        Self::Failed,
    ];

    /// The word used in APIs and rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Accepted => "accepted",
            Self::Unchanged => "unchanged",
            Self::Replayed => "replayed",
            Self::Refused => "refused",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Outcome {
    type Err = UnknownWord;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|o| o.as_str() == s)
            .ok_or_else(|| {
                let words = "shown, accepted, unchanged, replayed, refused, denied, failed";
                UnknownWord::new(s, words)
            })
    }
}

/// One access: a read, a command without an event of its own, or an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessRecord {
    /// What was done or tried: one of [`ACTIONS`].
    pub action: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Who, such as `key:admin`; `anonymous` when nobody was proved.
    pub actor: String,
    /// Which key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// When it was answered, by the clock of the process.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The HTTP request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The same for everything that one request set off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Address of the other end of the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the client calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Which document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_id: Option<Uuid>,
    /// Which version of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// Position of the log that the answer was made at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_at: Option<i64>,
    /// How many things were shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// The HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Stable word of the problem it was answered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Why: in the words of who asked, else why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was asked for, without secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

impl AccessRecord {
    /// A record that says no more than this.
    #[must_use]
    pub fn new(action: &str, outcome: Outcome, actor: &str, at: OffsetDateTime) -> Self {
        Self {
            action: action.into(),
            outcome,
            actor: actor.into(),
            key_id: None,
            at,
            request_id: None,
            correlation_id: None,
            traceparent: None,
            address: None,
            user_agent: None,
            document_id: None,
            version: None,
            shown_at: None,
            count: None,
            status: None,
            problem: None,
            reason: None,
            parameters: BTreeMap::new(),
        }
    }

    /// The same within bounds: nobody can make a record large or put control characters in it.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        for word in [&mut self.action, &mut self.actor] {
            *word = bounded(word, LONGEST_WORD);
        }
        for word in [
            &mut self.key_id,
            &mut self.request_id,
            &mut self.correlation_id,
            &mut self.traceparent,
            &mut self.address,
            &mut self.problem,
        ] {
            bound(word, LONGEST_WORD);
        }
        bound(&mut self.user_agent, LONGEST_VALUE);
        bound(&mut self.reason, LONGEST_REASON);
        self.parameters = std::mem::take(&mut self.parameters)
            .into_iter()
            .take(MOST_PARAMETERS)
            .map(|(name, value)| (bounded(&name, LONGEST_NAME), bounded(&value, LONGEST_VALUE)))
            .collect();
        self
    }

    /// About how many bytes it takes as JSON.
    #[must_use]
    pub fn weight(&self) -> usize {
        /// Names of the fields, numbers, times and the document's id.
        const FRAME: usize = 300;
        let length = |word: &Option<String>| word.as_ref().map_or(0, String::len);
        let parameters = self.parameters.iter().map(|(n, v)| n.len() + v.len() + 6);
        FRAME
            + self.action.len()
            + self.actor.len()
            + length(&self.key_id)
            + length(&self.request_id)
            + length(&self.correlation_id)
            + length(&self.traceparent)
            + length(&self.address)
            + length(&self.user_agent)
            + length(&self.problem)
            + length(&self.reason)
            + parameters.sum::<usize>()
    }
}

fn bound(word: &mut Option<String>, most: usize) {
    if let Some(text) = word {
        *text = bounded(text, most);
    }
}

/// At most so many characters of a text, with U+FFFD in the place of control characters.
#[must_use]
pub fn bounded(text: &str, most: usize) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().take(most).map(shown).collect()
}

/// The action that an event tells of: that of the command behind it, else the event's own name.
#[must_use]
pub fn action_of_event(event_type: &str) -> String {
    match event_type {
        "Uploaded" | "UploadRefused" => "upload".into(),
        "Reviewed" => "review".into(),
        "Corrected" => "correct".into(),
        "ReprocessingRequested" => "reprocess".into(),
        "Withdrawn" => "withdraw".into(),
        "LegalHoldPlaced" => "place_legal_hold".into(),
        "LegalHoldReleased" => "release_legal_hold".into(),
        "ErasureRequested" => "request_erasure".into(),
        "ErasureRejected" => "reject_erasure".into(),
        "Erased" => "approve_erasure".into(),
        "QuarantineReleaseRequested" => "request_release".into(),
        "QuarantineReleaseRejected" => "reject_release".into(),
        "QuarantineReleased" => "approve_release".into(),
        "KeyIssued" => "issue_key".into(),
        "KeyRotated" => "rotate_key".into(),
        "KeyRevoked" => "revoke_key".into(),
        other => snake_case(other),
    }
}

fn snake_case(name: &str) -> String {
    let mut word = String::with_capacity(name.len() + 4);
    for c in name.chars().take(LONGEST_WORD) {
        if c.is_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.extend(c.to_lowercase());
    }
    word
}

/// The word is an action that the audit trail can hold.
#[must_use]
pub fn is_action(word: &str) -> bool {
    ACTIONS.contains(&word)
        || DocumentEvent::TYPES
            .iter()
            .any(|event| action_of_event(event) == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> AccessRecord {
        AccessRecord::new(
            "view",
            Outcome::Shown,
            "key:admin",
            OffsetDateTime::UNIX_EPOCH,
        )
    }

    #[test]
    fn a_record_is_bounded_whatever_was_sent() {
        let mut record = record();
        record.user_agent = Some(format!("evil\r\n\0{}", "x".repeat(100_000)));
        record.reason = Some("സ".repeat(100_000));
        record.parameters = (0..10_000)
            .map(|n| (format!("{n}{}", "n".repeat(1_000)), "v".repeat(1_000)))
            .collect();
        let record = record.bounded();
        assert!(record.weight() < 16 * 1024, "{}", record.weight());
        assert!(
            record
                .user_agent
                .as_ref()
                .unwrap()
                .starts_with("evil\u{fffd}\u{fffd}\u{fffd}x")
        );
        let json = serde_json::to_string(&record).unwrap();
        assert!(json.len() < 16 * 1024, "{}", json.len());
        assert_eq!(
            record.clone().bounded(),
            record,
            "a second time is the same"
        );
    }

    #[test]
    fn events_have_the_action_of_their_command() {
        assert_eq!(action_of_event("Uploaded"), "upload");
        assert_eq!(action_of_event("Withdrawn"), "withdraw");
        assert_eq!(action_of_event("ProcessingStarted"), "processing_started");
        assert_eq!(action_of_event("LegalHoldPlaced"), "place_legal_hold");
        assert!(is_action("extracted") && is_action("view") && !is_action("dance"));
    }

    #[test]
    fn outcomes_are_read_as_they_are_written() {
        for outcome in Outcome::ALL {
            assert_eq!(outcome.as_str().parse::<Outcome>().unwrap(), outcome);
            let json = serde_json::to_string(&outcome).unwrap();
            assert_eq!(json, format!("\"{outcome}\""));
        }
        assert!("seen".parse::<Outcome>().is_err());
    }
}
