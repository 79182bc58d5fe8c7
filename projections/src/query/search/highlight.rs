//! Where a query's words stand in a text, and the excerpts that show them.
//!
//! Excerpts are pieces of plain text, each marked or not: no markup is made, so none can be
//! injected by a document.

use super::parse::Term;
use super::resolve::{Plan, Resolved};
use crate::words::{Token, tokens};
use serde::Serialize;
use std::ops::Range;

/// Characters before the first marked word of an excerpt.
const BEFORE: usize = 60;
/// Most characters of an excerpt, about.
const LENGTH: usize = 240;
/// Most excerpts of one text.
const MOST: usize = 2;

/// A piece of an excerpt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// Plain text.
    pub text: String,
    /// It is what was searched for.
    pub marked: bool,
}

impl Plan {
    /// Bytes of the text that are what was searched for, in order and apart from each other.
    pub fn marks(&self, text: &str) -> Vec<Range<usize>> {
        let tokens: Vec<Token> = tokens(text).collect();
        let mut marks: Vec<Range<usize>> = self
            .groups
            .iter()
            .flatten()
            .flat_map(|resolved| resolved.marks(&tokens))
            .collect();
        marks.sort_by_key(|mark| (mark.start, mark.end));
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(marks.len());
        for mark in marks {
            match apart.last_mut() {
                Some(last) if mark.start < last.end => last.end = last.end.max(mark.end),
                _ => apart.push(mark),
            }
        }
        apart
    }
}

impl Resolved {
    fn marks(&self, tokens: &[Token]) -> Vec<Range<usize>> {
        let here = |(at, _): (usize, &Token)| {
            let run = self.term.run(tokens.get(at..)?)?;
            Some(run)
        };
        let mut marks: Vec<Range<usize>> = tokens.iter().enumerate().filter_map(here).collect();
        if let Some(word) = self.term.open_word() {
            let counts = |token: &&Token| {
                self.also.contains(&token.lexeme) || (self.longer && token.lexeme.starts_with(word))
            };
            marks.extend(
                tokens
                    .iter()
                    .filter(counts)
                    .map(|token| token.range.clone()),
            );
        }
        marks
    }
}

impl Term {
    /// Where the term ends that begins with the first of the tokens, if it does.
    fn run(&self, tokens: &[Token]) -> Option<Range<usize>> {
        let first = tokens.first()?;
        let (mut place, mut end) = (first.place, first.range.end);
        let mut rest = tokens.iter();
        for (n, word) in self.words.iter().enumerate() {
            if n > 0 {
                place += word.gap;
            }
            let token = rest.find(|token| token.place >= place)?;
            let begins = |prefix: &String| token.lexeme.starts_with(prefix);
            let is_it = token.lexeme == word.lexeme || word.prefix.as_ref().is_some_and(begins);
            if token.place != place || !is_it {
                return None;
            }
            end = token.range.end;
        }
        Some(first.range.start..end)
    }
}

/// The excerpts of a text around the marks.
pub(super) fn excerpts(text: &str, marks: &[Range<usize>]) -> Vec<Vec<Piece>> {
    let mut excerpts = Vec::new();
    let mut rest = marks;
    while let Some(first) = rest.first()
        && excerpts.len() < MOST
    {
        let start = back(text, first.start);
        let end = forth(text, start).max(first.end);
        let within = rest.iter().take_while(|mark| mark.end <= end).count();
        let (here, later) = rest.split_at(within);
        excerpts.push(pieces(text, start..end, here));
        rest = later;
    }
    excerpts
}

/// The whole of a short text, with its marks.
pub(super) fn whole(text: &str, marks: &[Range<usize>]) -> Vec<Piece> {
    pieces(text, 0..text.len(), marks)
}

/// Some characters before a place, not within a word.
fn back(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    let Some((start, _)) = before.char_indices().rev().nth(BEFORE) else {
        return 0;
    };
    let some = before.get(start..).unwrap_or_default();
    some.find(char::is_whitespace)
        .map_or(at, |blank| start + blank + 1)
}

