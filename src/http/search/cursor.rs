//! Cursors of searches: where a page ended, and of which search. Opaque to clients.

use super::super::problem::{Problem, ProblemType};
use kmrl_projections::query::{SearchFilter, SearchKey};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

/// What tells one search from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(u64);

impl Fingerprint {
    pub(super) fn of(query: &str, filter: &SearchFilter, newest: bool) -> Self {
        // The form of `Debug` is that of this program's fields: another version need not take it.
        let text = format!("{query}\0{filter:?}\0{newest}");
        let digest = Sha256::digest(text.as_bytes());
        let first = digest.iter().take(8);
        Self(first.fold(0, |n, byte| (n << 8) | u64::from(*byte)))
    }
}

/// A cursor, as text: 73 hexadecimal digits.
pub(super) struct Cursor;

impl Cursor {
    pub(super) fn encode(key: SearchKey, search: Fingerprint) -> String {
        let micros = key.uploaded_at.unix_timestamp_nanos() / 1_000;
        format!(
            "{}{:08x}{:016x}{}{:016x}",
            u8::from(key.newest),
            key.rank.to_bits(),
            u64::try_from(micros).unwrap_or(0),
            key.id.simple(),
            search.0
        )
    }

    /// Reads one that was given out for this search.
    pub(super) fn decode(text: &str, search: Fingerprint) -> Result<SearchKey, Problem> {
        let refused = Problem::new(ProblemType::InvalidCursor);
        let Some((key, of)) = read(text) else {
            return Err(refused);
        };
        if of == search {
            return Ok(key);
        }
        Err(refused.detail("the cursor belongs to another search: q, filters or order differ"))
    }
}

fn read(text: &str) -> Option<(SearchKey, Fingerprint)> {
    if text.len() != 73 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let rank = f32::from_bits(u32::from_str_radix(text.get(1..9)?, 16).ok()?);
    let micros = i128::from(u64::from_str_radix(text.get(9..25)?, 16).ok()?);
    let key = SearchKey {
        newest: match text.get(..1)? {
            "0" => false,
            "1" => true,
            _ => return None,
        },
        rank: Some(rank).filter(|rank| rank.is_finite())?,
        uploaded_at: OffsetDateTime::from_unix_timestamp_nanos(micros * 1_000).ok()?,
        id: Uuid::try_parse(text.get(25..57)?).ok()?,
    };
    Some((
        key,
        Fingerprint(u64::from_str_radix(text.get(57..)?, 16).ok()?),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(query: &str) -> Fingerprint {
        Fingerprint::of(query, &SearchFilter::default(), false)
    }

    #[test]
    fn a_cursor_comes_back_as_it_was_for_its_search_alone() {
        let key = SearchKey {
            newest: false,
            rank: 0.123_456_79,
            uploaded_at: time::macros::datetime!(2026-01-02 03:04:05.678901 UTC),
            id: Uuid::from_u128(7),
        };
        let text = Cursor::encode(key, search("brake"));
        assert_eq!(Cursor::decode(&text, search("brake")).unwrap(), key);
        let other = Cursor::decode(&text, search("pads")).unwrap_err();
        assert!(other.sentence().contains("another search"));
        let filter = SearchFilter {
            source: Some("scan".into()),
            ..SearchFilter::default()
        };
        let filtered = Fingerprint::of("brake", &filter, false);
        assert!(Cursor::decode(&text, filtered).is_err());
    }

    #[test]
    fn anything_else_is_refused() {
        let (nan, long) = (format!("0{}", "f".repeat(72)), "0".repeat(74));
        for bad in [
            "",
            "0",
            &nan,
            &long,
            &"ള".repeat(25),
            &format!("2{}", "0".repeat(72)),
        ] {
            assert!(Cursor::decode(bad, search("x")).is_err(), "{bad}");
        }
    }
}
