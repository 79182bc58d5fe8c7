//! Listens to a page being interpreted and notes its glyphs: as what they read, where they
//! stand, and each once. This module owns what a glyph reads as and whether it is seen; it
//! must not decide where words and lines end.

use hayro_cmap::{BfString, WritingMode};
use hayro_interpret::font::{Glyph, GlyphRun, PositionedGlyph};
use hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps,
    InterpreterCache, InterpreterSettings, RenderContent, SoftMask, TransformExt, interpret_page,
};
use hayro_syntax::object::Dict;
use hayro_syntax::object::dict::keys::ANNOTS;
use hayro_syntax::page::Page;
use kurbo::{BezPath, Point, Rect, Vec2};

use super::budget::{Budget, Spent, within};
use super::characters::Unmapped;
use super::clip::{Clips, Pictures};
use super::ink::Ink;
use super::marked::{MarkedContent, Reads};
use super::notes;
use super::piece::Piece;
use super::place::Place;
use super::shown::Shown;

/// Glyphs, lines, shapes, pictures and clips that one page may draw, those of the forms in it
/// included, however often they are drawn.
pub(super) const STEPS_AT_MOST: usize = 5_000_000;

/// Steps that a clip is worth. Each form is clipped, and takes that much longer than a glyph.
const STEPS_OF_A_CLIP: usize = 20;

/// The height of letters in a field that does not draw its value, in points.
const FIELD_EM: f64 = 12.0;

/// What one page draws.
#[derive(Default)]
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
    /// The first piece that annotations draw or say, which come last but belong anywhere.
    pub annotated_from: usize,
    /// The comments behind marks.
    pub comments: Vec<String>,
    /// Characters in `characters`; more than there was room for if there were more.
    pub count: usize,
}

/// Note the glyphs of a page, stopping at more than `room` characters.
///
/// # Errors
///
/// [`Spent`] when the page draws more than [`STEPS_AT_MOST`].
pub(super) fn read<'a>(
    page: &Page<'a>,
    cache: &InterpreterCache<'a>,
    room: usize,
) -> Result<PageGlyphs, Spent> {
    let (width, height) = page.render_dimensions();
    // A little larger than the page, so that a clip to the whole page changes nothing.
    let area = Rect::new(0.0, 0.0, width.into(), height.into()).inflate(1.0, 1.0);
    let mut listener = Listener {
        clips: Clips::new(area),
        room,
        pictures: Pictures::default(),
        ink: Ink::default(),
        budget: Budget::new(STEPS_AT_MOST),
        marked: MarkedContent::default(),
        shown: Shown::of_a_page(),
        shown_without_ink: Shown::default(),
        mapper: Unmapped::default(),
        found: PageGlyphs::default(),
    };
    let interpreted = |part: RenderContent, listener: &mut Listener| {
        let settings = InterpreterSettings {
            render_content: part,
            ..InterpreterSettings::default()
        };
        let shown = page.initial_transform(true).to_kurbo();
        let mut context = Context::new(shown, area, cache, page.xref(), settings);
        interpret_page(page, &mut context, listener);
    };
    within(|| interpreted(RenderContent::PAGE, &mut listener))?;
    listener.found.annotated_from = listener.found.pieces.len();
    if page.raw().contains_key(ANNOTS) {
        listener.marked = MarkedContent::default();
        within(|| interpreted(RenderContent::ANNOTATIONS, &mut listener))?;
        let notes = notes::read(page);
        for (area, text) in &notes.placed {
            listener.place(*area, text);
        }
        listener.found.comments = notes.comments;
    }
    Ok(listener.finish())
}

struct Listener {
    clips: Clips,
    pictures: Pictures,
    ink: Ink,
    budget: Budget,
    marked: MarkedContent,
    shown: Shown,
    shown_without_ink: Shown,
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
        if self.is_repeat(glyph, place, invisible) && !reads_as_space(glyph) {
            return;
        }
        self.found.glyphs += 1;
        if self.found.count > self.room {
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
        let mut piece = place.piece(from, self.found.characters.len(), invisible);
        let text = piece.text(&self.found.characters);
        self.found.count += text.chars().count();
        if text.chars().all(is_joiner) {
            piece.right = piece.left;
        }
        if piece.is_placed() {
            self.found.pieces.push(piece);
        }
    }

