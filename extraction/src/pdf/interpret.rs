//! Interprets the content of a page as far as it is about text: what is drawn is told to a
//! canvas, without colours, pictures or shapes. This module owns which operator does what; it
//! must not decide what text means or where words end.

use hayro_syntax::content::TypedIter;
use hayro_syntax::content::ops::{Transform, TypedInstruction};
use hayro_syntax::object::{Dict, Number, Object, String as PdfString, dict_or_stream};
use hayro_syntax::page::Resources;
use kurbo::{Affine, BezPath, Point, Rect, Shape};

use super::budget::{Budget, Spent};
use super::clip;
use super::fonts::{Code, Fonts};
use super::known::Known;
use super::layers::Layers;
use super::place::Place;
use super::scope::Scope;
use super::state::{Mode, Paint, Saved, State};

/// Steps that a clip is worth. Each form is clipped, and takes that much longer than a glyph.
const STEPS_OF_A_CLIP: usize = 20;

/// How drawing is seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ink {
    /// Whether it leaves anything that can be seen.
    pub shows: bool,
    /// Whether it is opaque at all, whatever lies over it, and whether it is light.
    pub covers: bool,
    pub lights: bool,
}

/// What is told of drawing.
pub(super) trait Canvas {
    /// A glyph; without ink where it is drawn invisibly.
    fn glyph(&mut self, code: &Code, place: &Place, clip: Rect, ink: Ink);
    /// Something that is no text and no picture.
    fn shape(&mut self, ink: Ink);
    fn picture(&mut self, area: Rect);
    /// A stretch of marked content, which may say what it reads as.
    fn begin_marked(&mut self, properties: Option<&Dict<'_>>);
    fn end_marked(&mut self);
    /// Whether masks are to be looked into.
    const LOOKS_INTO_MASKS: bool;
}

/// Interprets content.
pub(super) struct Interpreter<'a, 'd, C> {
    pub(super) fonts: &'d Fonts<'a>,
    pub(super) canvas: &'d mut C,
    pub(super) budget: Budget,
    pub(super) layers: Layers,
    pub(super) state: State<'a>,
    pub(super) saved: Saved<'a>,
    /// How many forms are open.
    pub(super) depth: usize,
    /// Whether masks let anything through.
    pub(super) masks: Known<bool>,
    path: BezPath,
    last: Point,
    start: Point,
    clips: bool,
}

impl<'a, 'd, C: Canvas> Interpreter<'a, 'd, C> {
    pub(super) fn new(
        fonts: &'d Fonts<'a>,
        layers: Layers,
        budget: Budget,
        state: State<'a>,
        canvas: &'d mut C,
    ) -> Self {
        Self {
            fonts,
            canvas,
            budget,
            layers,
            state,
            saved: Saved::new(),
            depth: 0,
            masks: Known::default(),
            path: BezPath::new(),
            last: Point::ZERO,
            start: Point::ZERO,
            clips: false,
        }
    }

    /// Interpret content, which leaves the state as it was.
    ///
    /// # Errors
    ///
    /// [`Spent`] when it draws more than it may.
    pub(super) fn content(
        &mut self,
        content: &[u8],
        resources: &Resources<'a>,
    ) -> Result<(), Spent> {
        let before = self.state.clone();
        let outside = self.saved.begin();
        let scope = Scope::new(resources);
        let mut instructions = TypedIter::new(content);
        while let Some(instruction) = instructions.next() {
            self.instruction(instruction, &scope)?;
        }
        // A path does not go on beyond the content that begins it.
        self.path.truncate(0);
        self.clips = false;
        self.saved.end(outside);
        self.state = before;
        Ok(())
    }

    fn instruction(
        &mut self,
        instruction: TypedInstruction<'_, '_>,
        scope: &Scope<'_, 'a>,
    ) -> Result<(), Spent> {
        use TypedInstruction as On;
        let resources = scope.resources;
        match instruction {
            On::ShowText(text) => return self.show_one(text.0),
            On::ShowTexts(texts) => {
                self.budget.spend(1)?;
                for item in texts.0.iter::<Object<'_>>() {
                    match item {
                        Object::Number(by) => self.state.text.adjust(by.as_f32()),
                        Object::String(text) => self.show(&text)?,
                        _ => {}
                    }
                }
            }
            On::NextLineAndShowText(text) => {
                self.next_line();
                return self.show_one(text.0);
            }
            On::ShowTextWithParameters(set) => {
                self.state.text.word_space = set.0.as_f32();
                self.state.text.char_space = set.1.as_f32();
                self.next_line();
                return self.show_one(set.2);
            }
            On::TextFont(font) => {
                self.state.text.size = font.1.as_f32();
                self.state.text.font = scope.font(font.0, self.fonts);
            }
            On::BeginMarkedContent(_) => {
                self.layers.begin();
                self.canvas.begin_marked(None);
            }
            On::BeginMarkedContentWithProperties(marked) => {
                self.begin_marked(marked.1, resources);
            }
            On::EndMarkedContent(_) => {
                self.layers.end();
                self.canvas.end_marked();
            }
            On::SaveState(_) => self.saved.save(&self.state),
            On::RestoreState(_) => self.saved.restore(&mut self.state),
            On::Transform(by) => self.state.matrix *= matrix(&by),
            On::SetGraphicsState(name) => {
                if let Some(set) = scope.graphics(name.0) {
                    self.set_graphics(&set, resources);
                }
            }
            On::XObject(name) => return self.object(name.0, resources),
            On::InlineImage(image) => return self.picture(image.0.dict()),
            On::Shading(shading) => {
                let shading = resources.get_shading(shading.0);
                if shading.is_some_and(|shading| dict_or_stream(&shading).is_some()) {
                    return self.shape(self.state.fill);
                }
            }
            other => {
                if let Some(other) = self.set_text(other)
                    && let Some(other) = self.build_path(other)?
                {
                    self.set_paint(other, resources);
                }
            }
        }
        Ok(())
    }

