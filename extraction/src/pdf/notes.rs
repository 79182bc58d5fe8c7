//! What annotations and form fields say without drawing it: values of fields that have no
//! appearance, and the comments behind marks. This module owns which of it belongs to the page's
//! text; what annotations draw is read with the page.

use hayro_syntax::object::dict::keys::{ANNOTS, AP, F, FT, N, PARENT, RECT, SUBTYPE, V};
use hayro_syntax::object::{Array, Dict, Name, Object, Rect as PdfRect, String as PdfString};
use hayro_syntax::page::Page;
use kurbo::{Affine, Rect};

use super::marked::text_string;

/// Annotations of a page looked at, at most.
const ANNOTATIONS_AT_MOST: usize = 10_000;
/// Fields inherit their value from this many fields above, at most.
const DEPTH_AT_MOST: usize = 16;

const HIDDEN: u32 = 1 << 1;
const NO_VIEW: u32 = 1 << 5;
/// The flag of a field whose value is not to be shown.
const PASSWORD: u32 = 1 << 13;

/// Marks whose comment is text of its own. Links describe their target, pop-ups repeat the
/// comment of their mark, and what free text says it draws.
const COMMENTED: [&[u8]; 15] = [
    b"Text",
    b"Highlight",
    b"Underline",
    b"Squiggly",
    b"StrikeOut",
    b"Square",
    b"Circle",
    b"Line",
    b"Polygon",
    b"PolyLine",
    b"Ink",
    b"Stamp",
    b"Caret",
    b"FileAttachment",
    b"Redact",
];

/// What the annotations of a page say beside what they draw.
#[derive(Default)]
pub(super) struct Notes {
    /// Text that belongs to a place of the page as shown.
    pub placed: Vec<(Rect, String)>,
    pub comments: Vec<String>,
}

pub(super) fn read(page: &Page<'_>) -> Notes {
    let mut notes = Notes::default();
    let Some(annotations) = page.raw().get::<Array<'_>>(ANNOTS) else {
        return notes;
    };
    let shown = Affine::new(page.initial_transform(true).as_coeffs());
    for annotation in annotations.iter::<Dict<'_>>().take(ANNOTATIONS_AT_MOST) {
        if annotation.get::<u32>(F).unwrap_or(0) & (HIDDEN | NO_VIEW) != 0 {
            continue;
        }
        let subtype = annotation.get::<Name<'_>>(SUBTYPE);
        let subtype: &[u8] = subtype.as_deref().unwrap_or_default();
        let says = match subtype {
            b"Widget" if !is_drawn(&annotation) => value(&annotation),
            b"FreeText" if !is_drawn(&annotation) => contents(&annotation),
            _ if COMMENTED.contains(&subtype) => {
                notes.comments.extend(contents(&annotation));
                None
            }
            _ => None,
        };
        if let (Some(text), Some(area)) = (says, annotation.get::<PdfRect>(RECT)) {
            let area = Rect::new(area.x0, area.y0, area.x1, area.y1);
            notes.placed.push((shown.transform_rect_bbox(area), text));
        }
    }
    notes
}

fn is_drawn(annotation: &Dict<'_>) -> bool {
    annotation
        .get::<Dict<'_>>(AP)
        .is_some_and(|appearance| appearance.contains_key(N))
}

fn contents(annotation: &Dict<'_>) -> Option<String> {
    let text = text_string(annotation.get::<PdfString<'_>>("Contents")?.as_bytes());
    (!text.trim().is_empty()).then_some(text)
}

/// The value of a text or choice field, which it may have from a field above.
fn value(widget: &Dict<'_>) -> Option<String> {
    let (mut kind, mut flags, mut value) = (None, None, None);
    let mut field = Some(widget.clone());
    for _ in 0..DEPTH_AT_MOST {
        let Some(here) = field else { break };
        kind = kind.or_else(|| here.get::<Name<'_>>(FT).map(|name| name.to_vec()));
        flags = flags.or_else(|| here.get::<u32>("Ff"));
        value = value.or_else(|| here.get::<Object<'_>>(V));
        field = here.get::<Dict<'_>>(PARENT);
    }
    if !matches!(kind.as_deref(), Some(b"Tx" | b"Ch")) || flags.unwrap_or(0) & PASSWORD != 0 {
        return None;
    }
    let text = match value? {
        Object::String(text) => text_string(text.as_bytes()),
        Object::Array(values) => {
            let values = values
                .iter::<PdfString<'_>>()
                .map(|text| text_string(text.as_bytes()));
            values.collect::<Vec<_>>().join(" ")
        }
        _ => return None,
    };
    (!text.trim().is_empty()).then_some(text)
}
