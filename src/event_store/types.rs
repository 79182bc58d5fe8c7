//! What is handed to the event store and what it answers. Plain data.

use cqrs_es::DomainEvent;
use cqrs_es::persist::EventUpcaster;
use kmrl_domain::PrivatePart;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use time::OffsetDateTime;

/// Makers of current forms out of old ones, in the order in which they apply.
pub type Upcasters = Arc<[Box<dyn EventUpcaster>]>;

/// Who asked for a command and what it belongs to; kept with each of its events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CommandMetadata {
    /// Who, such as `key:admin` or `worker:3`.
    pub actor: String,
    /// The API key that was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The HTTP request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The same for everything that one request set off.
    pub correlation_id: String,
    /// What set this off, such as the position of an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<String>,
    /// W3C trace context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Address of the other end of the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the client calls itself; bounded and without control characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

impl From<CommandMetadata> for HashMap<String, String> {
    fn from(m: CommandMetadata) -> Self {
        [
            ("actor", Some(m.actor)),
            ("key_id", m.key_id),
            ("request_id", m.request_id),
            ("correlation_id", Some(m.correlation_id)),
            ("causation_id", m.causation_id),
            ("traceparent", m.traceparent),
            ("address", m.address),
            ("user_agent", m.user_agent),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }
}

/// Events to append to one stream: all or none of them.
#[derive(Clone, Debug)]
pub struct Append {
    /// Kind of stream.
    pub aggregate_type: &'static str,
    /// The stream.
    pub aggregate_id: String,
    /// The version that the decision was made at; 0 for a new stream.
    pub expected_version: i64,
    /// What was decided. May be empty, to have an idempotency key remembered.
    pub events: Vec<NewEvent>,
    /// Kept with each event.
    pub metadata: CommandMetadata,
    /// Makes a repetition harmless.
    pub idempotency: Option<Idempotency>,
    /// Something of which there may be one.
    pub claim: Option<Claim>,
}

/// An event before it has a place.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Name of the event.
    pub event_type: String,
    /// Version of its form.
    pub event_version: String,
    /// JSON text, kept to the letter.
    pub payload: String,
    /// Content beside the log, erasable.
    pub private: Option<PrivatePart>,
}

impl NewEvent {
    /// An event of the domain with its private part.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn new(
        event: &impl DomainEvent,
        private: Option<PrivatePart>,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            event_type: event.event_type(),
            event_version: event.event_version(),
            payload: serde_json::to_string(event)?,
            private,
        })
    }
}

/// A name for one request, given by whoever may send it again.
///
/// Keys are global: a caller who wants a scope (an API key, a job) makes it part of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The name.
    pub key: String,
    /// SHA-256 of what was asked, to tell a repetition from a second use of the key.
    pub fingerprint: [u8; 32],
}

/// Something of which there may be one: it belongs to the first stream that claims it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Kind of thing, such as `blob`.
    pub kind: &'static str,
    /// The thing.
    pub value: String,
}

impl Claim {
    /// What another stream has claimed, to be shared only while it is still that stream's.
    /// `kind` is that of the claim, with `shared ` before it.
    #[must_use]
    pub fn shared(kind: &'static str, value: &str, owner: &str) -> Self {
        Self {
            kind,
            value: format!("{value} {owner}"),
        }
    }
}

/// Where the events of a command are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The stream; for a replayed command the one of the first time.
    pub aggregate_id: String,
    /// Version of the stream after the command.
    pub version: i64,
    /// Position of its first event; one more than `position` when it had none.
    pub first_position: i64,
    /// Position of its last event; that of the head when it had none.
    pub position: i64,
    /// When they were recorded.
    pub recorded_at: OffsetDateTime,
    /// The key was known: nothing was appended now, this is the answer of the first time.
    pub replayed: bool,
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The stream has moved on.
    #[error("the stream is at version {actual}")]
    Stale {
        /// The version it is at.
        actual: i64,
    },
    /// The idempotency key was used for something else.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The claim belongs to another stream.
    #[error("claimed by {owner}")]
    Claimed {
        /// Id of the stream that has it.
        owner: String,
    },
    /// The database cannot be reached or does not answer. Only here is the outcome unknown:
    /// repeat with an idempotency key, or look.
    #[error("appending to the log: the database is unavailable")]
    Unavailable {
        /// What went wrong, shared by all commands of the batch.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// The database or JSON cannot hold what was to be appended. Repeating gives the same.
    #[error("appending to the log: the content cannot be stored")]
    Payload {
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// More commands wait than may.
    #[error("too many commands wait to be appended")]
    Overloaded,
    /// The store was shut down.
    #[error("the event store has stopped")]
    Stopped,
}