    /// What sets how text is set, and where.
    fn set_text<'i, 'c>(
        &mut self,
        instruction: TypedInstruction<'i, 'c>,
    ) -> Option<TypedInstruction<'i, 'c>> {
        use TypedInstruction as On;
        let text = &mut self.state.text;
        match instruction {
            On::BeginText(_) => text.set_matrix(Affine::IDENTITY),
            On::EndText(_) => {
                if let Some(area) = self.state.text_clip.take() {
                    self.state.clip = clip::cut(self.state.clip, area);
                }
            }
            On::SetTextMatrix(m) => {
                text.set_matrix(affine([&m.0, &m.1, &m.2, &m.3, &m.4, &m.5]));
            }
            On::NextLine(by) => text.next_line(by.0.as_f64(), by.1.as_f64()),
            On::NextLineAndSetLeading(by) => {
                text.leading = -by.1.as_f64() as f32;
                text.next_line(by.0.as_f64(), by.1.as_f64());
            }
            On::NextLineUsingLeading(_) => self.next_line(),
            On::CharacterSpacing(by) => text.char_space = by.0.as_f32(),
            On::WordSpacing(by) => text.word_space = by.0.as_f32(),
            On::HorizontalScaling(by) => text.scaling = by.0.as_f32(),
            On::TextLeading(by) => text.leading = by.0.as_f32(),
            On::TextRise(by) => text.rise = by.0.as_f32(),
            On::TextRenderingMode(mode) => {
                let mode = mode.0.as_i64();
                text.mode = match mode {
                    1 | 5 => Mode::Stroke,
                    2 | 6 => Mode::FillStroke,
                    3 | 7 => Mode::Invisible,
                    _ => Mode::Fill,
                };
                text.clips = (4..=7).contains(&mode);
            }
            other => return Some(other),
        }
        None
    }

    fn next_line(&mut self) {
        let down = f64::from(-self.state.text.leading);
        self.state.text.next_line(0.0, down);
    }

    /// Paths are only ever of use as clips.
    fn build_path<'i, 'c>(
        &mut self,
        instruction: TypedInstruction<'i, 'c>,
    ) -> Result<Option<TypedInstruction<'i, 'c>>, Spent> {
        use TypedInstruction as On;
        let point = |x: &Number, y: &Number| Point::new(x.as_f64(), y.as_f64());
        match instruction {
            On::MoveTo(to) => {
                let to = point(&to.0, &to.1);
                (self.last, self.start) = (to, to);
                self.path.move_to(to);
            }
            On::LineTo(to) => self.extend(point(&to.0, &to.1), |path, _, to| path.line_to(to)),
            On::CubicTo(c) => {
                let (first, second) = (point(&c.0, &c.1), point(&c.2, &c.3));
                self.extend(point(&c.4, &c.5), |path, _, to| {
                    path.curve_to(first, second, to);
                });
            }
            On::CubicStartTo(c) => {
                let second = point(&c.0, &c.1);
                self.extend(point(&c.2, &c.3), |path, from, to| {
                    path.curve_to(from, second, to);
                });
            }
            On::CubicEndTo(c) => {
                let first = point(&c.0, &c.1);
                self.extend(point(&c.2, &c.3), |path, _, to| {
                    path.curve_to(first, to, to);
                });
            }
            On::RectPath(r) => {
                let (from, size) = (point(&r.0, &r.1), point(&r.2, &r.3));
                let area = Rect::new(from.x, from.y, from.x + size.x, from.y + size.y);
                self.path.extend(area.path_elements(0.1));
                (self.last, self.start) = (from, from);
            }
            On::ClosePath(_) => self.last = self.start,
            On::ClipNonZero(_) | On::ClipEvenOdd(_) => self.clips = true,
            On::EndPath(_) => self.end_path()?,
            On::FillPathNonZero(_)
            | On::FillPathNonZeroCompatibility(_)
            | On::FillPathEvenOdd(_) => self.paint(self.state.fill)?,
            On::StrokePath(_) | On::CloseAndStrokePath(_) => self.paint(self.state.stroke)?,
            On::FillAndStrokeNonZero(_)
            | On::FillAndStrokeEvenOdd(_)
            | On::CloseFillAndStrokeNonZero(_)
            | On::CloseFillAndStrokeEvenOdd(_) => {
                self.shape(self.state.fill)?;
                self.paint(self.state.stroke)?;
            }
            other => return Ok(Some(other)),
        }
        Ok(None)
    }

