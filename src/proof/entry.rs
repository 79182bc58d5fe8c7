//! An entry of the log as its hash is made of it.

use super::{Hash, tree};
use serde::{Deserialize, Serialize};

/// An entry, with payload and metadata to the letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Place in the log, from 1.
    pub position: i64,
    /// Kind of stream.
    pub aggregate_type: String,
    /// The stream.
    pub aggregate_id: String,
    /// Place in the stream, from 1.
    pub sequence: i64,
    /// Name of the event.
    pub event_type: String,
    /// Version of its form.
    pub event_version: String,
    /// Microseconds since 1970, in UTC.
    pub recorded_at: i64,
    /// JSON text, to the letter.
    pub payload: String,
    /// JSON text, to the letter.
    pub metadata: String,
}

impl Entry {
    /// What is hashed: the fields, joined by line feeds. Only payload and metadata can hold line
    /// feeds, and only between the tokens of a JSON text, so no two entries have the same text
    /// unless they say the same.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}",
            self.position,
            self.aggregate_type,
            self.aggregate_id,
            self.sequence,
            self.event_type,
            self.event_version,
            self.recorded_at,
            self.payload,
            self.metadata
        )
    }

    /// Its hash as a leaf of the tree.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        tree::leaf_hash(self.text().as_bytes())
    }
}
