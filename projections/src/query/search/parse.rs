//! What people type into a search, read: words, "phrases", -exclusions, OR, prefix*.

use crate::models::search::LONGEST_PHRASE;
use crate::words::{self, quoted};

/// Most characters of a query.
const LONGEST: usize = 1_000;
/// Most terms of a query.
const MOST_TERMS: usize = 32;

/// A query that cannot be searched for. Shown to whoever asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    /// There is nothing in it.
    #[error("`q` is empty")]
    Empty,
    /// It is too long.
    #[error("`q` has at most {LONGEST} characters")]
    TooLong,
    /// It has U+0000, which no text has.
    #[error("`q` has the character U+0000")]
    Nul,
    /// A quotation mark has no partner.
    #[error("a quotation mark in `q` has no partner")]
    Unbalanced,
    /// Nothing says what to find.
    #[error("`q` only says what not to find")]
    OnlyExclusions,
    /// Its words are in every text.
    #[error("`q` has no word that is searched for: its words are too common, or it has only marks")]
    NoWords,
    /// It has too many terms.
    #[error("`q` has at most {MOST_TERMS} words and phrases")]
    TooManyTerms,
    /// A phrase is too long.
    #[error("a phrase in `q` has at most {LONGEST_PHRASE} words")]
    PhraseTooLong,
    /// `OR` stands where it joins nothing.
    #[error("OR in `q` must stand between two words or phrases that are to be found")]
    Or,
}

/// A query, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    /// Of each of these, one term must be there.
    pub(super) groups: Vec<Vec<Term>>,
    /// None of these may be there.
    pub(super) excluded: Vec<Term>,
}

/// Words that stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub words: Vec<Word>,
    /// It was put in quotation marks: it is taken as it is.
    pub quoted: bool,
}

/// A word of a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub lexeme: String,
    /// Places from the word before it.
    pub gap: u32,
    /// Words that begin with this are meant too.
    pub prefix: Option<String>,
}

impl Word {
    /// Operand of a `tsquery`.
    fn operand(&self) -> String {
        let lexeme = quoted(&self.lexeme);
        match &self.prefix {
            Some(prefix) => format!("({}:* | {lexeme})", quoted(prefix)),
            None => lexeme,
        }
    }
}

impl Term {
    /// As a `tsquery`.
    pub fn exact(&self) -> String {
        let mut text = String::new();
        for (n, word) in self.words.iter().enumerate() {
            if n > 0 {
                text.push_str(&format!(" <{}> ", word.gap.max(1)));
            }
            text.push_str(&word.operand());
        }
        format!("({text})")
    }

    /// The one word that other forms and spellings may be looked for of.
    pub fn open_word(&self) -> Option<&str> {
        match self.words.as_slice() {
            [
                Word {
                    lexeme,
                    prefix: None,
                    ..
                },
            ] if !self.quoted => Some(lexeme),
            _ => None,
        }
    }
}

/// What stands in a query between blanks.
enum Piece {
    Or,
    Term {
        text: String,
        quoted: bool,
        excluded: bool,
    },
}

impl SearchQuery {
    /// Reads a query.
    ///
    /// # Errors
    /// When there is nothing in it that can be searched for, or it is out of bounds.
    pub fn parse(text: &str) -> Result<Self, BadQuery> {
        if text.chars().nth(LONGEST).is_some() {
            return Err(BadQuery::TooLong);
        }
        if text.contains('\0') {
            return Err(BadQuery::Nul);
        }
        let pieces = pieces(text)?;
        if pieces.is_empty() {
            return Err(BadQuery::Empty);
        }
        let mut query = Self {
            groups: Vec::new(),
            excluded: Vec::new(),
        };
        query.take(pieces)?;
        let terms = query.groups.iter().map(Vec::len).sum::<usize>() + query.excluded.len();
        if terms > MOST_TERMS {
            return Err(BadQuery::TooManyTerms);
        }
        match (query.groups.is_empty(), query.excluded.is_empty()) {
            (true, false) => Err(BadQuery::OnlyExclusions),
            (true, true) => Err(BadQuery::NoWords),
            _ => Ok(query),
        }
    }

    fn take(&mut self, pieces: Vec<Piece>) -> Result<(), BadQuery> {
        // What stood before an OR: nothing, something, or a term of common words alone.
        let (mut before, mut or) = (None, false);
        for piece in pieces {
            match piece {
                Piece::Or if or || before.is_none() => return Err(BadQuery::Or),
                Piece::Or => or = true,
                Piece::Term { excluded: true, .. } if or => return Err(BadQuery::Or),
                Piece::Term {
                    text,
                    quoted,
                    excluded: true,
                } => {
                    self.excluded.extend(term(&text, quoted)?);
                    before = None;
                }
                Piece::Term { text, quoted, .. } => {
                    let found = term(&text, quoted)?;
                    let is_there = found.is_some();
                    match (found, self.groups.last_mut()) {
                        (Some(term), Some(group)) if or && before == Some(true) => group.push(term),
                        (Some(term), _) => self.groups.push(vec![term]),
                        (None, _) => {}
                    }
                    before = Some(is_there || (or && before == Some(true)));
                    or = false;
                }
            }
        }
        if or { Err(BadQuery::Or) } else { Ok(()) }
    }
}

fn is_mark(c: char) -> bool {
    matches!(c, '"' | '\u{201c}' | '\u{201d}' | '\u{201e}')
}

