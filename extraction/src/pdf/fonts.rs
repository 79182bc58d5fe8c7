//! The fonts of a document, each loaded once, and what each of their codes reads as and how far
//! it moves on, found out once for each code. This module owns what a code means; it must not
//! know where glyphs stand.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use hayro_cmap::BfString;
use hayro_font::{CMapResolverFn, FontCache, FontGlyph, FontQuery, FontResolverFn, StandardFont};
use hayro_syntax::object::dict::keys::{SUBTYPE, TYPE0};
use hayro_syntax::object::{Dict, Name};
use kurbo::BezPath;

use super::characters::Unmapped;
use super::codes::{Code, Codes};
use super::known::Known;

/// The fonts of a document.
pub(super) struct Fonts<'a> {
    cache: FontCache<'a>,
    resolver: FontResolverFn,
    cmaps: CMapResolverFn,
    /// By the place of their dictionary.
    loaded: RefCell<Known<Option<Rc<Font<'a>>>>>,
    fallback: OnceCell<Option<Rc<Font<'a>>>>,
    unmapped: Rc<RefCell<Unmapped>>,
}

impl<'a> Fonts<'a> {
    pub(super) fn new() -> Self {
        Self {
            cache: FontCache::new(),
            resolver: Arc::new(|query| match query {
                FontQuery::Standard(font) => Some(font.get_font_data()),
                FontQuery::Fallback(query) => Some(query.pick_standard_font().get_font_data()),
            }),
            cmaps: Arc::new(hayro_cmap::load_embedded),
            loaded: RefCell::default(),
            fallback: OnceCell::new(),
            unmapped: Rc::default(),
        }
    }

    /// The font of a dictionary, or the one in place of those that cannot be loaded.
    pub(super) fn font(&self, dictionary: &Dict<'a>) -> Option<Rc<Font<'a>>> {
        if let Some(font) = self.loaded.borrow().get(dictionary) {
            return font.clone().or_else(|| self.fallback());
        }
        let kind = dictionary.get::<Name<'_>>(SUBTYPE);
        let is_simple = kind.is_none_or(|kind| kind.as_ref() != TYPE0);
        let font = self
            .cache
            .font(dictionary, &self.resolver, &self.cmaps)
            .map(|font| Rc::new(Font::new(font, is_simple, self.unmapped.clone())));
        self.loaded.borrow_mut().insert(dictionary, font.clone());
        font.or_else(|| self.fallback())
    }

    /// The font for text whose own is missing, as other readers take it.
    pub(super) fn fallback(&self) -> Option<Rc<Font<'a>>> {
        let load = || {
            let font = self
                .cache
                .standard_font(StandardFont::Helvetica, &self.resolver)?;
            let font = Font::new(font, true, self.unmapped.clone());
            Some(Rc::new(Font {
                is_fallback: true,
                ..font
            }))
        };
        self.fallback.get_or_init(load).clone()
    }
}

/// A font, and what is known of its codes.
pub(super) struct Font<'a> {
    font: hayro_font::Font<'a>,
    /// Whether each byte is a code.
    is_simple: bool,
    is_fallback: bool,
    pub vertical: bool,
    codes: RefCell<Codes>,
    unmapped: Rc<RefCell<Unmapped>>,
}

impl<'a> Font<'a> {
    fn new(font: hayro_font::Font<'a>, is_simple: bool, unmapped: Rc<RefCell<Unmapped>>) -> Self {
        Self {
            vertical: !font.is_horizontal(),
            font,
            is_simple,
            is_fallback: false,
            codes: RefCell::default(),
            unmapped,
        }
    }

    /// Whether the text is to be shown: in place of a missing font, only what is plain text.
    pub(super) fn shows(&self, text: &[u8]) -> bool {
        !self.is_fallback || text.is_ascii()
    }

    /// Go through the codes of a text, in order.
    pub(super) fn decode<E>(
        &self,
        text: &[u8],
        mut each: impl FnMut(&Code) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut codes = self.codes.borrow_mut();
        let mut rest = text;
        while !rest.is_empty() {
            let taken = match codes.get(rest) {
                Some(code) => {
                    each(code)?;
                    code.length
                }
                None => {
                    let code = self.code(rest);
                    each(&code)?;
                    if self.depends_on_itself_alone(&code, rest) {
                        codes.add(rest, &code);
                    }
                    code.length
                }
            };
            rest = rest.get(taken.max(1)..).unwrap_or_default();
        }
        Ok(())
    }

    /// Whether what was read is the same whatever follows. A byte that begins no code is skipped
    /// as code 0, which depends on the bytes after it.
    fn depends_on_itself_alone(&self, code: &Code, text: &[u8]) -> bool {
        self.is_simple
            || code.length > 1
            || (code.code != 0 && text.first().map(|b| u32::from(*b)) == Some(code.code))
    }

    /// Find out about the code that a text begins with.
    fn code(&self, text: &[u8]) -> Code {
        let (code, length) = self.font.read_code(text, 0);
        let id = self.font.map_code(code);
        let glyph = self.font.glyph(id, code);
        let moves = self.font.code_advance(code);
        let stated = match &glyph {
            FontGlyph::Outline(outline) => outline.as_unicode(),
            FontGlyph::Type3(drawn) => drawn.as_unicode(),
        };
        Code {
            code,
            length,
            is_space: matches!(&stated, Some(BfString::Char(character)) if character.is_whitespace()),
            reads: self.unmapped.borrow_mut().read(stated, &glyph),
            advance: match self.vertical {
                true => moves.y as f32,
                false => moves.x as f32,
            },
            width: match &glyph {
                FontGlyph::Outline(outline) => outline.advance_width(),
                FontGlyph::Type3(drawn) => Some(drawn.advance_width()),
            },
            displacement: self.font.origin_displacement(code),
            stretch: self.font.glyph_stretch(id, code),
        }
    }

    /// The shape of a code's glyph, in thousandths of an em.
    pub(super) fn outline(&self, code: &Code) -> Option<BezPath> {
        match self.font.glyph(self.font.map_code(code.code), code.code) {
            FontGlyph::Outline(outline) => Some(outline.outline()),
            FontGlyph::Type3(_) => None,
        }
    }
}
