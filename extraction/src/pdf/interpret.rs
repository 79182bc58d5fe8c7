//! Interprets the content of a page as far as it is about text: what is drawn is told to a
//! canvas, without colours, pictures or shapes. This module owns which operator does what; it
//! must not decide what text means or where words end.

use hayro_syntax::content::TypedIter;
use hayro_syntax::content::ops::TypedInstruction;
use hayro_syntax::object::{Dict, Number, Object, dict_or_stream};
use hayro_syntax::page::Resources;
use kurbo::{Affine, Rect};

use super::budget::{Budget, Spent};
use super::codes::Code;
use super::fonts::Fonts;
use super::known::Known;
use super::layers::Layers;
use super::path::Path;
use super::place::Place;
use super::scope::Scope;
use super::state::{Paint, Saved, State};

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
    pub(super) path: Path,
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
            path: Path::default(),
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
        self.path.clear();
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
            On::Transform(by) => {
                self.state.matrix *= affine([&by.0, &by.1, &by.2, &by.3, &by.4, &by.5])
            }
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

    pub(super) fn ink(&self, paint: Paint) -> Ink {
        Ink {
            shows: self.state.shown && self.state.unmasked && paint.shows(),
            covers: paint.shows(),
            lights: paint.lights(),
        }
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

pub(super) fn affine(numbers: [&Number; 6]) -> Affine {
    Affine::new(numbers.map(Number::as_f64))
}