    /// What is drawn without ink repeats what was drawn with it, but not the other way round.
    fn is_repeat(&mut self, glyph: &Glyph<'_>, place: &Place, invisible: bool) -> bool {
        let (shows, em) = (fingerprint(glyph, place), place.em());
        if invisible {
            self.shown.holds(shows, place.origin, em)
                || self.shown_without_ink.is_repeat(shows, place.origin, em)
        } else {
            self.shown.is_repeat(shows, place.origin, em)
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

    /// Place text that the page does not draw, a line below the other.
    fn place(&mut self, area: Rect, text: &str) {
        let lines = text.lines().count().max(1);
        let height = area.height() / lines as f64;
        for (at, line) in text.lines().enumerate() {
            let from = self.found.characters.len();
            if self.found.count > self.room {
                return;
            }
            self.found.count += line.chars().count();
            self.found.characters.push_str(line);
            let place = Place {
                origin: Point::new(area.x0, area.y0 + height * (at as f64 + 0.8)),
                along: Vec2::new(area.width(), 0.0),
                up: Vec2::new(0.0, -height.min(FIELD_EM)),
                advance: None,
            };
            let piece = place.piece(from, self.found.characters.len(), false);
            if piece.is_placed() {
                self.found.pieces.push(piece);
            }
        }
    }

    /// Invisible text is what was recognised in a scan when it lies over a picture, or when the
    /// page has no other text and draws its letters as shapes.
    fn finish(mut self) -> PageGlyphs {
        let found = &mut self.found;
        let all_invisible = found.pieces.iter().all(|piece| piece.invisible);
        let keeps_all = all_invisible && found.draws_more;
        let annotated = found
            .pieces
            .split_off(found.annotated_from.min(found.pieces.len()));
        let pictures = &self.pictures;
        let over_picture = |piece: &Piece| {
            let [x, y, width, height] = piece.shown_box();
            pictures.are_under(Point::new(
                (x + width / 2.0).into(),
                (y + height / 2.0).into(),
            ))
        };
        found
            .pieces
            .retain(|piece| !piece.invisible || keeps_all || over_picture(piece));
        found.annotated_from = found.pieces.len();
        found.pieces.extend(annotated);
        self.found
    }
}

impl<'a> Device<'a> for Listener {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, mode: &DrawMode) {
        self.budget.spend(1 + run.glyphs().len());
        let vertical = matches!(run.writing_mode(), WritingMode::Vertical);
        let invisible = matches!(mode, DrawMode::Invisible) || !self.ink.shows(&props);
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
        self.budget.spend(1);
        self.found.draws_more = true;
    }

    fn draw_rect(&mut self, _: &Rect, _: DrawProps<'a>, _: &DrawMode) {
        self.budget.spend(1);
        self.found.draws_more = true;
    }

    fn draw_image(&mut self, image: Image<'a, '_>, props: ImageDrawProps<'a>) {
        self.budget.spend(1);
        self.found.draws_more = true;
        // Images are drawn from pixels, at a scale of their own.
        let size = Rect::new(0.0, 0.0, image.width().into(), image.height().into());
        self.pictures.add(props.transform.transform_rect_bbox(size));
    }

    fn push_clip_path(&mut self, clip: &ClipPath) {
        self.budget.spend(STEPS_OF_A_CLIP);
        self.clips.push_path(&clip.path);
    }

    fn push_clip_rect(&mut self, area: &Rect) {
        self.budget.spend(STEPS_OF_A_CLIP);
        self.clips.push(*area);
    }

    fn pop_clip(&mut self) {
        self.clips.pop();
    }

    fn push_transparency_group(&mut self, opacity: f32, mask: Option<SoftMask<'a>>, _: BlendMode) {
        self.ink.push_group(opacity, mask.as_ref());
    }

    fn pop_transparency_group(&mut self) {
        self.ink.pop_group();
    }
}

/// What a glyph shows, for telling repeats. Its width tells fonts apart whose subsets use the
/// same codes.
fn fingerprint(glyph: &Glyph<'_>, place: &Place) -> u64 {
    let width = place.advance.map_or(0, f32::to_bits);
    (u64::from(width) << 32) | u64::from(glyph.char_code())
}

fn reads_as_space(glyph: &Glyph<'_>) -> bool {
    matches!(glyph.as_unicode(), Some(BfString::Char(character)) if character.is_whitespace())
}

/// Joiners take no room, whichever glyph they are drawn with.
fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}')
}
