//! The words that commands, events and rows share: blobs, texts, priorities, statuses, reasons.
//!
//! Plain data. No rule lives here but what makes a single value valid.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Original bytes in the object store. Identical bytes have one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Object key, made from the SHA-256.
    pub key: String,
    /// Lower-case hexadecimal SHA-256 of the bytes.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
}

/// Extracted text in the object store. The text itself is never in an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextRef {
    /// Object key of the text artefact (JSON, see [`TextArtefact`]).
    pub key: String,
    /// Lower-case hexadecimal SHA-256 of the artefact's bytes.
    pub sha256: String,
    /// Number of Unicode scalar values over all pages.
    pub characters: u64,
    /// Number of pages.
    pub pages: u32,
}

/// What a [`TextRef`] names: the pages of text, and what the file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextArtefact {
    /// Text of each page, in order.
    pub pages: Vec<String>,
    /// Title that the file gives itself. Held here, not in the event: it may be personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Program that wrote the file, as the file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer: Option<String>,
}

impl TextArtefact {
    /// The whole text: pages joined by a form feed, as plain-text tools do.
    #[must_use]
    pub fn text(&self) -> String {
        self.pages.join("\u{c}")
    }
}

/// What the structure of a file gave away. Facts only; policy is elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Version of the file format, such as `1.7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The file is encrypted (and opened with the empty password).
    #[serde(default)]
    pub encrypted: bool,
    /// It carries JavaScript.
    #[serde(default)]
    pub javascript: bool,
    /// It carries an action that starts a program.
    #[serde(default)]
    pub launch_actions: bool,
    /// It carries an action that runs when it is opened.
    #[serde(default)]
    pub open_action: bool,
    /// How many files are embedded.
    #[serde(default)]
    pub embedded_files: u32,
    /// It carries digital signatures (present, not verified).
    #[serde(default)]
    pub signatures: bool,
    /// It carries an XFA form.
    #[serde(default)]
    pub xfa: bool,
}

/// The document that another one was found inside: a message that it was attached to, an archive
/// that it was packed into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its id.
    pub id: Uuid,
    /// How many documents there are around the one inside: 1 when the parent was sent in.
    pub level: u32,
}

/// How urgent the work on a document is. Each has its own queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before everything else.
    High,
    /// The default.
    #[default]
    Normal,
    /// When there is nothing else to do.
    Low,
}

impl Priority {
    /// All of them, most urgent first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// The word used in APIs, subjects and rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Priority {
    type Err = UnknownWord;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|p| p.as_str() == s)
            .ok_or_else(|| UnknownWord::new(s, "high, normal, low"))
    }
}

/// Where a document is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted; waits for a worker (or for the next attempt).
    #[default]
    Queued,
    /// A worker has it.
    Processing,
    /// Its text is there.
    Processed,
    /// It ended without text; the reason says why.
    Failed,
}

impl Status {
    /// All of them, in the order of the way.
    pub const ALL: [Self; 4] = [
        Self::Queued,
        Self::Processing,
        Self::Processed,
        Self::Failed,
    ];

    /// The word used in APIs and rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::Processed => "processed",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = UnknownWord;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|p| p.as_str() == s)
            .ok_or_else(|| UnknownWord::new(s, "queued, processing, processed, failed"))
    }
}

/// A word that is none of those expected.
#[derive(Debug, thiserror::Error)]
#[error("`{word}` is none of: {expected}")]
pub struct UnknownWord {
    word: String,
    expected: &'static str,
}

impl UnknownWord {
    pub(crate) fn new(word: &str, expected: &'static str) -> Self {
        Self {
            word: word.chars().take(40).collect(),
            expected,
        }
    }
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureReason {
    /// Stable word, such as `unsupported_type` or `time_limit`.
    pub code: String,
    /// One sentence for people. Never holds text of the document.
    pub detail: String,
}

/// One try at one run of processing. Runs count the requests to process, attempts the tries in it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Attempt {
    /// 1 for the upload, one more for each request to reprocess.
    pub run: u32,
    /// 1 for the first try in the run.
    pub attempt: u32,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {} attempt {}", self.run, self.attempt)
    }
}
