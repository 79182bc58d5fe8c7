//! The graphics state, as much of it as decides where text stands and whether it can be seen.
//! This module owns what is saved and restored, and how text moves on; it must not draw.

use std::rc::Rc;

use kurbo::{Affine, Point, Rect};

use super::codes::Code;
use super::fonts::Font;

/// Units of glyph space in an em.
const EM: f32 = 1000.0;

/// States kept, at most. Further ones are counted, so that what closes them closes nothing else.
const SAVED_AT_MOST: usize = 1 << 16;

/// How text is shown (ISO 32000-2, 9.3.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Mode {
    #[default]
    Fill,
    Stroke,
    FillStroke,
    Invisible,
}

/// What something is painted with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    pub opacity: f32,
    /// Whether its colours are patterns, and one is chosen.
    pub space_of_patterns: bool,
    pub pattern: bool,
    /// Whether the colour is black in a space in which nothing is added to it.
    pub black: bool,
    /// Whether colours of the space that are all zero are black.
    pub zero_is_black: bool,
}

impl Default for Paint {
    fn default() -> Self {
        Self {
            opacity: 1.0,
            space_of_patterns: false,
            pattern: false,
            black: true,
            zero_is_black: true,
        }
    }
}

impl Paint {
    /// Whether it leaves anything. A pattern that is missing does not; others have parts that show.
    pub(super) fn shows(&self) -> bool {
        match (self.pattern, self.space_of_patterns) {
            (true, _) => true,
            (false, true) => false,
            (false, false) => self.opacity > 0.0,
        }
    }

    /// Whether it lights a mask that is made of lightness.
    pub(super) fn lights(&self) -> bool {
        self.shows() && (self.pattern || !self.black)
    }

    /// A colour of one of the spaces of devices.
    pub(super) fn set(&mut self, zero_is_black: bool, zero: bool) {
        *self = Self {
            opacity: self.opacity,
            space_of_patterns: false,
            pattern: false,
            black: zero_is_black && zero,
            zero_is_black,
        };
    }
}

/// How text is set.
#[derive(Clone)]
pub(super) struct Text<'a> {
    pub font: Option<Rc<Font<'a>>>,
    pub size: f32,
    pub char_space: f32,
    pub word_space: f32,
    /// In hundredths.
    pub scaling: f32,
    pub leading: f32,
    pub rise: f32,
    pub mode: Mode,
    /// Whether it is added to the clip that is set at the end of the text.
    pub clips: bool,
    pub matrix: Affine,
    pub line: Affine,
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self {
            font: None,
            size: 1.0,
            char_space: 0.0,
            word_space: 0.0,
            scaling: 100.0,
            leading: 0.0,
            rise: 0.0,
            mode: Mode::Fill,
            clips: false,
            matrix: Affine::IDENTITY,
            line: Affine::IDENTITY,
        }
    }
}

impl Text<'_> {
    fn is_vertical(&self) -> bool {
        self.font.as_ref().is_some_and(|font| font.vertical)
    }

    pub(super) fn set_matrix(&mut self, matrix: Affine) {
        (self.matrix, self.line) = (matrix, matrix);
    }

    pub(super) fn next_line(&mut self, x: f64, y: f64) {
        self.set_matrix(self.line * Affine::translate((x, y)));
    }

    /// From the space in which glyphs are an em high to that in which text is set.
    pub(super) fn glyphs(&self) -> Affine {
        let size = f64::from(self.size);
        let width = size * f64::from(self.scaling / 100.0);
        self.matrix * Affine::new([width, 0.0, 0.0, size, 0.0, f64::from(self.rise)])
    }

    /// Where glyphs begin, in the space in which text is set.
    pub(super) fn origin(&self) -> Point {
        self.matrix * Point::new(0.0, f64::from(self.rise))
    }

    /// Move on by an adjustment between two texts, in thousandths.
    pub(super) fn adjust(&mut self, by: f32) {
        let by = -by / EM * self.size;
        match self.is_vertical() {
            true => self.advance(0.0, by),
            false => self.advance(by * (self.scaling / 100.0), 0.0),
        }
    }

    /// Move on by a code.
    pub(super) fn pass(&mut self, code: &Code, vertical: bool) {
        let spaced = match code.is_single_byte_space() {
            true => self.word_space,
            false => 0.0,
        };
        let by = code.advance / EM * self.size + self.char_space + spaced;
        match vertical {
            true => self.advance(0.0, by),
            false => self.advance(by * (self.scaling / 100.0), 0.0),
        }
    }

    fn advance(&mut self, x: f32, y: f32) {
        let (x, y) = (f64::from(x), f64::from(y));
        let [a, b, c, d, e, f] = self.matrix.as_coeffs();
        self.matrix = Affine::new([a, b, c, d, a * x + c * y + e, b * x + d * y + f]);
    }
}

/// The graphics state.
#[derive(Clone)]
pub(super) struct State<'a> {
    /// From the space of the content to the page as shown.
    pub matrix: Affine,
    /// What of the page is not clipped away.
    pub clip: Rect,
    pub fill: Paint,
    pub stroke: Paint,
    /// Whether the mask in force lets anything through.
    pub unmasked: bool,
    /// Whether anything can be seen that is drawn in the groups around.
    pub shown: bool,
    pub text: Text<'a>,
    /// The box around text that is to clip from the end of the text on.
    pub text_clip: Option<Rect>,
}

impl State<'_> {
    pub(super) fn new(matrix: Affine, clip: Rect) -> Self {
        Self {
            matrix,
            clip,
            fill: Paint::default(),
            stroke: Paint::default(),
            unmasked: true,
            shown: true,
            text: Text::default(),
            text_clip: None,
        }
    }

    /// What is drawn from here on is drawn as a group, and the group with what was in force.
    pub(super) fn begin_group(&mut self) {
        self.shown &= self.unmasked && self.fill.opacity > 0.0;
        self.unmasked = true;
        (self.fill.opacity, self.stroke.opacity) = (1.0, 1.0);
    }
}

/// States that were saved.
pub(super) struct Saved<'a> {
    states: Vec<State<'a>>,
    beyond: usize,
    /// What was saved outside of the content now drawn, which it cannot restore.
    floor: usize,
}

impl<'a> Saved<'a> {
    pub(super) fn new() -> Self {
        Self {
            states: Vec::new(),
            beyond: 0,
            floor: 0,
        }
    }

    pub(super) fn save(&mut self, state: &State<'a>) {
        match self.states.len() < SAVED_AT_MOST {
            true => self.states.push(state.clone()),
            false => self.beyond += 1,
        }
    }

    pub(super) fn restore(&mut self, state: &mut State<'a>) {
        if self.beyond > 0 {
            self.beyond -= 1;
        } else if self.states.len() > self.floor
            && let Some(saved) = self.states.pop()
        {
            *state = saved;
        }
    }

    /// Begin content of its own; what [`Self::end`] needs to end it.
    pub(super) fn begin(&mut self) -> (usize, usize) {
        let outside = (self.floor, self.beyond);
        (self.floor, self.beyond) = (self.states.len(), 0);
        outside
    }

    /// End content of its own. What it saved and left is forgotten.
    pub(super) fn end(&mut self, (floor, beyond): (usize, usize)) {
        self.states.truncate(self.floor);
        (self.floor, self.beyond) = (floor, beyond);
    }
}
