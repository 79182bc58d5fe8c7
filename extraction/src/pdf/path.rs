//! Paths: nothing is told of them but that something is drawn, and what they clip. This module
//! owns the operators of paths; it must not paint them.

use hayro_syntax::content::ops::TypedInstruction;
use hayro_syntax::object::Number;
use kurbo::{Affine, BezPath, Point, Rect, Shape};

use super::budget::Spent;
use super::clip;
use super::interpret::{Canvas, Interpreter};
use super::state::Paint;

/// Steps that a clip is worth. Each form is clipped, and takes that much longer than a glyph.
const STEPS_OF_A_CLIP: usize = 20;

/// The path in the making.
#[derive(Default)]
pub(super) struct Path {
    elements: BezPath,
    last: Point,
    start: Point,
    /// Whether it clips what is drawn after it.
    clips: bool,
}

impl Path {
    pub(super) fn clear(&mut self) {
        self.elements.truncate(0);
        self.clips = false;
    }

    fn extend(&mut self, to: Point, add: impl FnOnce(&mut BezPath, Point, Point)) {
        if !self.elements.elements().is_empty() {
            add(&mut self.elements, self.last, to);
            self.last = to;
        }
    }

    /// What it clips the page to, if it does.
    fn clips(&mut self, matrix: Affine) -> Option<Rect> {
        if !self.clips || self.elements.elements().is_empty() {
            return None;
        }
        self.elements.apply_affine(matrix);
        Some(self.elements.bounding_box())
    }
}

impl<C: Canvas> Interpreter<'_, '_, C> {
    /// Paths are only ever of use as clips.
    pub(super) fn build_path<'i, 'c>(
        &mut self,
        instruction: TypedInstruction<'i, 'c>,
    ) -> Result<Option<TypedInstruction<'i, 'c>>, Spent> {
        use TypedInstruction as On;
        let path = &mut self.path;
        let point = |x: &Number, y: &Number| Point::new(x.as_f64(), y.as_f64());
        match instruction {
            On::MoveTo(to) => {
                let to = point(&to.0, &to.1);
                (path.last, path.start) = (to, to);
                path.elements.move_to(to);
            }
            On::LineTo(to) => path.extend(point(&to.0, &to.1), |path, _, to| path.line_to(to)),
            On::CubicTo(c) => {
                let (first, second) = (point(&c.0, &c.1), point(&c.2, &c.3));
                path.extend(point(&c.4, &c.5), |path, _, to| {
                    path.curve_to(first, second, to);
                });
            }
            On::CubicStartTo(c) => {
                let second = point(&c.0, &c.1);
                path.extend(point(&c.2, &c.3), |path, from, to| {
                    path.curve_to(from, second, to);
                });
            }
            On::CubicEndTo(c) => {
                let first = point(&c.0, &c.1);
                path.extend(point(&c.2, &c.3), |path, _, to| {
                    path.curve_to(first, to, to);
                });
            }
            On::RectPath(r) => {
                let (from, size) = (point(&r.0, &r.1), point(&r.2, &r.3));
                let area = Rect::new(from.x, from.y, from.x + size.x, from.y + size.y);
                path.elements.extend(area.path_elements(0.1));
                (path.last, path.start) = (from, from);
            }
            On::ClosePath(_) => path.last = path.start,
            On::ClipNonZero(_) | On::ClipEvenOdd(_) => path.clips = true,
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

    fn paint(&mut self, paint: Paint) -> Result<(), Spent> {
        self.shape(paint)?;
        self.end_path()
    }

    fn end_path(&mut self) -> Result<(), Spent> {
        if let Some(area) = self.path.clips(self.state.matrix) {
            self.clip_to(area)?;
        }
        self.path.clear();
        Ok(())
    }

    pub(super) fn clip_to(&mut self, area: Rect) -> Result<(), Spent> {
        self.budget.spend(STEPS_OF_A_CLIP)?;
        self.state.clip = clip::cut(self.state.clip, area);
        Ok(())
    }

    pub(super) fn shape(&mut self, paint: Paint) -> Result<(), Spent> {
        if self.layers.shows() {
            self.budget.spend(1)?;
            self.canvas.shape(self.ink(paint));
        }
        Ok(())
    }
}
