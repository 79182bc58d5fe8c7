//! Content outside of the page's own: forms that it draws, pictures, and how annotations appear.
//! This module owns where such content stands and when it is drawn at all; it must not know what
//! is in it.

use hayro_syntax::object::dict::keys::{
    ANNOTS, AP, AS, BBOX, F, FORM, GROUP, H, HEIGHT, IMAGE, MATRIX, N, RECT, RESOURCES, SUBTYPE, W,
    WIDTH,
};
use hayro_syntax::object::{Array, Dict, Name, Object, Rect as PdfRect, Stream};
use hayro_syntax::page::{Page, Resources};
use kurbo::{Affine, Rect};

use super::budget::Spent;
use super::interpret::{Canvas, Interpreter};

/// Forms within forms, at most.
const DEPTH_AT_MOST: usize = 50;

/// Bytes of a form's content that are worth a step, as what is no drawing in it takes time too.
const BYTES_OF_A_STEP: usize = 64;

/// Steps of a form that cannot be unpacked: it may have taken long to find that out.
const STEPS_IN_VAIN: usize = 50_000;

const HIDDEN: u32 = 1 << 1;
const NO_VIEW: u32 = 1 << 5;

/// Where a form stands, in the space around it.
pub(super) struct Frame {
    pub matrix: Affine,
    pub area: Rect,
}

impl Frame {
    fn of(form: &Dict<'_>) -> Option<Self> {
        let [x0, y0, x1, y1] = form.get::<[f32; 4]>(BBOX)?.map(f64::from);
        Some(Self {
            matrix: form
                .get::<[f64; 6]>(MATRIX)
                .map_or(Affine::IDENTITY, Affine::new),
            area: Rect::new(x0, y0, x1, y1),
        })
    }
}

impl<'a, C: Canvas> Interpreter<'a, '_, C> {
    /// Draw what a name stands for.
    pub(super) fn object(
        &mut self,
        name: &Name<'_>,
        resources: &Resources<'a>,
    ) -> Result<(), Spent> {
        let Some(stream) = resources.get_x_object(name) else {
            return Ok(());
        };
        let kind = stream.dict().get::<Name<'_>>(SUBTYPE);
        match kind.as_deref() {
            Some(IMAGE) => self.picture(stream.dict()),
            Some(FORM) => self.form(&stream, resources),
            _ => Ok(()),
        }
    }

    pub(super) fn picture(&mut self, picture: &Dict<'_>) -> Result<(), Spent> {
        let size = |short: &[u8], long: &[u8]| {
            let size = picture
                .get::<u32>(short)
                .or_else(|| picture.get::<u32>(long));
            size.unwrap_or(0)
        };
        if !self.layers.shows() || size(W, WIDTH) == 0 || size(H, HEIGHT) == 0 {
            return Ok(());
        }
        self.budget.spend(1)?;
        let layered = self.layers.begin_object(picture);
        if self.layers.shows() {
            // Pictures fill a square of one by one.
            let square = Rect::new(0.0, 0.0, 1.0, 1.0);
            self.canvas
                .picture(self.state.matrix.transform_rect_bbox(square));
        }
        if layered {
            self.layers.end();
        }
        Ok(())
    }

    /// Draw a form, unless it stands in a layer that is turned off.
    pub(super) fn form(
        &mut self,
        form: &Stream<'a>,
        resources: &Resources<'a>,
    ) -> Result<(), Spent> {
        if !self.layers.shows() || self.depth >= DEPTH_AT_MOST {
            return Ok(());
        }
        let layered = self.layers.begin_object(form.dict());
        self.depth += 1;
        let outcome = match self.layers.shows() {
            true => self.shown_form(form, resources),
            false => Ok(()),
        };
        self.depth -= 1;
        if layered {
            self.layers.end();
        }
        outcome
    }

    fn shown_form(&mut self, form: &Stream<'a>, resources: &Resources<'a>) -> Result<(), Spent> {
        let dictionary = form.dict();
        let Some(frame) = Frame::of(dictionary) else {
            return Ok(());
        };
        let Ok(content) = form.decoded_data() else {
            return self.budget.spend(STEPS_IN_VAIN);
        };
        self.budget.spend(content.len() / BYTES_OF_A_STEP)?;
        let own = dictionary.get::<Dict<'_>>(RESOURCES).map(Resources::new);
        let before = self.state.clone();
        self.state.matrix *= frame.matrix;
        if dictionary.get::<Dict<'_>>(GROUP).is_some() {
            self.state.begin_group();
        }
        self.clip_to(self.state.matrix.transform_rect_bbox(frame.area))?;
        self.content(&content, own.as_ref().unwrap_or(resources))?;
        self.state = before;
        Ok(())
    }

    /// Draw the annotations of a page as they appear.
    pub(super) fn annotations(&mut self, page: &Page<'a>) -> Result<(), Spent> {
        let Some(annotations) = page.raw().get::<Array<'_>>(ANNOTS) else {
            return Ok(());
        };
        for annotation in annotations.iter::<Dict<'_>>() {
            let flags = annotation.get::<u32>(F).unwrap_or(0);
            if flags & (HIDDEN | NO_VIEW) != 0 {
                continue;
            }
            let (Some(form), Some(area)) =
                (appearance(&annotation), annotation.get::<PdfRect>(RECT))
            else {
                continue;
            };
            let before = self.state.clone();
            if let Some(frame) = Frame::of(form.dict()) {
                self.state.matrix *= onto(&frame, area);
                self.form(&form, page.resources())?;
            }
            self.state = before;
        }
        Ok(())
    }
}

/// What brings a form as it stands onto an area (ISO 32000-2, 12.5.5).
fn onto(frame: &Frame, area: PdfRect) -> Affine {
    let stands = frame.matrix.transform_rect_bbox(frame.area);
    let width = (area.x1 - area.x0) / stands.width();
    let height = (area.y1 - area.y0) / stands.height();
    Affine::new([
        width,
        0.0,
        0.0,
        height,
        area.x0 - width * stands.x0,
        area.y0 - height * stands.y0,
    ])
}

fn appearance<'a>(annotation: &Dict<'a>) -> Option<Stream<'a>> {
    match annotation.get::<Dict<'_>>(AP)?.get::<Object<'_>>(N)? {
        Object::Stream(form) => Some(form),
        Object::Dict(states) => annotation
            .get::<Name<'_>>(AS)
            .and_then(|state| states.get::<Stream<'_>>(state))
            .or_else(|| states.get::<Stream<'_>>(b"Off")),
        _ => None,
    }
}
