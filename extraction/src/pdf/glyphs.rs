//! Listens to a page being interpreted and notes its glyphs: as what they read, where they
//! stand, and each once. This module owns what a glyph reads as and whether it is seen; it
//! must not decide where words and lines end.

use hayro_cmap::{BfString, WritingMode};
use hayro_interpret::font::{Glyph, GlyphRun, PositionedGlyph};
use hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps,
    InterpreterCache, InterpreterSettings, SoftMask, TransformExt, interpret_page,
};
use hayro_syntax::object::Dict;
use hayro_syntax::page::Page;
use kurbo::{Affine, BezPath, Point, Rect, Vec2};

use super::characters::Unmapped;
use super::clip::{Clips, Pictures};
use super::marked::{MarkedContent, Reads};
use super::piece::{Piece, Turn};
use super::shown::Shown;

/// Units of glyph space in an em.
const EM: f64 = 1000.0;

/// What one page draws.
pub(super) struct PageGlyphs {
    /// The text of all pieces.
    pub characters: String,
    /// In the order of drawing; only what can be seen, and what lies unseen over a picture.
    pub pieces: Vec<Piece>,
    pub glyphs: usize,
    /// Glyphs that show something but map to no character; U+FFFD in the text.
    pub unmapped: usize,
    /// Whether the page draws something beside text.
    pub draws_more: bool,
}

/// Note the glyphs of a page, keeping at most about `room` characters; beyond it they are only
/// counted in `glyphs`.
pub(super) fn read<'a>(page: &Page<'a>, cache: &InterpreterCache<'a>, room: usize) -> PageGlyphs {
    let (width, height) = page.render_dimensions();
    // A little larger than the page, so that a clip to the whole page changes nothing.
    let area = Rect::new(0.0, 0.0, width.into(), height.into()).inflate(1.0, 1.0);
    let mut context = Context::new(
        page.initial_transform(true).to_kurbo(),
        area,
        cache,
        page.xref(),
        InterpreterSettings::default(),
    );
    let mut listener = Listener {
        clips: Clips::new(area),
        room,
        pictures: Pictures::default(),
        marked: MarkedContent::default(),
        shown: Shown::default(),
        mapper: Unmapped::default(),
        found: PageGlyphs {
            characters: String::new(),
            pieces: Vec::new(),
            glyphs: 0,
            unmapped: 0,
            draws_more: false,
        },
    };
    interpret_page(page, &mut context, &mut listener);
    listener.finish()
}

struct Listener {
    clips: Clips,
    pictures: Pictures,
    marked: MarkedContent,
    shown: Shown,
    mapper: Unmapped,
    room: usize,
    found: PageGlyphs,
}

impl Listener {
    fn glyph(&mut self, glyph: &PositionedGlyph<'_>, place: &Place, invisible: bool) {
        let reads = self.marked.next_glyph();
        if !self.clips.shows(place.middle()) {
            return;
        }
        // Whether it is a space is asked only of what would count as a repeat: joiners are drawn
        // with the glyph of the space, right where a space may follow.
        if self
            .shown
            .is_repeat(fingerprint(glyph), place.origin, place.up.hypot())
            && !reads_as_space(glyph)
        {
            return;
        }
        self.found.glyphs += 1;
        if self.found.characters.len() >= self.room {
            return;
        }
        let from = self.found.characters.len();
        let text = &mut self.found.characters;
        match reads {
            Reads::As(replacement) => text.push_str(&replacement),
            Reads::Nothing => return self.widen(place),
            Reads::Itself => match self.mapper.read(glyph) {
                Some(BfString::Char(character)) => text.push(character),
                Some(BfString::String(characters)) => text.push_str(&characters),
                None => {
                    self.found.unmapped += usize::from(!invisible);
                    text.push(char::REPLACEMENT_CHARACTER);
                }
            },
        }
        let piece = place.piece(from, self.found.characters.len(), invisible);
        if piece.is_placed() {
            self.found.pieces.push(piece);
        }
    }

    /// A glyph whose text came with an earlier one makes that one's piece larger.
    fn widen(&mut self, place: &Place) {
        let more = place.piece(0, 0, false);
        if let Some(piece) = self.found.pieces.last_mut()
            && piece.turn == more.turn
            && more.is_placed()
            && (piece.baseline - more.baseline).abs() < piece.em
        {
            piece.left = piece.left.min(more.left);
            piece.right = piece.right.max(more.right);
        }
    }

