//! The text layer of a page, put together: glyphs to fragments, to lines in reading order, to
//! text and words. This module owns the order of these steps; each of them is a module.

use std::collections::BTreeMap;

use hayro_syntax::page::Page;

use super::budget::Spent;
use super::compose::Composition;
use super::fonts::Fonts;
use super::layers::Hidden;
use super::piece::{Piece, Turn};
use super::{fragments, glyphs, order};
use crate::Word;

/// What one page says.
pub(super) struct PageText {
    pub text: String,
    pub words: Vec<Word>,
    /// Glyphs that can be seen.
    pub glyphs: usize,
    /// Glyphs that show something but map to no character; U+FFFD in `text`.
    pub unmapped: usize,
    /// Characters of the page; more than there was room for if there were more.
    pub characters: usize,
    /// Whether the page draws something beside text.
    pub draws_more: bool,
}

/// Read the text of a page, stopping at more than `room` characters.
///
/// # Errors
///
/// [`Spent`] when the page draws more than a page may.
pub(super) fn read<'a>(
    page: &Page<'a>,
    fonts: &Fonts<'a>,
    hidden: &Hidden,
    room: usize,
) -> Result<PageText, Spent> {
    let glyphs = glyphs::read(page, fonts, hidden, room)?;
    let mut composition = Composition::default();
    let annotated = glyphs.annotated_from < glyphs.pieces.len();
    for mut pieces in by_turn(glyphs.pieces) {
        let fragments = fragments::gather(&mut pieces, &glyphs.characters);
        let lines = order::lines(&fragments, annotated);
        composition.add(&lines, &fragments, &pieces, &glyphs.characters);
    }
    glyphs
        .comments
        .iter()
        .for_each(|comment| composition.append(comment));
    let (text, words) = composition.finish();
    Ok(PageText {
        characters: match glyphs.count > room {
            true => glyphs.count,
            false => text.chars().count(),
        },
        text,
        words,
        glyphs: glyphs.glyphs,
        unmapped: glyphs.unmapped,
        draws_more: glyphs.draws_more,
    })
}

/// Pieces of each direction by themselves, those of the direction with most pieces first: a
/// rotated table is read as one, and a watermark across the page cuts no line.
fn by_turn(pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    let first = pieces.first().map(|piece| piece.turn);
    if pieces.iter().all(|piece| Some(piece.turn) == first) {
        return vec![pieces];
    }
    let mut turns: BTreeMap<Turn, Vec<Piece>> = BTreeMap::new();
    for piece in pieces {
        turns.entry(piece.turn).or_default().push(piece);
    }
    let mut turns: Vec<Vec<Piece>> = turns.into_values().collect();
    turns.sort_by_key(|pieces| std::cmp::Reverse(pieces.len()));
    turns
}
