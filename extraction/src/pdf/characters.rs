//! As which characters a glyph reads. This module owns the ways to find out when the file does
//! not say; it must not know where glyphs stand.

use std::collections::HashMap;

use hayro_cmap::BfString;
use hayro_font::{FontGlyph, OutlineGlyph};
use skrifa::{FontRef, MetadataProvider};

/// Characters of fonts whose own tables are looked into, at most, in one document.
const CHARACTERS_AT_MOST: usize = 1_000_000;

/// Reads glyphs, those included that the file does not map.
#[derive(Default)]
pub(super) struct Unmapped {
    /// For each font looked into, the characters of its glyphs.
    fonts: HashMap<u128, HashMap<u32, char>>,
    characters: usize,
}

impl Unmapped {
    /// What a glyph reads as, given what the file states.
    pub(super) fn read(
        &mut self,
        stated: Option<BfString>,
        glyph: &FontGlyph<'_>,
    ) -> Option<BfString> {
        match stated {
            Some(BfString::Char(character)) if says_nothing(character) => {}
            Some(BfString::String(text)) if text.chars().all(says_nothing) => {}
            Some(characters) => return Some(characters),
            None => {}
        }
        let FontGlyph::Outline(outline) = glyph else {
            return None;
        };
        self.by_font(outline).or_else(|| {
            // Fonts have glyphs that only make room, and producers seldom map them.
            let blank = outline.outline().elements().is_empty();
            blank.then_some(BfString::Char(' '))
        })
    }

    /// The font program often knows what the file does not say.
    fn by_font(&mut self, outline: &OutlineGlyph) -> Option<BfString> {
        let font = outline.font_data()?;
        if self.characters >= CHARACTERS_AT_MOST && !self.fonts.contains_key(&font.cache_key) {
            return None;
        }
        let characters = self.fonts.entry(font.cache_key).or_insert_with(|| {
            let bytes: &[u8] = (*font.data).as_ref();
            let characters = characters_of(bytes).unwrap_or_default();
            self.characters = self.characters.saturating_add(characters.len().max(1));
            characters
        });
        let character = characters.get(&outline.glyph_id().to_u32())?;
        Some(BfString::Char(*character))
    }
}

fn says_nothing(character: char) -> bool {
    character.is_control() || character == char::REPLACEMENT_CHARACTER
}

/// The characters that a font program maps to its glyphs, turned round. Of several characters
/// the lowest is kept, which is the plain one.
fn characters_of(bytes: &[u8]) -> Option<HashMap<u32, char>> {
    let font = FontRef::new(bytes).ok()?;
    let mut characters = HashMap::new();
    for (code, glyph) in font.charmap().mappings() {
        // Symbol fonts map their glyphs into the private use area, at the code.
        let code = if (0xF020..=0xF0FF).contains(&code) {
            code - 0xF000
        } else {
            code
        };
        if let Some(character) = char::from_u32(code).filter(|c| !says_nothing(*c)) {
            let kept = characters.entry(glyph.to_u32()).or_insert(character);
            *kept = (*kept).min(character);
        }
    }
    Some(characters)
}