    /// Invisible text is what was recognised in a scan when it lies over a picture, or when the
    /// page has no other text and draws its letters as shapes.
    fn finish(mut self) -> PageGlyphs {
        let found = &mut self.found;
        let all_invisible = found.pieces.iter().all(|piece| piece.invisible);
        let keeps_all = all_invisible && found.draws_more;
        found.pieces.retain(|piece| {
            let [x, y, width, height] = piece.shown_box();
            let middle = Point::new((x + width / 2.0).into(), (y + height / 2.0).into());
            !piece.invisible || keeps_all || self.pictures.are_under(middle)
        });
        self.found
    }
}

impl<'a> Device<'a> for Listener {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, mode: &DrawMode) {
        let vertical = matches!(run.writing_mode(), WritingMode::Vertical);
        let invisible = matches!(mode, DrawMode::Invisible);
        for glyph in run.glyphs() {
            self.glyph(
                glyph,
                &Place::of(glyph, props.transform, vertical),
                invisible,
            );
        }
    }

    fn begin_marked_content(&mut self, _: &[u8], properties: Option<&Dict<'_>>) {
        self.marked.begin(properties);
    }

    fn end_marked_content(&mut self) {
        self.marked.end();
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {
        self.found.draws_more = true;
    }

    fn draw_rect(&mut self, _: &Rect, _: DrawProps<'a>, _: &DrawMode) {
        self.found.draws_more = true;
    }

    fn draw_image(&mut self, image: Image<'a, '_>, props: ImageDrawProps<'a>) {
        self.found.draws_more = true;
        // Images are drawn from pixels, at a scale of their own.
        let size = Rect::new(0.0, 0.0, image.width().into(), image.height().into());
        self.pictures.add(props.transform.transform_rect_bbox(size));
    }

    fn push_clip_path(&mut self, clip: &ClipPath) {
        self.clips.push_path(&clip.path);
    }

    fn push_clip_rect(&mut self, area: &Rect) {
        self.clips.push(*area);
    }

    fn pop_clip(&mut self) {
        self.clips.pop();
    }

    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn pop_transparency_group(&mut self) {}
}

/// Where a glyph stands on the page as shown.
struct Place {
    origin: Point,
    /// From its beginning to its end.
    along: Vec2,
    /// From the baseline up, by an em.
    up: Vec2,
}

impl Place {
    fn of(glyph: &PositionedGlyph<'_>, page: Affine, vertical: bool) -> Self {
        let [a, b, c, d, e, f] = (page * glyph.transform()).as_coeffs();
        let across = Vec2::new(a, b) * EM;
        let up = Vec2::new(c, d) * EM;
        let origin = Point::new(e, f);
        if vertical {
            // Glyphs of vertical writing have their origin at the lower left all the same.
            return Self {
                origin: origin + up,
                along: -up,
                up: across,
            };
        }
        Self {
            origin,
            along: across * (advance_width(glyph).map_or(1.0, f64::from) / EM),
            up,
        }
    }

    fn middle(&self) -> Point {
        self.origin + self.along * 0.5 + self.up * 0.3
    }

    fn piece(&self, from: usize, to: usize, invisible: bool) -> Piece {
        let em = self.up.hypot();
        // Text that is mirrored, or has no width, still reads the way that its em stands.
        let turn = match self.along.hypot() > 0.0 {
            true => Turn::of(self.along),
            false => Turn::of(Vec2::new(-self.up.y, self.up.x)),
        };
        let start = turn.straighten(self.origin);
        Piece {
            from: u32::try_from(from).unwrap_or(u32::MAX),
            to: u32::try_from(to).unwrap_or(u32::MAX),
            turn,
            left: start.x as f32,
            right: (start.x + self.along.hypot()) as f32,
            baseline: start.y as f32,
            em: em as f32,
            invisible,
        }
    }
}

pub(super) fn advance_width(glyph: &Glyph<'_>) -> Option<f32> {
    match glyph {
        Glyph::Outline(outline) => outline.advance_width(),
        Glyph::Type3(drawn) => drawn.advance_width(),
    }
}

/// What a glyph shows, for telling repeats. Its width tells fonts apart whose subsets use the
/// same codes.
fn fingerprint(glyph: &Glyph<'_>) -> u64 {
    let width = advance_width(glyph).map_or(0, f32::to_bits);
    (u64::from(width) << 32) | u64::from(glyph.char_code())
}

fn reads_as_space(glyph: &Glyph<'_>) -> bool {
    matches!(glyph.as_unicode(), Some(BfString::Char(character)) if character.is_whitespace())
}
