//! The widths that composite fonts state for ranges of characters, which the interpreter writes
//! out one by one: nine digits in a file would keep it busy for hours, and fill the memory. This
//! module owns how many there may be; it must not read fonts.

use hayro_syntax::object::{Array, Dict};
use lopdf::{Dictionary, Document, Object};

use crate::error::ExtractError;

/// The keys of widths, and how many numbers follow the first and the last character of a range
/// (ISO 32000-2, 9.7.4.3).
const KEYS: [(&str, usize); 2] = [("W", 1), ("W2", 3)];

/// Characters in a range, at most: there are no more in a font.
const RANGE_AT_MOST: u64 = 1 << 16;

/// Characters in all ranges of a document, at most; some 16 bytes of memory each.
const ALL_AT_MOST: u64 = 1 << 22;

/// Counts the characters in the ranges of a document.
#[derive(Default)]
pub(super) struct Widths {
    all: u64,
    beyond: bool,
}

impl Widths {
    /// Note what a dictionary says, if it is one of a font.
    pub(super) fn note(&mut self, dictionary: &Dictionary, document: &Document) {
        for (key, numbers) in KEYS {
            let array = dictionary.get_deref(key.as_bytes(), document);
            if let Ok(Object::Array(items)) = array {
                self.note_array(items, numbers, document);
            }
        }
    }

    fn note_array(&mut self, items: &[Object], numbers: usize, document: &Document) {
        let item = |at: usize| Some(document.dereference(items.get(at)?).ok()?.1);
        let number = |at: usize| item(at).and_then(|item| item.as_float().ok());
        let mut at = 0;
        while let (Some(first), Some(next)) = (number(at), item(at + 1)) {
            if matches!(next, Object::Array(_)) {
                at += 2;
                continue;
            }
            let Some(last) = number(at + 1) else { return };
            self.range(first.max(0.0) as u64, last.max(0.0) as u64);
            at += 2 + numbers;
        }
    }

    /// The same for a dictionary as the interpreter sees it, and read as it reads.
    pub(super) fn note_seen(&mut self, dictionary: &Dict<'_>) {
        if let Some(array) = dictionary.get::<Array<'_>>("W") {
            let mut items = array.flex_iter();
            loop {
                // Widths one by one are as many as the file writes out.
                if items.next::<(u32, Array<'_>)>().is_some() {
                    continue;
                }
                let Some((first, last, _)) = items.next::<(u32, u32, f32)>() else {
                    break;
                };
                self.range(first.into(), last.into());
            }
        }
        if let Some(array) = dictionary.get::<Array<'_>>("W2") {
            let mut items = array.flex_iter();
            loop {
                if items.next::<(u32, Array<'_>)>().is_some() {
                    continue;
                }
                let range = items.next::<(u32, u32, f32, f32, f32)>();
                let Some((first, last, ..)) = range else {
                    break;
                };
                self.range(first.into(), last.into());
            }
        }
    }

    fn range(&mut self, first: u64, last: u64) {
        let characters = last.saturating_add(1).saturating_sub(first);
        self.all = self.all.saturating_add(characters);
        self.beyond |= characters > RANGE_AT_MOST || self.all > ALL_AT_MOST;
    }

    /// Refuse a document that has too many.
    pub(super) fn check(&self) -> Result<(), ExtractError> {
        match self.beyond {
            true => Err(ExtractError::damaged(
                "a font in it states the widths of more characters than a font can have",
            )),
            false => Ok(()),
        }
    }
}
