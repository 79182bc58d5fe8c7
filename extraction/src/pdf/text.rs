//! The text layer of a page: listens to the page being interpreted and hands its glyphs, as
//! Unicode and with their places, to the line builder. This module owns what each glyph reads
//! as and that nothing is said twice; it must not decide where lines end.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use hayro_cmap::{BfString, WritingMode};
use hayro_interpret::font::{Glyph, GlyphRun, PositionedGlyph};
use hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps,
    InterpreterCache, InterpreterSettings, SoftMask, interpret_page,
};
use hayro_syntax::object::Dict;
use hayro_syntax::page::Page;
use kurbo::{Affine, BezPath, Point, Rect, Vec2};

use super::lines::{Lines, Placement};
use super::marked::{MarkedContent, Reads};
use crate::text::clean;

/// Units of glyph space in an em.
const EM: f64 = 1000.0;

/// What one page says.
pub(super) struct PageText {
    pub text: String,
    /// Characters found, which may be more than `text` holds once the room ran out.
    pub characters: usize,
    pub glyphs: usize,
    /// Glyphs that show something but map to no character; U+FFFD in `text`.
    pub unmapped: usize,
    /// Whether the page draws something beside text.
    pub draws_more: bool,
}

/// Read the text of a page, keeping at most about `room` characters.
pub(super) fn read<'a>(page: &Page<'a>, cache: &InterpreterCache<'a>, room: usize) -> PageText {
    let area = page.intersected_crop_box();
    // A little larger than the page, so that a clip to the whole page changes nothing.
    let area = Rect::new(area.x0, area.y0, area.x1, area.y1).inflate(1.0, 1.0);
    let mut context = Context::new(
        Affine::IDENTITY,
        area,
        cache,
        page.xref(),
        InterpreterSettings::default(),
    );
    let mut listener = Listener {
        room,
        ..Listener::default()
    };
    interpret_page(page, &mut context, &mut listener);
    PageText {
        text: clean(&listener.lines.finish()),
        characters: listener.characters,
        glyphs: listener.glyphs,
        unmapped: listener.unmapped,
        draws_more: listener.draws_more,
    }
}

#[derive(Default)]
struct Listener {
    lines: Lines,
    marked: MarkedContent,
    shown: Shown,
    room: usize,
    characters: usize,
    glyphs: usize,
    unmapped: usize,
    draws_more: bool,
}

impl Listener {
    fn glyph(&mut self, glyph: &PositionedGlyph<'_>, placement: Placement) {
        self.glyphs += 1;
        match self.marked.next_glyph() {
            Reads::As(text) => self.push(&text, placement),
            Reads::Nothing => self.push("", placement),
            Reads::Itself => match glyph.as_unicode() {
                Some(BfString::Char(character)) => {
                    self.push(character.encode_utf8(&mut [0; 4]), placement);
                }
                Some(BfString::String(text)) => self.push(&text, placement),
                None if is_blank(glyph) => self.push(" ", placement),
                None => {
                    self.unmapped += 1;
                    self.push("\u{FFFD}", placement);
                }
            },
        }
    }

    fn push(&mut self, text: &str, placement: Placement) {
        self.characters = self.characters.saturating_add(text.chars().count());
        // Beyond the room only the count goes on, which the caller refuses the document for.
        if self.characters <= self.room {
            self.lines.push(text, placement);
        }
    }
}

impl<'a> Device<'a> for Listener {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, _: &DrawMode) {
        let vertical = matches!(run.writing_mode(), WritingMode::Vertical);
        let placed = |glyph| placement(glyph, props.transform, vertical);
        let Some(first) = run.glyphs().first().map(placed) else {
            return;
        };
        if self.shown.is_repeat(run, &first) {
            return;
        }
        for glyph in run.glyphs() {
            self.glyph(glyph, placed(glyph));
        }
    }

    fn begin_marked_content(&mut self, _: &[u8], properties: Option<&Dict<'_>>) {
        self.marked.begin(properties);
    }

    fn end_marked_content(&mut self) {
        self.marked.end();
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {
        self.draws_more = true;
    }

    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {
        self.draws_more = true;
    }

    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn pop_clip(&mut self) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn pop_transparency_group(&mut self) {}
}

fn placement(glyph: &PositionedGlyph<'_>, page: Affine, vertical: bool) -> Placement {
    let transform = page * glyph.transform();
    let origin = transform * Point::ZERO;
    let across = (transform * Point::new(EM, 0.0)) - origin;
    let down = (transform * Point::new(0.0, -EM)) - origin;
    let along = if vertical { down } else { across };
    let length = along.hypot();
    let advance = match advance_width(glyph) {
        Some(width) if !vertical => f64::from(width) / EM,
        _ => 1.0,
    };
    Placement {
        origin,
        direction: if length > 0.0 {
            along / length
        } else {
            Vec2::new(1.0, 0.0)
        },
        em: down.hypot(),
        advance: advance * length,
    }
}

fn advance_width(glyph: &Glyph<'_>) -> Option<f32> {
    match glyph {
        Glyph::Outline(outline) => outline.advance_width(),
        Glyph::Type3(drawn) => drawn.advance_width(),
    }
}

/// Fonts have glyphs that only make room, and producers seldom map them.
fn is_blank(glyph: &Glyph<'_>) -> bool {
    match glyph {
        Glyph::Outline(outline) => outline.outline().elements().is_empty(),
        Glyph::Type3(_) => false,
    }
}

fn reads_as_space(glyph: &Glyph<'_>) -> bool {
    matches!(glyph.as_unicode(), Some(BfString::Char(character)) if character.is_whitespace())
}

/// Runs shown lately, by what they show. Text is drawn again in the same place to fill and
/// then stroke it, to make it bold and to give it a shadow; it was said once.
#[derive(Default)]
struct Shown(HashMap<u64, VecDeque<Point>>);

/// Places remembered for each different run; the repeat follows closely.
const PLACES_REMEMBERED: usize = 16;

/// How far from the first a repeat is drawn at most, in ems. The narrowest letter that can
/// stand twice in a row is wider.
const REPEAT_WITHIN: f64 = 0.12;

impl Shown {
    fn is_repeat(&mut self, run: &GlyphRun<'_, '_>, first: &Placement) -> bool {
        // Joiners are drawn with the glyph of the space, right where a space may follow.
        if run.glyphs().iter().all(|glyph| reads_as_space(glyph)) {
            return false;
        }
        let mut hasher = DefaultHasher::new();
        for glyph in run.glyphs() {
            glyph.char_code().hash(&mut hasher);
            // Tells fonts apart whose subsets use the same codes.
            advance_width(glyph).map(f32::to_bits).hash(&mut hasher);
        }
        let places = self.0.entry(hasher.finish()).or_default();
        let repeated = places
            .iter()
            .any(|place| place.distance(first.origin) < REPEAT_WITHIN * first.em);
        if !repeated {
            if places.len() == PLACES_REMEMBERED {
                places.pop_front();
            }
            places.push_back(first.origin);
        }
        repeated
    }
}
