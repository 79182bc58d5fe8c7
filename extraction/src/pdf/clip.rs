//! What of the page can be seen: the clips in force, and the pictures under invisible text.
//! This module owns whether a point is shown; it must not know what is drawn there.

use kurbo::BezPath;
use kurbo::{Point, Rect, Shape};

/// Clips leave glyphs at their edge, as producers clip table cells tightly.
const CLIP_MARGIN: f64 = 1.0;

/// Pictures remembered of a page; a page of more is a drawing, not a scan.
const PICTURES_REMEMBERED: usize = 64;

/// The clips in force, each already cut to those around it.
pub(super) struct Clips(Vec<Rect>);

impl Clips {
    pub(super) fn new(page: Rect) -> Self {
        Self(vec![page])
    }

    pub(super) fn push_path(&mut self, path: &BezPath) {
        self.push(path.bounding_box());
    }

    pub(super) fn push(&mut self, area: Rect) {
        let around = self.area();
        let cut = around.intersect(area.inflate(CLIP_MARGIN, CLIP_MARGIN));
        // What is no number clips nothing.
        self.0.push(if cut.is_finite() { cut } else { around });
    }

    pub(super) fn pop(&mut self) {
        if self.0.len() > 1 {
            self.0.pop();
        }
    }

    pub(super) fn shows(&self, point: Point) -> bool {
        self.area().contains(point)
    }

    fn area(&self) -> Rect {
        self.0.last().copied().unwrap_or(Rect::ZERO)
    }
}

/// The pictures that a page shows.
#[derive(Default)]
pub(super) struct Pictures(Vec<Rect>);

impl Pictures {
    pub(super) fn add(&mut self, area: Rect) {
        if self.0.len() < PICTURES_REMEMBERED && area.is_finite() {
            self.0.push(area.inflate(CLIP_MARGIN, CLIP_MARGIN));
        }
    }

    pub(super) fn are_under(&self, point: Point) -> bool {
        self.0.iter().any(|area| area.contains(point))
    }
}
