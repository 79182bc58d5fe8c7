//! An event as it stands in the log: what every reader of the log gets.
//!
//! Plain data and its decoding. How it is read is the event store's business.

use crate::event::DocumentEvent;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;
use time::OffsetDateTime;
use uuid::Uuid;

/// One event of the log, with its place and with its private part while that exists.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordedEvent {
    /// Place in the whole log: 1, 2, 3 … without a gap.
    pub position: i64,
    /// Kind of stream, such as `document`.
    pub aggregate_type: String,
    /// Id of the stream.
    pub aggregate_id: String,
    /// Place in the stream, from 1.
    pub sequence: i64,
    /// Name of the event.
    pub event_type: String,
    /// Version of the event's form.
    pub event_version: String,
    /// The event (of the current version, once upcast).
    pub payload: Value,
    /// Actor, key id, request id, correlation, causation, traceparent.
    pub metadata: HashMap<String, String>,
    /// When it was recorded; never decreases along positions.
    #[serde(with = "time::serde::rfc3339")]
    pub recorded_at: OffsetDateTime,
    /// The private part; `None` when there never was one or it has been erased.
    #[serde(skip)]
    pub private: Option<Value>,
}

/// An event that cannot be read as what its type says.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The payload does not have the form of its type and version.
    #[error("event {position} ({event_type} {event_version}) does not have its form")]
    Payload {
        /// Its place in the log.
        position: i64,
        /// Its type.
        event_type: String,
        /// Its version.
        event_version: String,
        /// What serde found.
        #[source]
        source: serde_json::Error,
    },
    /// The stream's id is no UUID.
    #[error("event {position} belongs to `{aggregate_id}`, which is no UUID")]
    Id {
        /// Its place in the log.
        position: i64,
        /// The id found.
        aggregate_id: String,
        /// What the parser found.
        #[source]
        source: uuid::Error,
    },
}

impl RecordedEvent {
    /// The id of the stream as a UUID.
    ///
    /// # Errors
    /// When it is none.
    pub fn id(&self) -> Result<Uuid, DecodeError> {
        Uuid::parse_str(&self.aggregate_id).map_err(|source| DecodeError::Id {
            position: self.position,
            aggregate_id: self.aggregate_id.clone(),
            source,
        })
    }

    /// The event of a document, or `None` for another kind of stream.
    ///
    /// # Errors
    /// When the payload does not have the form of its type.
    pub fn document(&self) -> Result<Option<DocumentEvent>, DecodeError> {
        if self.aggregate_type != crate::document::TYPE {
            return Ok(None);
        }
        self.decode().map(Some)
    }

    /// The payload as a `T`.
    ///
    /// # Errors
    /// When it does not have that form.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        T::deserialize(&self.payload).map_err(|source| self.wrong(source))
    }

    /// The private part as a `T`; `None` when there is none any more.
    ///
    /// # Errors
    /// When it does not have that form.
    pub fn private<T: DeserializeOwned>(&self) -> Result<Option<T>, DecodeError> {
        self.private
            .as_ref()
            .map(T::deserialize)
            .transpose()
            .map_err(|source| self.wrong(source))
    }

    fn wrong(&self, source: serde_json::Error) -> DecodeError {
        DecodeError::Payload {
            position: self.position,
            event_type: self.event_type.clone(),
            event_version: self.event_version.clone(),
            source,
        }
    }
}