fn pieces(text: &str) -> Result<Vec<Piece>, BadQuery> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let bare = rest.strip_prefix('-');
        let excluded = bare.is_some_and(|b| b.starts_with(|c: char| !c.is_whitespace()));
        let from = if excluded { bare.unwrap_or(rest) } else { rest };
        let (text, quoted, left) = match from.strip_prefix(is_mark) {
            Some(inside) => {
                let (text, left) = inside.split_once(is_mark).ok_or(BadQuery::Unbalanced)?;
                (text, true, left)
            }
            None => {
                let end = from.find(|c: char| c.is_whitespace() || is_mark(c));
                let (text, left) = from.split_at(end.unwrap_or(from.len()));
                (text, false, left)
            }
        };
        pieces.push(match text {
            "OR" | "|" if !quoted && !excluded => Piece::Or,
            text => Piece::Term {
                text: text.to_owned(),
                quoted,
                excluded,
            },
        });
        rest = left.trim_start();
    }
    Ok(pieces)
}

/// The term of a piece; `None` when all its words are too common.
fn term(text: &str, quoted: bool) -> Result<Option<Term>, BadQuery> {
    let mut before = 0;
    let mut words: Vec<Word> = words::tokens(text)
        .map(|token| {
            let gap = token.place - before;
            before = token.place;
            Word {
                lexeme: token.lexeme,
                gap,
                prefix: None,
            }
        })
        .collect();
    if words.len() > LONGEST_PHRASE || before as usize > LONGEST_PHRASE {
        return Err(BadQuery::PhraseTooLong);
    }
    let Some(last) = words.last_mut() else {
        return Ok(None);
    };
    if !quoted && text.ends_with('*') {
        last.prefix = words::last_unstemmed(text);
    }
    Ok(Some(Term { words, quoted }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let query = SearchQuery::parse(text).unwrap();
        let group = |group: &Vec<Term>| group.iter().map(Term::exact).collect::<Vec<_>>().join("|");
        let mut all: Vec<String> = query.groups.iter().map(group).collect();
        all.extend(
            query
                .excluded
                .iter()
                .map(|term| format!("-{}", term.exact())),
        );
        all.join(" ")
    }

    fn refused(text: &str) -> BadQuery {
        SearchQuery::parse(text).unwrap_err()
    }

    #[test]
    fn words_phrases_exclusions_and_alternatives_are_read() {
        assert_eq!(shown("Brake PADS"), "('brake') ('pad')");
        assert_eq!(
            shown(r#""brake pads" -train"#),
            "('brake' <1> 'pad') -('train')"
        );
        assert_eq!(shown("a OR bus OR tram stop"), "('bus')|('tram') ('stop')");
        assert_eq!(shown("bus | tram"), "('bus')|('tram')");
        assert_eq!(shown(r#""state of the art""#), "('state' <3> 'art')");
        assert_eq!(shown(r#"-"old card" new"#), "('new') -('old' <1> 'card')");
        assert_eq!(shown("“brake pads”"), "('brake' <1> 'pad')");
    }

    #[test]
    fn what_stands_together_is_a_phrase() {
        assert_eq!(shown("WO-17/2026"), "('wo' <1> '17' <1> '2026')");
        assert_eq!(shown("well - known"), "('well') ('known')");
        assert_eq!(shown("KMRLന്റെ"), "('kmrl' <1> 'ന്റെ')");
    }

    #[test]
    fn a_star_means_any_end() {
        assert_eq!(shown("Inspections*"), "(('inspections':* | 'inspect'))");
        assert_eq!(shown("\"inspect*\""), "('inspect')");
    }

    #[test]
    fn what_cannot_be_searched_is_refused() {
        assert_eq!(refused(""), BadQuery::Empty);
        assert_eq!(refused(" \t\n"), BadQuery::Empty);
        assert_eq!(refused("-train -bus"), BadQuery::OnlyExclusions);
        assert_eq!(refused("the of and"), BadQuery::NoWords);
        assert_eq!(refused("—…!"), BadQuery::NoWords);
        assert_eq!(refused("\"brake pads"), BadQuery::Unbalanced);
        assert_eq!(refused("brake\" pads"), BadQuery::Unbalanced);
        assert_eq!(refused(&"x".repeat(10_000)), BadQuery::TooLong);
        assert_eq!(refused("a\0b"), BadQuery::Nul);
        assert_eq!(refused(&"x ".repeat(33)), BadQuery::TooManyTerms);
        assert_eq!(refused(&"x-".repeat(20)), BadQuery::PhraseTooLong);
        for bad in [
            "OR bus",
            "bus OR",
            "bus OR OR tram",
            "bus OR -tram",
            "-bus OR tram",
        ] {
            assert_eq!(refused(bad), BadQuery::Or, "{bad}");
        }
    }

    /// Whatever is typed is read or refused, and what is read is a `tsquery` that cannot be broken
    /// out of.
    #[test]
    fn nothing_typed_breaks_out_of_its_quotes() {
        let letters = [
            'a', '\'', '"', '\\', '-', '*', '|', '&', '!', ':', '(', ' ', '്', '\u{200d}', 'ന', '<',
        ];
        let mut seed = 7_u64;
        for _ in 0..5_000 {
            let mut text = String::new();
            for _ in 0..seed % 14 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (seed >> 33) as usize % letters.len();
                text.push(letters[at]);
            }
            seed = seed.wrapping_add(11);
            let Ok(query) = SearchQuery::parse(&text) else {
                continue;
            };
            for word in query
                .groups
                .iter()
                .flatten()
                .chain(&query.excluded)
                .flat_map(|t| &t.words)
            {
                let all = [Some(&word.lexeme), word.prefix.as_ref()];
                for word in all.into_iter().flatten() {
                    assert!(
                        !word.is_empty() && !word.contains(['"', '\\', ' ', ':', '|', '&']),
                        "{text}"
                    );
                }
            }
        }
    }
}
