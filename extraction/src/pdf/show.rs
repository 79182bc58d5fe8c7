//! Setting and showing text: where the next glyph stands, how it is drawn, and what of the page
//! text clips. This module owns the operators of text objects; it must not know what codes mean.

use hayro_syntax::content::ops::TypedInstruction;
use hayro_syntax::object::String as PdfString;
use kurbo::{Affine, Shape};

use super::budget::Spent;
use super::clip;
use super::interpret::{Canvas, Ink, Interpreter, affine};
use super::place::Place;
use super::state::Mode;

impl<C: Canvas> Interpreter<'_, '_, C> {
    /// What sets how text is set, and where.
    pub(super) fn set_text<'i, 'c>(
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

    pub(super) fn next_line(&mut self) {
        let down = f64::from(-self.state.text.leading);
        self.state.text.next_line(0.0, down);
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

    pub(super) fn show_one(&mut self, bytes: &PdfString<'_>) -> Result<(), Spent> {
        self.budget.spend(1)?;
        self.show(bytes)
    }

    pub(super) fn show(&mut self, bytes: &PdfString<'_>) -> Result<(), Spent> {
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
}
