//! From lines of placed pieces to the page's text and the boxes of its words. This module owns
//! how lines, words and cells are written down; it must not decide what is on a line.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::bidi;
use super::fragments::{CELL_FROM, Fragment, Spaced, is_space, is_word_gap};
use super::order::Line;
use super::piece::{ASCENT, DESCENT, Piece, Turn};
use crate::Word;
use crate::text::spell;

/// Fragments that lie upon each other by more than this, in ems, are no one word.
const OVER_FROM: f32 = 0.5;

/// The text of a page in the making.
#[derive(Default)]
pub(super) struct Composition {
    pub text: String,
    pub words: Vec<Word>,
    open: OpenWord,
}

#[derive(Default)]
struct OpenWord {
    text: String,
    turn: Turn,
    area: Option<Area>,
}

/// A box in the frame of a direction.
#[derive(Clone, Copy)]
struct Area {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

impl Composition {
    /// Add lines; what they and their fragments refer to is given along.
    pub(super) fn add(
        &mut self,
        lines: &[Line],
        fragments: &[Fragment],
        pieces: &[Piece],
        characters: &str,
    ) {
        for line in lines {
            let parts = line.fragments.iter().filter_map(|at| fragments.get(*at));
            match parts.clone().any(|fragment| fragment.leftwards) {
                true => self.leftwards(parts, pieces, characters),
                false => self.rightwards(parts, line.cells, pieces, characters),
            }
            self.end_line();
        }
    }

    fn rightwards<'f>(
        &mut self,
        parts: impl Iterator<Item = &'f Fragment>,
        cells: bool,
        pieces: &[Piece],
        characters: &str,
    ) {
        let mut before: Option<&Fragment> = None;
        for fragment in parts {
            let mut last: Option<&Piece> = None;
            if let Some(before) = before {
                let gap = fragment.left - before.right;
                let em = before.em.max(fragment.em);
                if cells && gap > CELL_FROM * em {
                    self.space('\t');
                } else if gap < -OVER_FROM * em {
                    self.space(' ');
                } else {
                    let before = pieces.get(before.pieces.clone()).unwrap_or_default();
                    last = before
                        .iter()
                        .rfind(|piece| !is_space(piece.text(characters)));
                }
            }
            let mut spaced = Spaced::Not;
            for piece in pieces.get(fragment.pieces.clone()).unwrap_or_default() {
                let text = piece.text(characters);
                if is_space(text) {
                    spaced = spaced.max(Spaced::by(last, piece));
                    continue;
                }
                if last.is_some_and(|last| is_word_gap(last, piece, spaced)) {
                    self.space(' ');
                }
                self.push(piece, text);
                (last, spaced) = (Some(piece), Spaced::Not);
            }
            before = Some(fragment);
        }
    }

    /// A line with letters that read leftwards: everything is put in the order in which it
    /// stands, and from that in the order in which it is read.
    fn leftwards<'f>(
        &mut self,
        parts: impl Iterator<Item = &'f Fragment>,
        pieces: &[Piece],
        characters: &str,
    ) {
        let mut parts: Vec<&Fragment> = parts.collect();
        parts.sort_by(|a, b| a.left.total_cmp(&b.left));
        let mut shown: Vec<(&str, Option<&Piece>)> = Vec::new();
        let mut last: Option<&Piece> = None;
        let ordered = parts
            .iter()
            .filter_map(|fragment| pieces.get(fragment.pieces.clone()))
            .flatten();
        for piece in ordered {
            let text = piece.text(characters);
            let spaced = shown.last().is_some_and(|(before, _)| is_space(before));
            if !spaced
                && !is_space(text)
                && last.is_some_and(|last| is_word_gap(last, piece, Spaced::Not))
            {
                shown.push((" ", None));
            }
            shown.push((text, Some(piece)));
            last = Some(piece);
        }
        let texts: Vec<&str> = shown.iter().map(|(text, _)| *text).collect();
        let order = bidi::reading_order(&texts);
        let (line_from, words_from) = (self.text.len(), self.words.len());
        for (text, piece) in order.iter().filter_map(|at| shown.get(*at)) {
            match piece {
                Some(piece) => self.push(piece, text),
                None => self.space(' '),
            }
        }
        self.end_word();
        if let Some(mended) = self.text.get(line_from..).and_then(bidi::mend_brackets) {
            self.text.truncate(line_from);
            self.text.push_str(&mended);
            for word in self.words.iter_mut().skip(words_from) {
                word.text = bidi::mirror(&word.text);
            }
        }
    }

    fn push(&mut self, piece: &Piece, text: &str) {
        // As nearly all pieces are.
        if let [letter @ b'!'..=b'~'] = text.as_bytes() {
            let width = piece.right - piece.left;
            return self
                .open
                .add(piece, piece.left, piece.left + width, char::from(*letter));
        }
        let text = spell(text);
        let count = text.chars().count().max(1) as f32;
        let step = (piece.right - piece.left) / count;
        for (at, character) in text.chars().enumerate() {
            if character.is_whitespace() {
                self.space(' ');
            } else if !character.is_control() {
                let left = piece.left + step * at as f32;
                self.open.add(piece, left, left + step, character);
            }
        }
    }

    fn space(&mut self, space: char) {
        self.end_word();
        if !self.text.is_empty() && !self.text.ends_with(char::is_whitespace) {
            self.text.push(space);
        }
    }

    fn end_word(&mut self) {
        let Some(area) = self.open.area.take() else {
            return;
        };
        let text = nfc(std::mem::take(&mut self.open.text));
        let [x, y, width, height] =
            self.open
                .turn
                .shown_box(area.left, area.top, area.right, area.bottom);
        self.text.push_str(&text);
        self.words.push(Word {
            text,
            x,
            y,
            width,
            height,
        });
    }

    fn end_line(&mut self) {
        self.end_word();
        let kept = self.text.trim_end_matches([' ', '\t']).len();
        self.text.truncate(kept);
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// Add lines that stand nowhere on the page.
    pub(super) fn append(&mut self, lines: &str) {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            self.text.push_str(&nfc(line.to_owned()));
            self.end_line();
        }
    }

    pub(super) fn finish(mut self) -> (String, Vec<Word>) {
        self.end_line();
        self.text.truncate(self.text.trim_end().len());
        (self.text, self.words)
    }
}

impl OpenWord {
    fn add(&mut self, piece: &Piece, left: f32, right: f32, character: char) {
        self.text.push(character);
        let (top, bottom) = (
            piece.baseline - ASCENT * piece.em,
            piece.baseline + DESCENT * piece.em,
        );
        let around = self.area.unwrap_or(Area {
            left,
            top,
            right,
            bottom,
        });
        self.turn = piece.turn;
        self.area = Some(Area {
            left: around.left.min(left),
            top: around.top.min(top),
            right: around.right.max(right),
            bottom: around.bottom.max(bottom),
        });
    }
}

/// Characters composed, so that a word is the same however its producer spelt it.
fn nfc(text: String) -> String {
    match text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        true => text,
        false => text.nfc().collect(),
    }
}
