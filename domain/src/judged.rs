//! What was found out about a text beside the text: scripts, the department with its evidence,
//! whether a person has to look at it and why, and what that person said.
//!
//! Plain data. It stands in events, which keep it for good, so none of it may quote a document:
//! evidence names the terms of the rules, never words of the text.

use crate::values::{TextRef, UnknownWord};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What was found out about a text by programs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Share of each script in the letters, by its code in ISO 15924 (`Latn`, `Mlym`); empty
    /// when there are no letters, or nobody counted.
    pub language_shares: BTreeMap<String, f64>,
    /// Why it is that department; `None` when no rules were asked.
    pub department_evidence: Option<DepartmentEvidence>,
    /// Why a person has to look at it; empty when nobody has to.
    pub needs_review: Vec<ReviewReason>,
    /// Pages whose characters were recognised in a picture.
    pub recognised_pages: u32,
    /// Pages that show something and could not be read.
    pub unread_pages: u32,
}

/// Why a person has to look at a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewReason {
    /// Stable word: `low_confidence`, `unread_pages` or `correction_kept`.
    pub code: String,
    /// One sentence for people. Never holds text of the document.
    pub detail: String,
}

impl ReviewReason {
    /// A person corrected the text, and another text was read from the file since.
    #[must_use]
    pub fn correction_kept() -> Self {
        Self {
            code: "correction_kept".into(),
            detail: "a person corrected the text; another one was read from the file since, and \
                     the corrected one stands"
                .into(),
        }
    }
}

/// Why rules found a department, or found none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DepartmentEvidence {
    /// The department that they found.
    pub department: String,
    /// Which rules: the beginning of the SHA-256 of their file.
    pub rules: String,
    /// What the terms of the department weigh together; of `general`, those of the best one.
    pub score: f64,
    /// What the terms of the next best department weigh.
    pub next_score: f64,
    /// The terms of the best department that were found, the weightiest first.
    pub terms: Vec<FoundTerm>,
}

/// A term of the rules that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoundTerm {
    /// As the rules have it.
    pub term: String,
    /// Where: `file_name`, `title` or `text`.
    pub place: String,
    /// How often.
    pub count: u32,
    /// What that adds to the score.
    pub score: f64,
}

/// What a person said of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The text that stands is right.
    Accepted,
    /// Another text stands from now on, as the person wrote it.
    Corrected,
    /// The text that was read from the file last stands from now on, in place of a correction.
    Reread,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Accepted, Self::Corrected, Self::Reread];

    /// The word used in events and rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Corrected => "corrected",
            Self::Reread => "reread",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Verdict {
    type Err = UnknownWord;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == s)
            .ok_or_else(|| UnknownWord::new(s, "accepted, corrected, reread"))
    }
}

/// Whether an event, given its payload in any version, says which text stands. What stands is what
/// the last of them names.
#[must_use]
pub fn sets_text(event_type: &str, payload: &Value) -> bool {
    let is_kept = || payload.get("correction_kept").and_then(Value::as_bool) == Some(true);
    match event_type {
        "Extracted" => !is_kept(),
        "Reviewed" => true,
        _ => false,
    }
}

/// The text that an event makes the one that stands; `None` when it does not, or cannot be read.
#[must_use]
pub fn text_set_by(event_type: &str, payload: &Value) -> Option<TextRef> {
    let text = payload
        .get("text")
        .filter(|_| sets_text(event_type, payload))?;
    TextRef::deserialize(text).ok()
}
