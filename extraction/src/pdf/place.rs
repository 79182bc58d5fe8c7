//! Where a glyph stands on the page as shown. This module owns the way from a glyph's transform
//! to a piece; it must not know what the glyph reads as.

use kurbo::{Affine, Point, Vec2};

use super::codes::Code;
use super::piece::{Piece, Turn};

/// Units of glyph space in an em.
const EM: f64 = 1000.0;

/// Where a glyph stands on the page as shown.
pub(super) struct Place {
    pub origin: Point,
    /// From its beginning to its end.
    along: Vec2,
    /// From the baseline of horizontal text up, by an em.
    up: Vec2,
    /// An em across, and how much it is stretched for the glyph.
    across: Vec2,
    stretch: f64,
    vertical: bool,
}

impl Place {
    /// The places of glyphs that are set one after the other, given the way from glyphs that are
    /// an em high to the page.
    pub(super) fn run(glyphs: Affine, vertical: bool) -> Self {
        let [a, b, c, d, e, f] = glyphs.as_coeffs();
        Self {
            origin: Point::new(e, f),
            along: Vec2::ZERO,
            up: Vec2::new(c, d),
            across: Vec2::new(a, b),
            stretch: 1.0,
            vertical,
        }
    }

    /// The place of a horizontal stretch of text.
    pub(super) fn line(origin: Point, width: f64, height: f64) -> Self {
        Self {
            origin,
            along: Vec2::new(width, 0.0),
            up: Vec2::new(0.0, -height),
            across: Vec2::new(height, 0.0),
            stretch: 1.0,
            vertical: false,
        }
    }

    /// Go on to a glyph, given where the text has come to.
    pub(super) fn put(&mut self, origin: Point, code: &Code) {
        self.stretch = code.stretch;
        self.origin = origin;
        if code.displacement != Vec2::ZERO {
            let Vec2 { x, y } = code.displacement / EM;
            self.origin += self.across * x + self.up * y;
        }
        if self.vertical {
            // Glyphs of vertical writing have their origin at the lower left all the same.
            self.origin += self.up;
            self.along = -self.up;
        } else {
            let width = code.width.map_or(1.0, f64::from) / EM;
            self.along = self.across * (self.stretch * width);
        }
    }

    /// From outlines, in thousandths of an em, to the page.
    pub(super) fn of_outlines(&self) -> Affine {
        let origin = match self.vertical {
            true => self.origin - self.up,
            false => self.origin,
        };
        let across = self.across * (self.stretch / EM);
        let up = self.up / EM;
        Affine::new([across.x, across.y, up.x, up.y, origin.x, origin.y])
    }

    pub(super) fn middle(&self) -> Point {
        self.origin + self.along * 0.5 + self.height() * 0.3
    }

    /// The height of an em.
    pub(super) fn em(&self) -> f64 {
        length(self.height())
    }

    /// Up in the direction of lines: across, where these stand beside each other.
    fn height(&self) -> Vec2 {
        match self.vertical {
            true => self.across * self.stretch,
            false => self.up,
        }
    }

    pub(super) fn piece(&self, from: usize, to: usize, invisible: bool) -> Piece {
        let (em, width) = (self.em(), length(self.along));
        // Text that is mirrored, or has no width, still reads the way that its em stands.
        let turn = match width > 0.0 {
            true => Turn::of(self.along),
            false => Turn::of(Vec2::new(-self.height().y, self.height().x)),
        };
        let start = turn.straighten(self.origin);
        Piece {
            from: u32::try_from(from).unwrap_or(u32::MAX),
            to: u32::try_from(to).unwrap_or(u32::MAX),
            turn,
            left: start.x as f32,
            right: (start.x + width) as f32,
            baseline: start.y as f32,
            em: em as f32,
            invisible,
        }
    }
}

/// Nearly all text stands along an axis, where no root is needed.
fn length(vector: Vec2) -> f64 {
    match (vector.x == 0.0, vector.y == 0.0) {
        (_, true) => vector.x.abs(),
        (true, _) => vector.y.abs(),
        _ => vector.hypot(),
    }
}
