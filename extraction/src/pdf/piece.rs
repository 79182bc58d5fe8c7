//! Pieces of text where the page shows them, each in the frame of its own direction, in which
//! it reads from left to right. This module owns geometry; it must not know what is text.

use kurbo::{Affine, Point, Vec2};

/// Directions this close to an axis, in degrees, count as along it: scanned pages are seldom
/// straight.
const STRAIGHT_WITHIN: f64 = 4.0;

/// How far a piece reaches above and below its baseline, in ems.
pub(super) const ASCENT: f32 = 0.8;
pub(super) const DESCENT: f32 = 0.2;

/// The direction in which text reads, in whole degrees clockwise from left to right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Turn(u16);

impl Turn {
    pub(super) fn of(direction: Vec2) -> Self {
        let degrees = direction
            .y
            .atan2(direction.x)
            .to_degrees()
            .rem_euclid(360.0);
        let axis = (degrees / 90.0).round() * 90.0;
        let kept = match (degrees - axis).abs() < STRAIGHT_WITHIN {
            true => axis,
            false => degrees.round(),
        };
        // A direction that is no number becomes 0 here.
        Self(kept.rem_euclid(360.0) as u16)
    }

    /// From the page as shown into the frame in which the text reads from left to right.
    pub(super) fn straighten(self, point: Point) -> Point {
        match self.0 {
            0 => point,
            90 => Point::new(point.y, -point.x),
            180 => Point::new(-point.x, -point.y),
            270 => Point::new(-point.y, point.x),
            degrees => Affine::rotate(-f64::from(degrees).to_radians()) * point,
        }
    }

    /// The smallest upright box on the page around a box of the frame: left, top, width, height.
    pub(super) fn shown_box(self, left: f32, top: f32, right: f32, bottom: f32) -> [f32; 4] {
        let back = Affine::rotate(f64::from(self.0).to_radians());
        let corners = [(left, top), (right, top), (left, bottom), (right, bottom)]
            .map(|(x, y)| back * Point::new(x.into(), y.into()));
        let reach = |of: fn(&Point) -> f64| {
            let values = corners.iter().map(of);
            let least = values.clone().fold(f64::INFINITY, f64::min);
            (
                least as f32,
                values.fold(f64::NEG_INFINITY, f64::max) as f32,
            )
        };
        let ((x0, x1), (y0, y1)) = (reach(|p| p.x), reach(|p| p.y));
        [x0, y0, x1 - x0, y1 - y0]
    }
}

/// A glyph, or several that read as one. Lengths are in points; x grows in reading direction
/// and y downwards from line to line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Piece {
    /// Its part of the page's characters.
    pub from: u32,
    pub to: u32,
    pub turn: Turn,
    /// Where it begins.
    pub left: f32,
    /// Where it ends.
    pub right: f32,
    pub baseline: f32,
    /// The height of an em.
    pub em: f32,
    /// Whether it is drawn without ink.
    pub invisible: bool,
}

impl Piece {
    /// The box around it on the page as shown: left, top, width, height.
    pub(super) fn shown_box(&self) -> [f32; 4] {
        let (top, bottom) = (
            self.baseline - ASCENT * self.em,
            self.baseline + DESCENT * self.em,
        );
        self.turn.shown_box(self.left, top, self.right, bottom)
    }

    /// Its part of `characters`, the text of all pieces.
    pub(super) fn text<'t>(&self, characters: &'t str) -> &'t str {
        characters
            .get(self.from as usize..self.to as usize)
            .unwrap_or_default()
    }

    /// Positions that are no numbers come of hostile matrices.
    pub(super) fn is_placed(&self) -> bool {
        [self.left, self.right, self.baseline, self.em]
            .iter()
            .all(|length| length.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_undone() {
        for (direction, degrees) in [
            (Vec2::new(1.0, 0.05), 0),
            (Vec2::new(0.0, 1.0), 90),
            (Vec2::new(-1.0, 0.0), 180),
            (Vec2::new(0.0, -1.0), 270),
            (Vec2::new(1.0, 1.0), 45),
            (Vec2::new(f64::NAN, 1.0), 0),
        ] {
            assert_eq!(Turn::of(direction), Turn(degrees));
        }
        for turn in [0, 45, 90, 180, 270].map(Turn) {
            let point = turn.straighten(Point::new(30.0, 70.0));
            let (x, y) = (point.x as f32, point.y as f32);
            let [left, top, width, height] = turn.shown_box(x, y, x, y);
            assert!((left - 30.0).abs() < 0.01 && (top - 70.0).abs() < 0.01);
            assert!(width.abs() < 0.01 && height.abs() < 0.01);
        }
    }
}
