//! What of the page can be seen: how clips cut each other, and the pictures under invisible text.
//! This module owns whether a point is shown; it must not know what is drawn there.

use kurbo::{Point, Rect};

/// Clips leave glyphs at their edge, as producers clip table cells tightly.
const CLIP_MARGIN: f64 = 1.0;

/// Pictures remembered of a page; a page of more is a drawing, not a scan.
const PICTURES_REMEMBERED: usize = 64;

/// What a clip leaves of what the clips around it leave.
pub(super) fn cut(around: Rect, area: Rect) -> Rect {
    let cut = around.intersect(area.inflate(CLIP_MARGIN, CLIP_MARGIN));
    // What is no number clips nothing.
    if cut.is_finite() { cut } else { around }
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