/// Some characters after a place, not within a word.
fn forth(text: &str, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let Some((end, _)) = rest.char_indices().nth(LENGTH) else {
        return text.len();
    };
    let some = rest.get(..end).unwrap_or_default();
    from + some.rfind(char::is_whitespace).unwrap_or(end)
}

fn pieces(text: &str, part: Range<usize>, marks: &[Range<usize>]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut push = |range: Range<usize>, marked| {
        let text = plain(text.get(range).unwrap_or_default());
        if !text.is_empty() {
            pieces.push(Piece { text, marked });
        }
    };
    let mut at = part.start;
    for mark in marks {
        push(at..mark.start, false);
        push(mark.clone(), true);
        at = mark.end;
    }
    push(at..part.end, false);
    pieces
}

/// One line without control characters.
fn plain(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_whitespace() || c.is_control() => {
                if !line.ends_with(' ') {
                    line.push(' ');
                }
            }
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::super::parse::SearchQuery;
    use super::*;
    use std::collections::BTreeSet;

    fn plan(query: &str, also: &[&str]) -> Plan {
        let query = SearchQuery::parse(query).unwrap();
        let resolved = |term: &Term| Resolved {
            term: term.clone(),
            also: also
                .iter()
                .map(|w| (*w).to_owned())
                .collect::<BTreeSet<_>>(),
            longer: !also.is_empty(),
        };
        let groups = query.groups.iter();
        Plan {
            groups: groups.map(|g| g.iter().map(resolved).collect()).collect(),
            excluded: query.excluded,
            read_as: Vec::new(),
        }
    }

    fn marked(query: &str, also: &[&str], text: &str) -> Vec<String> {
        let marks = plan(query, also).marks(text);
        marks
            .into_iter()
            .map(|mark| text[mark].to_owned())
            .collect()
    }

    #[test]
    fn stems_phrases_and_other_forms_are_marked() {
        let text = "Brakes were inspected; brake pads replaced. The state of the art.";
        assert_eq!(marked("brake", &[], text), ["Brakes", "brake"]);
        assert_eq!(marked("\"brake pad\"", &[], text), ["brake pads"]);
        assert_eq!(
            marked("\"state of the art\"", &[], text),
            ["state of the art"]
        );
        assert!(marked("\"state the art\"", &[], text).is_empty());
        assert_eq!(marked("inspect* -pads", &[], text), ["inspected"]);
        let text = "തീവണ്ടിപ്പാളങ്ങളിൽ പാളത്തിലെ പാളയം";
        assert_eq!(
            marked("പാളം", &["തീവണ്ടിപ്പാള"], text),
            ["തീവണ്ടിപ്പാളങ്ങളിൽ", "പാളത്തിലെ", "പാളയം"]
        );
    }

    #[test]
    fn excerpts_stand_around_marks_and_hold_no_control_characters() {
        let long = format!(
            "{} the brake\n\n\u{1b}[31mpads {} brake",
            "x ".repeat(500),
            "y ".repeat(500)
        );
        let marks = plan("brake", &[]).marks(&long);
        let excerpts = excerpts(&long, &marks);
        assert_eq!(excerpts.len(), 2);
        let text: String = excerpts[0].iter().map(|p| p.text.as_str()).collect();
        assert!(text.contains("the brake [31mpads y"), "{text}");
        assert!(text.chars().count() <= LENGTH + 1);
        assert_eq!(excerpts[0].iter().filter(|p| p.marked).count(), 1);
        assert!(super::excerpts("", &[]).is_empty());
    }

    #[test]
    fn excerpts_of_malayalam_are_cut_between_letters() {
        let text = "അപകടം ".repeat(300) + "പാളം" + &" വണ്ടി".repeat(300);
        let marks = plan("പാളം", &[]).marks(&text);
        let excerpts = excerpts(&text, &marks);
        let marked: Vec<_> = excerpts[0].iter().filter(|p| p.marked).collect();
        assert_eq!(marked[0].text, "പാളം");
        assert!(excerpts[0][0].text.starts_with("അപകടം"));
    }
}