    fn extend(&mut self, to: Point, add: impl FnOnce(&mut BezPath, Point, Point)) {
        if !self.path.elements().is_empty() {
            add(&mut self.path, self.last, to);
            self.last = to;
        }
    }

    fn paint(&mut self, paint: Paint) -> Result<(), Spent> {
        self.shape(paint)?;
        self.end_path()
    }

    fn end_path(&mut self) -> Result<(), Spent> {
        if std::mem::take(&mut self.clips) && !self.path.elements().is_empty() {
            self.path.apply_affine(self.state.matrix);
            self.clip_to(self.path.bounding_box())?;
        }
        self.path.truncate(0);
        Ok(())
    }

    pub(super) fn clip_to(&mut self, area: Rect) -> Result<(), Spent> {
        self.budget.spend(STEPS_OF_A_CLIP)?;
        self.state.clip = clip::cut(self.state.clip, area);
        Ok(())
    }

    fn shape(&mut self, paint: Paint) -> Result<(), Spent> {
        if self.layers.shows() {
            self.budget.spend(1)?;
            self.canvas.shape(self.ink(paint));
        }
        Ok(())
    }

    fn ink(&self, paint: Paint) -> Ink {
        Ink {
            shows: self.state.shown && self.state.unmasked && paint.shows(),
            covers: paint.shows(),
            lights: paint.lights(),
        }
    }

    fn ink_of_text(&self) -> Ink {
        let (fill, stroke) = (self.ink(self.state.fill), self.ink(self.state.stroke));
        match self.state.text.mode {
            Mode::Fill => fill,
            Mode::Stroke => stroke,
            Mode::FillStroke => Ink {
                shows: fill.shows || stroke.shows,
                covers: fill.covers || stroke.covers,
                lights: fill.lights || stroke.lights,
            },
            // What is drawn into a mask without ink counts all the same.
            Mode::Invisible => Ink {
                shows: false,
                ..fill
            },
        }
    }

    fn show_one(&mut self, bytes: &PdfString<'_>) -> Result<(), Spent> {
        self.budget.spend(1)?;
        self.show(bytes)
    }

    fn show(&mut self, bytes: &PdfString<'_>) -> Result<(), Spent> {
        let state = &mut self.state;
        if state.text.font.is_none() {
            state.text.font = self.fonts.fallback();
        }
        let Some(font) = state.text.font.clone() else {
            return Ok(());
        };
        let ink = self.ink_of_text();
        let shows = self.layers.shows() && font.shows(bytes);
        let mut run = Place::run(self.state.matrix * self.state.text.glyphs(), font.vertical);
        font.decode(bytes, |code| {
            self.budget.spend(1)?;
            let state = &mut self.state;
            if shows {
                let origin = state.matrix * state.text.origin();
                run.put(origin, code);
                self.canvas.glyph(code, &run, state.clip, ink);
                if state.text.clips
                    && let Some(outline) = font.outline(code).filter(|o| !o.is_empty())
                {
                    let area = (run.of_outlines() * outline).bounding_box();
                    let clip = state.text_clip.map_or(area, |clip| clip.union(area));
                    state.text_clip = Some(clip);
                }
            }
            state.text.pass(code, font.vertical);
            Ok(())
        })
    }

    fn begin_marked(&mut self, properties: &Object<'_>, resources: &Resources<'a>) {
        if let Object::Name(name) = properties {
            let listed = resources.properties.get::<Dict<'_>>(name);
            match resources.properties.get_ref(name) {
                Some(group) => {
                    let dictionary = listed.clone().unwrap_or_default();
                    self.layers.begin_group(&dictionary, Some(group.into()));
                }
                None => self.layers.begin(),
            }
            return self.canvas.begin_marked(listed.as_ref());
        }
        // Content refers to no objects, so that what is given in place belongs to no layer.
        self.layers.begin();
        let given = dict_or_stream(properties).map(|(dictionary, _)| dictionary);
        self.canvas.begin_marked(given);
    }
}

fn matrix(by: &Transform) -> Affine {
    affine([&by.0, &by.1, &by.2, &by.3, &by.4, &by.5])
}

fn affine(numbers: [&Number; 6]) -> Affine {
    Affine::new(numbers.map(Number::as_f64))
}
