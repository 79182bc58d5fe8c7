//! Listens to a page being interpreted and notes its glyphs: as what they read, where they
//! stand, and each once. This module owns what a glyph reads as and whether it is seen; it
//! must not decide where words and lines end.

use hayro_cmap::BfString;
use hayro_syntax::object::Dict;
use hayro_syntax::object::dict::keys::ANNOTS;
use hayro_syntax::page::Page;
use kurbo::{Affine, Point, Rect};

use super::budget::{Budget, Spent};
use super::clip::Pictures;
use super::codes::Code;
use super::fonts::Fonts;
use super::interpret::{Canvas, Ink, Interpreter};
use super::layers::{Hidden, Layers};
use super::marked::{MarkedContent, Reads};
use super::notes;
use super::piece::Piece;
use super::place::Place;
use super::shown::Shown;
use super::state::State;

/// Glyphs, lines, shapes, pictures and clips that one page may draw, those of the forms in it
/// included, however often they are drawn.
pub(super) const STEPS_AT_MOST: usize = 5_000_000;

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
    fonts: &Fonts<'a>,
    hidden: &Hidden,
    room: usize,
) -> Result<PageGlyphs, Spent> {
    let (width, height) = page.render_dimensions();
    // A little larger than the page, so that a clip to the whole page changes nothing.
    let area = Rect::new(0.0, 0.0, width.into(), height.into()).inflate(1.0, 1.0);
    let shown = Affine::new(page.initial_transform(true).as_coeffs());
    let mut listener = Listener {
        room,
        ..Listener::default()
    };
    let mut interpreter = Interpreter::new(
        fonts,
        Layers::new(hidden.clone()),
        Budget::new(STEPS_AT_MOST),
        State::new(shown, area),
        &mut listener,
    );
    let content = page.page_stream().unwrap_or_default();
    interpreter.content(content, page.resources())?;
    let annotated_from = interpreter.canvas.found.pieces.len();
    let annotated = page.raw().contains_key(ANNOTS);
    if annotated {
        interpreter.canvas.marked = MarkedContent::default();
        interpreter.annotations(page)?;
    }
    listener.found.annotated_from = annotated_from;
    if annotated {
        let notes = notes::read(page);
        for (area, text) in &notes.placed {
            listener.place(*area, text);
        }
        listener.found.comments = notes.comments;
    }
    Ok(listener.finish())
}

#[derive(Default)]
struct Listener {
    pictures: Pictures,
    marked: MarkedContent,
    shown: Shown,
    shown_without_ink: Shown,
    room: usize,
    found: PageGlyphs,
}

impl Listener {
    fn note(&mut self, code: &Code, place: &Place, clip: Rect, invisible: bool) {
        let reads = self.marked.next_glyph();
        if !clip.contains(place.middle()) {
            return;
        }
        // Whether it is a space is asked only of what would count as a repeat: joiners are drawn
        // with the glyph of the space, right where a space may follow.
        if self.is_repeat(code, place, invisible) && !code.is_space {
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
            Reads::Itself => match &code.reads {
                Some(BfString::Char(character)) => text.push(*character),
                Some(BfString::String(characters)) => text.push_str(characters),
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
    fn is_repeat(&mut self, code: &Code, place: &Place, invisible: bool) -> bool {
        let (shows, em) = (code.fingerprint(), place.em());
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
            let baseline = area.y0 + height * (at as f64 + 0.8);
            let place = Place::line(
                Point::new(area.x0, baseline),
                area.width(),
                height.min(FIELD_EM),
            );
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

impl Canvas for Listener {
    const LOOKS_INTO_MASKS: bool = true;

    fn glyph(&mut self, code: &Code, place: &Place, clip: Rect, ink: Ink) {
        self.note(code, place, clip, !ink.shows);
    }

    fn shape(&mut self, _: Ink) {
        self.found.draws_more = true;
    }

    fn picture(&mut self, area: Rect) {
        self.found.draws_more = true;
        self.pictures.add(area);
    }

    fn begin_marked(&mut self, properties: Option<&Dict<'_>>) {
        self.marked.begin(properties);
    }

    fn end_marked(&mut self) {
        self.marked.end();
    }
}

/// Joiners take no room, whichever glyph they are drawn with.
fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}')
}
