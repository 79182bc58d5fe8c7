//! Cursors of lists: where a page ended. Opaque to clients.

use super::problem::{Problem, ProblemType};
use time::OffsetDateTime;
use uuid::Uuid;

/// Where a page ended: the last document's upload time (microseconds) and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Upload time of the last document.
    pub uploaded_at: OffsetDateTime,
    /// Its id.
    pub id: Uuid,
}

impl Cursor {
    /// As given out: 48 hexadecimal digits.
    #[must_use]
    pub fn encode(self) -> String {
        let micros = self.uploaded_at.unix_timestamp_nanos() / 1_000;
        let micros = u64::try_from(micros).unwrap_or(0);
        format!("{micros:016x}{}", self.id.simple())
    }

    /// Reads one that was given out.
    ///
    /// # Errors
    /// When it was not.
    pub fn decode(text: &str) -> Result<Self, Problem> {
        let read = || {
            let (time, id) = text.split_at_checked(16)?;
            let micros = i128::from(u64::from_str_radix(time, 16).ok()?);
            Some(Self {
                uploaded_at: OffsetDateTime::from_unix_timestamp_nanos(micros * 1_000).ok()?,
                id: Uuid::try_parse(id).ok().filter(|_| id.len() == 32)?,
            })
        };
        read().ok_or_else(|| Problem::new(ProblemType::InvalidCursor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let cursor = Cursor {
            uploaded_at: time::macros::datetime!(2026-01-02 03:04:05.678901 UTC),
            id: Uuid::from_u128(7),
        };
        assert_eq!(Cursor::decode(&cursor.encode()).unwrap(), cursor);
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in ["", "!", "zz", &"f".repeat(48), &"0".repeat(47), "സുരക്ഷാസുരക്ഷാ"]
        {
            assert_eq!(
                Cursor::decode(bad).unwrap_err().kind(),
                ProblemType::InvalidCursor,
                "{bad}"
            );
        }
    }
}
