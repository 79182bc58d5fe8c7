//! Questions to the audit trail, checked: the same words and the same refusals for HTTP and for
//! the command line.

use kmrl_domain::access::{ACTIONS, Outcome, is_action};
use kmrl_projections::query::{AuditFilter, AuditKey};
use time::OffsetDateTime;
use uuid::Uuid;

/// A question as it was asked.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Of this document.
    pub document_id: Option<Uuid>,
    /// By this actor.
    pub actor: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// With this outcome.
    pub outcome: Option<String>,
    /// Recorded then or later.
    pub since: Option<OffsetDateTime>,
    /// Recorded before.
    pub until: Option<OffsetDateTime>,
    /// Only after this position.
    pub after: Option<i64>,
    /// Only before this position.
    pub before: Option<i64>,
}

/// A question that cannot be answered. Shown to whoever asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuestion {
    /// No such action.
    #[error("`{word}` is no action; some are: {}", ACTIONS.join(", "))]
    Action {
        /// What was given, shortened.
        word: String,
    },
    /// No such outcome.
    #[error("outcome: {0}")]
    Outcome(String),
    /// The end lies before the beginning.
    #[error("`{from}` must lie before `{to}`")]
    Reversed {
        /// Name of the beginning.
        from: &'static str,
        /// Name of the end.
        to: &'static str,
    },
    /// No position is negative.
    #[error("`{name}` is a position, 0 or more")]
    Position {
        /// Which one.
        name: &'static str,
    },
}

impl Question {
    /// The filter of the question.
    ///
    /// # Errors
    /// A [`BadQuestion`].
    pub fn filter(self) -> Result<AuditFilter, BadQuestion> {
        if let Some(word) = self.action.as_deref().filter(|word| !is_action(word)) {
            let word = kmrl_domain::access::bounded(word, 40);
            return Err(BadQuestion::Action { word });
        }
        let outcome = self.outcome.map(|o| o.parse::<Outcome>()).transpose();
        let outcome = outcome.map_err(|e| BadQuestion::Outcome(e.to_string()))?;
        for (name, position) in [("after", self.after), ("before", self.before)] {
            if position.is_some_and(|p| p < 0) {
                return Err(BadQuestion::Position { name });
            }
        }
        let reversed = |from, to| Err(BadQuestion::Reversed { from, to });
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since >= until
        {
            return reversed("since", "until");
        }
        if let (Some(after), Some(before)) = (self.after, self.before)
            && after >= before
        {
            return reversed("after", "before");
        }
        Ok(AuditFilter {
            document_id: self.document_id,
            actor: self.actor,
            action: self.action,
            outcome,
            since: self.since,
            until: self.until,
            after: self.after,
            before: self.before,
        })
    }
}

/// Where a page ended, as given out: 24 hexadecimal digits.
#[must_use]
pub fn cursor(key: AuditKey) -> String {
    format!("{:016x}{:08x}", key.position, key.index)
}

/// Reads a cursor that was given out; `None` when it was not.
#[must_use]
pub fn parse_cursor(text: &str) -> Option<AuditKey> {
    if text.len() != 24 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let (position, index) = text.split_at_checked(16)?;
    Some(AuditKey {
        position: i64::from_str_radix(position, 16).ok()?,
        index: i32::from_str_radix(index, 16).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn refused(question: Question) -> String {
        question.filter().unwrap_err().to_string()
    }

    #[test]
    fn wrong_words_and_reversed_ranges_are_refused() {
        let action = |word: &str| Question {
            action: Some(word.into()),
            ..Question::default()
        };
        assert!(action("view").filter().is_ok() && action("extracted").filter().is_ok());
        assert!(refused(action("dance")).contains("`dance` is no action"));
        let outcome = Question {
            outcome: Some("seen".into()),
            ..Question::default()
        };
        assert!(refused(outcome).contains("shown, accepted"));
        let times = Question {
            since: Some(datetime!(2026-01-02 00:00 UTC)),
            until: Some(datetime!(2026-01-01 00:00 UTC)),
            ..Question::default()
        };
        assert_eq!(refused(times), "`since` must lie before `until`");
        let positions = |after, before| Question {
            after: Some(after),
            before: Some(before),
            ..Question::default()
        };
        assert_eq!(refused(positions(7, 7)), "`after` must lie before `before`");
        assert_eq!(
            refused(positions(-1, 7)),
            "`after` is a position, 0 or more"
        );
        assert!(positions(7, 9).filter().is_ok());
    }

    #[test]
    fn cursors_come_back_and_nothing_else_does() {
        let key = AuditKey {
            position: 42,
            index: 7,
        };
        assert_eq!(parse_cursor(&cursor(key)), Some(key));
        for bad in ["", "42", &"f".repeat(24), &"+".repeat(24), "സുരക്ഷാസു"] {
            assert_eq!(parse_cursor(bad), None, "{bad}");
        }
    }
}
