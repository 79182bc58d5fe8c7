//! Fragments: pieces drawn one after the other that stand side by side. This module owns where
//! a fragment ends, and where a space belongs; it must not put fragments in order.

use std::ops::Range;

use super::bidi;
use super::piece::{Piece, Turn};

// All in ems of the larger of two neighbours, so that a superscript stays on its line.

/// From this gap on, a space was meant: fonts' own spaces are a quarter, kerning is less
/// than a tenth.
const SPACE_FROM: f32 = 0.15;
/// From this distance between baselines on, it is another line: sub- and superscripts stay
/// below, the tightest leading is above.
const LINE_FROM: f32 = 0.5;
/// A step back of more than this behind the start of the last glyph starts another line, or
/// another column; a smaller one is an accent or an overprint.
const BACK_FROM: f32 = 0.5;
/// A gap of more than this may be one between columns or cells.
pub(super) const CELL_FROM: f32 = 0.9;
/// The same where spaces were drawn in the gap: a few of them are one wide space.
const SPACED_CELL_FROM: f32 = 2.0;

/// Pieces side by side.
#[derive(Clone, Debug)]
pub(super) struct Fragment {
    /// Its pieces; in order from left to right if it has any letter that reads leftwards.
    pub pieces: Range<usize>,
    pub turn: Turn,
    pub left: f32,
    pub right: f32,
    pub baseline: f32,
    pub em: f32,
    pub characters: usize,
    /// Whether letters in it read from right to left.
    pub leftwards: bool,
}

impl Fragment {
    fn start(at: usize, piece: &Piece) -> Self {
        Self {
            pieces: at..at,
            turn: piece.turn,
            left: f32::INFINITY,
            right: f32::NEG_INFINITY,
            baseline: piece.baseline,
            em: 0.0,
            characters: 0,
            leftwards: false,
        }
    }

    fn add(&mut self, piece: &Piece, text: &str) {
        self.pieces.end += 1;
        if is_space(text) {
            return;
        }
        self.left = self.left.min(piece.left);
        self.right = self.right.max(piece.right);
        // The largest letters say where the line is.
        if piece.em > self.em {
            (self.em, self.baseline) = (piece.em, piece.baseline);
        }
        self.characters += 1;
        self.leftwards |= bidi::reads_leftwards(text);
    }

    pub(super) fn width(&self) -> f32 {
        self.right - self.left
    }

    pub(super) fn is_beside(&self, other: &Self) -> bool {
        let em = self.em.min(other.em).max(self.em.max(other.em) * 0.5);
        self.turn == other.turn && (self.baseline - other.baseline).abs() < LINE_FROM * em
    }
}

pub(super) fn is_space(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

/// Whether the gap between neighbours, the left one first, means a space.
pub(super) fn is_word_gap(left: &Piece, right: &Piece) -> bool {
    right.left - left.right > SPACE_FROM * left.em.max(right.em)
}

/// Gather pieces into fragments, in the order of drawing.
pub(super) fn gather(pieces: &mut [Piece], characters: &str) -> Vec<Fragment> {
    let mut fragments: Vec<Fragment> = Vec::new();
    let mut open: Option<Fragment> = None;
    for (at, piece) in pieces.iter().enumerate() {
        let text = piece.text(characters);
        let last = at.checked_sub(1).and_then(|before| pieces.get(before));
        if let (Some(fragment), Some(last)) = (&open, last)
            && !continues(fragment, last, piece, text)
        {
            fragments.extend(open.take().filter(|fragment| fragment.characters > 0));
        }
        open.get_or_insert_with(|| Fragment::start(at, piece))
            .add(piece, text);
    }
    fragments.extend(open.filter(|fragment| fragment.characters > 0));
    for fragment in fragments.iter().filter(|fragment| fragment.leftwards) {
        if let Some(pieces) = pieces.get_mut(fragment.pieces.clone()) {
            pieces.sort_by(|a, b| middle(a).total_cmp(&middle(b)));
        }
    }
    fragments
}

fn middle(piece: &Piece) -> f32 {
    piece.left + piece.right
}

fn continues(fragment: &Fragment, last: &Piece, next: &Piece, text: &str) -> bool {
    let em = last.em.max(next.em);
    if next.turn != last.turn || (next.baseline - last.baseline).abs() > LINE_FROM * em {
        return false;
    }
    // To the left of what is there, as scripts that read leftwards are drawn.
    if next.right <= last.left + 0.3 * em
        && (fragment.leftwards || bidi::reads_leftwards(text))
        && last.left - next.right < CELL_FROM * em
    {
        return true;
    }
    let gap = next.left - last.right;
    let ink = next.left - fragment.right;
    let spaced = ink > gap + 0.05 * em;
    next.left > last.left - BACK_FROM * em
        && gap < CELL_FROM * em
        && !(spaced && ink > SPACED_CELL_FROM * em && !is_space(text))
}
