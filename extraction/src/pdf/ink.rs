//! Whether what is drawn leaves any ink: by the opacity of the paint, of the groups around it
//! and of the masks over them. This module owns what is fully transparent; it must not know what
//! is drawn, and it never asks for pixels.

use hayro_interpret::font::GlyphRun;
use hayro_interpret::{
    BlendMode, CacheKey, ClipPath, Device, DrawMode, DrawProps, Image, ImageDrawProps, MaskType,
    Paint, SoftMask,
};
use kurbo::{BezPath, Rect};

use super::budget::{Budget, within};

/// Steps of drawing looked at in a mask, at most.
const STEPS_AT_MOST: usize = 10_000;

/// Masks whose content is looked at, at most, in one page; the others count as open.
const MASKS_AT_MOST: usize = 32;

/// The groups in force, and what is known of masks.
#[derive(Default)]
pub(super) struct Ink {
    /// For each group, whether anything drawn in it can be seen.
    groups: Vec<bool>,
    /// By their keys, whether masks let anything through.
    masks: Vec<(u128, bool)>,
}

impl Ink {
    pub(super) fn push_group(&mut self, opacity: f32, mask: Option<&SoftMask<'_>>) {
        let around = self.groups.last().copied().unwrap_or(true);
        let shows = around && opacity > 0.0 && self.is_open(mask);
        self.groups.push(shows);
    }

    pub(super) fn pop_group(&mut self) {
        self.groups.pop();
    }

    /// Whether something drawn with these properties leaves ink.
    pub(super) fn shows(&mut self, props: &DrawProps<'_>) -> bool {
        self.groups.last().copied().unwrap_or(true)
            && strength(&props.paint, MaskType::Alpha) > 0.0
            && self.is_open(props.soft_mask.as_ref())
    }

    fn is_open(&mut self, mask: Option<&SoftMask<'_>>) -> bool {
        let Some(mask) = mask else { return true };
        let key = mask.cache_key();
        if let Some((_, open)) = self.masks.iter().find(|(known, _)| *known == key) {
            return *open;
        }
        if self.masks.len() >= MASKS_AT_MOST {
            return true;
        }
        let open = lets_through(mask);
        self.masks.push((key, open));
        open
    }
}

/// How much of a mask of the given kind a paint makes, from 0.
fn strength(paint: &Paint<'_>, kind: MaskType) -> f32 {
    let Paint::Color(color) = paint else {
        // Patterns have parts that show.
        return 1.0;
    };
    let [red, green, blue, opacity] = color.to_rgba().components();
    match kind {
        MaskType::Alpha => opacity,
        MaskType::Luminosity => opacity * red.max(green).max(blue),
    }
}

/// Whether a mask lets anything through: it does unless all that it draws is without strength.
fn lets_through(mask: &SoftMask<'_>) -> bool {
    let kind = mask.mask_type();
    let [red, green, blue, _] = mask.background_color().to_rgba().components();
    let lit = matches!(kind, MaskType::Luminosity) && red.max(green).max(blue) > 0.0;
    if lit || mask.transfer_function().is_some() {
        return true;
    }
    let mut light = Light {
        kind,
        budget: Budget::new(STEPS_AT_MOST),
        found: false,
    };
    // One that draws too much to be looked through counts as open.
    within(|| mask.interpret(&mut light)).is_err() || light.found
}

/// Looks for anything that lights a mask.
struct Light {
    kind: MaskType,
    budget: Budget,
    found: bool,
}

impl Light {
    fn add(&mut self, props: &DrawProps<'_>) {
        self.budget.spend(1);
        self.found = self.found || strength(&props.paint, self.kind) > 0.0;
    }
}

impl<'a> Device<'a> for Light {
    fn draw_path(&mut self, _: &BezPath, props: DrawProps<'a>, _: &DrawMode) {
        self.add(&props);
    }

    fn draw_rect(&mut self, _: &Rect, props: DrawProps<'a>, _: &DrawMode) {
        self.add(&props);
    }

    fn draw_glyph_run(&mut self, _: &GlyphRun<'_, 'a>, props: DrawProps<'a>, _: &DrawMode) {
        self.add(&props);
    }

    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {
        // What pictures show is not looked at.
        self.found = true;
    }

    fn push_clip_path(&mut self, _: &ClipPath) {
        self.budget.spend(1);
    }

    fn push_clip_rect(&mut self, _: &Rect) {}
    fn pop_clip(&mut self) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn pop_transparency_group(&mut self) {}
}
