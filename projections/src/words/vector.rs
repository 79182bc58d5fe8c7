//! Words with their places, written as PostgreSQL reads a `tsvector` or the operand of a `tsquery`.

use std::collections::BTreeMap;
use std::fmt::Write;

/// As many places of one word as PostgreSQL keeps.
const MOST_PLACES: usize = 255;
/// The last place that PostgreSQL knows.
const LAST_PLACE: u32 = 16_383;
/// Words between two fields of a document: no phrase goes across.
const BETWEEN: u32 = 16;
/// Characters of a word that may stand in the vocabulary.
const SPELLED: std::ops::RangeInclusive<usize> = 3..=40;

/// Words with their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vector {
    words: BTreeMap<String, Vec<(u32, char)>>,
    bytes: usize,
    next: u32,
}

impl Vector {
    /// Adds a whole text under a weight (A the strongest, D the weakest), apart from what is there.
    pub fn add(&mut self, text: &str, weight: char) {
        let start = self.next + BETWEEN;
        for token in super::tokens(text) {
            let place = start.saturating_add(token.place);
            self.put(token.lexeme, place, weight);
        }
    }

    /// Puts a word at a place.
    pub fn put(&mut self, lexeme: String, place: u32, weight: char) {
        let place = place.clamp(1, LAST_PLACE);
        self.next = self.next.max(place);
        let length = lexeme.len();
        let places = self.words.entry(lexeme).or_default();
        if places.is_empty() {
            self.bytes += length + 8;
        }
        if places.len() < MOST_PLACES && places.last() != Some(&(place, weight)) {
            places.push((place, weight));
            self.bytes += 2;
        }
    }

    /// About the bytes that it takes in the database.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// As PostgreSQL reads it.
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(self.bytes * 2);
        for (lexeme, places) in &self.words {
            text.push_str(&quoted(lexeme));
            for (n, (place, weight)) in places.iter().enumerate() {
                let mark = if n == 0 { ':' } else { ',' };
                // Writing to a String cannot fail.
                let _ = write!(text, "{mark}{place}");
                if *weight != 'D' {
                    text.push(*weight);
                }
            }
            text.push(' ');
        }
        text
    }
}

/// A word in quotes, as it stands in a `tsvector` and in a `tsquery`.
pub(crate) fn quoted(lexeme: &str) -> String {
    format!("'{}'", lexeme.replace('\\', "\\\\").replace('\'', "''"))
}

/// The word is of letters alone: one that other spellings and forms are looked for.
pub(crate) fn is_of_vocabulary(lexeme: &str) -> bool {
    SPELLED.contains(&lexeme.chars().count()) && !lexeme.chars().any(char::is_numeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_weights_are_written() {
        let mut vector = Vector::default();
        vector.add("pads of brake pads", 'A');
        assert_eq!(vector.to_text(), "'brake':18A 'pad':16A,19A ");
        vector.add("car", 'D');
        assert_eq!(vector.to_text(), "'brake':18A 'car':35 'pad':16A,19A ");
    }

    #[test]
    fn what_postgresql_cannot_hold_is_left_out() {
        let mut vector = Vector::default();
        for place in 0..40_000 {
            vector.put("x".into(), place, 'D');
        }
        vector.put("y".into(), 40_000, 'D');
        let text = vector.to_text();
        assert!(
            text.ends_with("'y':16383 ") && text.contains(",255 "),
            "{text}"
        );
    }

    #[test]
    fn quotes_cannot_end_a_word() {
        assert_eq!(quoted(r"o'br\ien"), r"'o''br\\ien'");
    }
}
