//! Whether what is drawn leaves any ink: the colours, opacities and masks that are set. This
//! module owns what is fully transparent; it must not know what is drawn, and it never asks for
//! pixels.

use hayro_syntax::content::ops::TypedInstruction;
use hayro_syntax::object::dict::keys::{
    ALPHA, BC, CA, CA_NS, CS, FONT, G, GROUP, LUMINOSITY, S, SMASK, TR,
};
use hayro_syntax::object::{Array, Dict, Name, Number, Object, Stream};
use hayro_syntax::page::Resources;
use kurbo::Rect;

use super::budget::Budget;
use super::codes::Code;
use super::interpret::{Canvas, Ink, Interpreter};
use super::place::Place;
use super::state::{Paint, State};

/// Steps of drawing looked at in a mask, at most.
const STEPS_AT_MOST: usize = 10_000;

/// Masks whose content is looked at, at most, in one page; the others count as open.
const MASKS_AT_MOST: usize = 32;

/// Colours have no more components.
const COMPONENTS_AT_MOST: usize = 32;

impl<'a, C: Canvas> Interpreter<'a, '_, C> {
    /// What sets colours.
    pub(super) fn set_paint(
        &mut self,
        instruction: TypedInstruction<'_, '_>,
        resources: &Resources<'a>,
    ) {
        use TypedInstruction as On;
        let zero = |numbers: &[&Number]| numbers.iter().all(|number| number.as_f64() == 0.0);
        let state = &mut self.state;
        match instruction {
            On::NonStrokeColorDeviceGray(c) => state.fill.set(true, zero(&[&c.0])),
            On::NonStrokeColorDeviceRgb(c) => state.fill.set(true, zero(&[&c.0, &c.1, &c.2])),
            On::NonStrokeColorCmyk(_) => state.fill.set(false, false),
            On::StrokeColorDeviceGray(c) => state.stroke.set(true, zero(&[&c.0])),
            On::StrokeColorDeviceRgb(c) => state.stroke.set(true, zero(&[&c.0, &c.1, &c.2])),
            On::StrokeColorCmyk(_) => state.stroke.set(false, false),
            On::ColorSpaceNonStroke(name) => choose_space(&mut state.fill, name.0, resources),
            On::ColorSpaceStroke(name) => choose_space(&mut state.stroke, name.0, resources),
            On::NonStrokeColor(c) => choose(&mut state.fill, &c.0, None, resources),
            On::StrokeColor(c) => choose(&mut state.stroke, &c.0, None, resources),
            On::NonStrokeColorNamed(c) => choose(&mut state.fill, &c.0, c.1, resources),
            On::StrokeColorNamed(c) => choose(&mut state.stroke, &c.0, c.1, resources),
            _ => {}
        }
    }

    /// What a graphics state dictionary sets.
    pub(super) fn set_graphics(&mut self, set: &Dict<'a>, resources: &Resources<'a>) {
        if let Some(opacity) = set.get::<f32>(CA_NS) {
            self.state.fill.opacity = opacity;
        }
        if let Some(opacity) = set.get::<f32>(CA) {
            self.state.stroke.opacity = opacity;
        }
        if let Some(font) = set.get::<Array<'_>>(FONT) {
            let mut items = font.iter::<Object<'_>>();
            let font = items.next().and_then(Object::into_dict);
            let size = items.next().and_then(Object::into_number);
            if let (Some(font), Some(size)) = (font, size) {
                self.state.text.font = self.fonts.font(&font);
                self.state.text.size = size.as_f32();
            }
        }
        match set.get::<Object<'_>>(SMASK) {
            Some(Object::Name(name)) if name.as_ref() == b"None" => self.state.unmasked = true,
            Some(Object::Dict(mask)) => {
                self.state.unmasked = !C::LOOKS_INTO_MASKS || self.is_open(&mask, resources);
            }
            _ => {}
        }
    }

    fn is_open(&mut self, mask: &Dict<'a>, resources: &Resources<'a>) -> bool {
        if let Some(open) = self.masks.get(mask) {
            return *open;
        }
        if self.masks.len() >= MASKS_AT_MOST {
            return true;
        }
        let open = self.lets_through(mask, resources).unwrap_or(true);
        self.masks.insert(mask, open);
        open
    }

    /// Whether a mask lets anything through: it does unless all that it draws is without strength.
    /// `None` if it is no mask.
    fn lets_through(&mut self, mask: &Dict<'a>, resources: &Resources<'a>) -> Option<bool> {
        let group = mask.get::<Stream<'_>>(G)?;
        let by_lightness = match mask.get::<Name<'_>>(S)?.as_ref() {
            LUMINOSITY => true,
            ALPHA => false,
            _ => return None,
        };
        if matches!(
            mask.get::<Object<'_>>(TR),
            Some(Object::Dict(_) | Object::Stream(_))
        ) {
            return Some(true);
        }
        if by_lightness {
            let space = group.dict().get::<Dict<'_>>(GROUP)?.get::<Object<'_>>(CS)?;
            if let Some(background) = mask.get::<Array<'_>>(BC)
                && !(zero_is_black(&space) && is_zero(&background))
            {
                return Some(true);
            }
        }
        let mut light = Light {
            by_lightness,
            found: false,
        };
        let everything = Rect::new(
            f64::NEG_INFINITY,
            f64::NEG_INFINITY,
            f64::INFINITY,
            f64::INFINITY,
        );
        let mut within = Interpreter::new(
            self.fonts,
            self.layers.afresh(),
            Budget::new(STEPS_AT_MOST),
            State::new(self.state.matrix, everything),
            &mut light,
        );
        within.depth = self.depth + 1;
        // One that draws too much to be looked through counts as open.
        let drawn = within.form(&group, resources);
        Some(drawn.is_err() || light.found)
    }
}

