//! Where a glyph stands on the page as shown. This module owns the way from a glyph's transform
//! to a piece; it must not know what the glyph reads as.

use hayro_interpret::font::{Glyph, PositionedGlyph};
use kurbo::{Affine, Point, Vec2};

use super::piece::{Piece, Turn};

/// Units of glyph space in an em.
const EM: f64 = 1000.0;

/// Where a glyph stands on the page as shown.
pub(super) struct Place {
    pub origin: Point,
    /// From its beginning to its end.
    pub along: Vec2,
    /// From the baseline up, by an em.
    pub up: Vec2,
    /// How far the glyph moves on in glyph space, if its font says so.
    pub advance: Option<f32>,
}

impl Place {
    pub(super) fn of(glyph: &PositionedGlyph<'_>, page: Affine, vertical: bool) -> Self {
        let [a, b, c, d, e, f] = (page * glyph.transform()).as_coeffs();
        let across = Vec2::new(a, b) * EM;
        let up = Vec2::new(c, d) * EM;
        let origin = Point::new(e, f);
        let advance = advance_width(glyph);
        if vertical {
            // Glyphs of vertical writing have their origin at the lower left all the same.
            return Self {
                origin: origin + up,
                along: -up,
                up: across,
                advance,
            };
        }
        Self {
            origin,
            along: across * (advance.map_or(1.0, f64::from) / EM),
            up,
            advance,
        }
    }

    pub(super) fn middle(&self) -> Point {
        self.origin + self.along * 0.5 + self.up * 0.3
    }

    /// The height of an em.
    pub(super) fn em(&self) -> f64 {
        length(self.up)
    }

    pub(super) fn piece(&self, from: usize, to: usize, invisible: bool) -> Piece {
        let (em, width) = (self.em(), length(self.along));
        // Text that is mirrored, or has no width, still reads the way that its em stands.
        let turn = match width > 0.0 {
            true => Turn::of(self.along),
            false => Turn::of(Vec2::new(-self.up.y, self.up.x)),
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

fn advance_width(glyph: &Glyph<'_>) -> Option<f32> {
    match glyph {
        Glyph::Outline(outline) => outline.advance_width(),
        Glyph::Type3(drawn) => drawn.advance_width(),
    }
}
