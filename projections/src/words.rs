//! Text to words as search compares them: the one function that index, query and highlights share.
//!
//! Owns what a word is, how it is normalised and stemmed, and which words are too common to be
//! indexed. What two texts share is decided here alone, in Rust, because PostgreSQL's own parser
//! splits Malayalam words at their vowel signs under many locales, and because the extensions that
//! would help (`pg_trgm`, `unaccent`) are not in every PostgreSQL that the gateway runs on.

mod english;
mod malayalam;
mod normalise;
mod trigrams;
mod vector;

pub(crate) use malayalam::is_malayalam;
pub(crate) use trigrams::{alike, inner, padded, thirds};
pub(crate) use vector::{Vector, is_of_vocabulary, quoted};

use std::ops::Range;
use unicode_normalization::char::is_combining_mark;

/// Most characters of a word that are compared.
const LONGEST: usize = 64;

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// What is compared: normalised and stemmed.
    pub lexeme: String,
    /// Bytes of the text that it stands at.
    pub range: Range<usize>,
    /// Place among the words of the text, from 0; words that are too common count.
    pub place: u32,
}

/// The words of a text, but for those that are too common to tell anything.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = Token> {
    let words = Words { text, at: 0 };
    let placed = (0_u32..).zip(words.filter_map(|range| {
        let word = normalise::word(text.get(range.clone())?);
        (!word.is_empty()).then_some((word, range))
    }));
    placed.filter_map(|(place, (word, range))| {
        let lexeme = lexeme(&word)?;
        Some(Token {
            lexeme,
            range,
            place,
        })
    })
}

/// The last word of a text, normalised and not stemmed.
pub(crate) fn last_unstemmed(text: &str) -> Option<String> {
    let last = Words { text, at: 0 }.last()?;
    let word = normalise::word(text.get(last)?).replace('\'', "");
    Some(bounded(word)).filter(|word| !word.is_empty())
}

/// What is compared of a normalised word; `None` for one that is too common.
fn lexeme(word: &str) -> Option<String> {
    if english::is_common(word) {
        return None;
    }
    let stem = if english::is_english(word) {
        english::stem(word)
    } else if is_malayalam(word) {
        malayalam::stem(&word.replace('\'', ""))
    } else {
        word.replace('\'', "")
    };
    Some(bounded(stem)).filter(|lexeme| !lexeme.is_empty())
}

fn bounded(word: String) -> String {
    match word.char_indices().nth(LONGEST) {
        Some((end, _)) => word.get(..end).unwrap_or_default().to_owned(),
        None => word,
    }
}

/// What a character is to the search for words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Of a word in Malayalam letters.
    Malayalam,
    /// Of any other word.
    Other,
    /// Goes with whatever it stands in: marks, joiners, soft hyphens.
    Joining,
    /// Within a word only between letters.
    Apostrophe,
    /// Between words.
    Gap,
}

fn kind(c: char) -> Kind {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => Kind::Other,
        ' '..='&' | '('..='/' => Kind::Gap,
        '\'' | '\u{2019}' => Kind::Apostrophe,
        // Digits in Malayalam writing are digits.
        '\u{d66}'..='\u{d6f}' => Kind::Other,
        '\u{d00}'..='\u{d7f}' => Kind::Malayalam,
        '\u{200c}' | '\u{200d}' | '\u{ad}' | '\u{2060}' | '\u{feff}' | '\u{200b}' => Kind::Joining,
        c if is_combining_mark(c) => Kind::Joining,
        c if c.is_alphanumeric() => Kind::Other,
        _ => Kind::Gap,
    }
}

/// Where words stand. A word ends where Malayalam letters and others meet: in `KMRLന്റെ` the
/// ending must not hide the name.
struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl Iterator for Words<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let rest = self.text.get(self.at..)?;
        let of_word = |c: char| matches!(kind(c), Kind::Malayalam | Kind::Other);
        let start = self.at + rest.find(of_word)?;
        let (mut end, mut script) = (start, None);
        let mut chars = self.text.get(start..)?.char_indices().peekable();
        while let Some((offset, c)) = chars.next() {
            let goes_on = match kind(c) {
                Kind::Joining => true,
                Kind::Gap => false,
                Kind::Apostrophe => chars.peek().is_some_and(|(_, next)| next.is_alphabetic()),
                found => *script.get_or_insert(found) == found,
            };
            if !goes_on {
                break;
            }
            end = start + offset + c.len_utf8();
        }
        self.at = end;
        Some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexemes(text: &str) -> Vec<String> {
        tokens(text).map(|token| token.lexeme).collect()
    }

    #[test]
    fn words_are_found_between_anything_else() {
        assert_eq!(
            lexemes("Replace (brake) pads—car_3, WO-17/2026!"),
            ["replac", "brake", "pad", "car", "3", "wo", "17", "2026"]
        );
        assert_eq!(lexemes("KMRLന്റെ"), ["kmrl", "ന്റെ"]);
        assert_eq!(lexemes("driver\u{2019}s 'quoted'"), ["driver", "quot"]);
        assert!(lexemes(" \u{200d}\u{301}—…\0").is_empty());
    }

    #[test]
    fn common_words_leave_their_place() {
        let places: Vec<_> = tokens("state of the art").map(|t| t.place).collect();
        assert_eq!(places, [0, 3]);
    }

    #[test]
    fn ranges_are_those_of_the_text_as_it_is() {
        let text = "പാളത്തിൽ Ｆｕｌｌ ca\u{301}r";
        let found: Vec<_> = tokens(text)
            .map(|t| (&text[t.range.clone()], t.lexeme.clone()))
            .collect();
        assert_eq!(found[0], ("പാളത്തിൽ", "പാള".to_owned()));
        assert_eq!(found[1], ("Ｆｕｌｌ", "full".to_owned()));
        assert_eq!(found[2], ("ca\u{301}r", "car".to_owned()));
    }

    #[test]
    fn a_word_of_any_length_is_bounded() {
        let long = "ക".repeat(10_000);
        assert_eq!(lexemes(&long)[0].chars().count(), LONGEST);
    }
}