fn choose_space(paint: &mut Paint, name: &Name<'_>, resources: &Resources<'_>) {
    let space = match name.as_ref() {
        b"DeviceGray" | b"G" | b"DeviceRGB" | b"RGB" | b"DeviceCMYK" | b"CMYK" | b"Pattern" => None,
        _ => resources.get_color_space(name),
    };
    let space = space.unwrap_or_else(|| Object::Name(name.clone()));
    let zero_is_black = zero_is_black(&space);
    paint.set(zero_is_black, true);
    paint.space_of_patterns = kind(&space).as_deref() == Some(b"Pattern");
}

/// Choose a colour of the present space, or a pattern.
fn choose(
    paint: &mut Paint,
    components: &[Number],
    pattern: Option<&Name<'_>>,
    resources: &Resources<'_>,
) {
    paint.pattern = pattern.is_some_and(|name| resources.get_pattern(name).is_some());
    let zero = components.iter().all(|number| number.as_f64() == 0.0);
    paint.black = paint.zero_is_black && zero;
}

/// The family of a colour space.
fn kind(space: &Object<'_>) -> Option<Vec<u8>> {
    match space {
        Object::Name(name) => Some(name.to_vec()),
        Object::Array(items) => Some(items.iter::<Name<'_>>().next()?.to_vec()),
        _ => None,
    }
}

/// Whether colours are black whose components are all zero: where they add light.
fn zero_is_black(space: &Object<'_>) -> bool {
    let components = || {
        let Object::Array(items) = space else {
            return None;
        };
        let profile = items.iter::<Object<'_>>().nth(1)?.into_stream()?;
        profile.dict().get::<u32>(N_COMPONENTS)
    };
    match kind(space).as_deref() {
        Some(b"DeviceGray" | b"G" | b"DeviceRGB" | b"RGB" | b"CalGray" | b"CalRGB") => true,
        Some(b"ICCBased") => matches!(components(), Some(1 | 3)),
        _ => false,
    }
}

const N_COMPONENTS: &[u8] = b"N";

fn is_zero(components: &Array<'_>) -> bool {
    let mut components = components.iter::<f32>().take(COMPONENTS_AT_MOST);
    components.all(|component| component == 0.0)
}

/// Looks for anything that lights a mask.
struct Light {
    by_lightness: bool,
    found: bool,
}

impl Light {
    fn add(&mut self, ink: Ink) {
        self.found |= match self.by_lightness {
            true => ink.lights,
            false => ink.covers,
        };
    }
}

impl Canvas for Light {
    const LOOKS_INTO_MASKS: bool = false;

    fn glyph(&mut self, _: &Code, _: &Place, _: Rect, ink: Ink) {
        self.add(ink);
    }

    fn shape(&mut self, ink: Ink) {
        self.add(ink);
    }

    fn picture(&mut self, _: Rect) {
        // What pictures show is not looked at.
        self.found = true;
    }

    fn begin_marked(&mut self, _: Option<&Dict<'_>>) {}
    fn end_marked(&mut self) {}
}
