//! What is active in a PDF that the structure reader cannot read, or could only with a great
//! deal of memory: looked for object by object, none of them kept. This module owns the same
//! facts as the structure reader; it must not judge them either.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hayro_syntax::object::dict::keys::{ACRO_FORM, OPEN_ACTION};
use hayro_syntax::object::{Dict, MaybeRef, Name, Object, dict_or_stream};
use hayro_syntax::{Pdf, PdfVersion};

use memchr::memmem;

use super::marked::text_string;
use super::structure::PdfStructure;
use super::widths::Widths;
use crate::error::ExtractError;
use crate::text::clean;

/// Objects within objects looked at, at most, for each object of the file.
const NESTED_AT_MOST: usize = 100_000;

/// Look through the file; `None` when that fails, which fails nothing.
///
/// # Errors
///
/// [`ExtractError::Damaged`] when a font in it cannot be read within bounds.
pub(super) fn read(pdf: &Pdf) -> Result<Option<PdfStructure>, ExtractError> {
    // Caught here and not with the rest, as the text may be readable all the same.
    let attempt = catch_unwind(AssertUnwindSafe(|| describe(pdf)));
    attempt.map_or(Ok(None), |structure| structure.map(Some))
}

fn describe(pdf: &Pdf) -> Result<PdfStructure, ExtractError> {
    let mut widths = Widths::default();
    let property = |bytes: &Option<Box<[u8]>>| {
        let text = clean(&text_string(bytes.as_deref()?));
        (!text.trim().is_empty()).then(|| text.trim().to_owned())
    };
    let mut structure = PdfStructure {
        version: version(pdf.version()).to_owned(),
        pages: u32::try_from(pdf.pages().len()).unwrap_or(u32::MAX),
        title: property(&pdf.metadata().title),
        producer: property(&pdf.metadata().producer),
        encrypted: says_encrypted(pdf.data().as_ref()),
        ..PdfStructure::default()
    };
    if let Some(catalog) = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id()) {
        structure.open_action = catalog.contains_key(OPEN_ACTION) || catalog.contains_key("AA");
        structure.xfa = catalog
            .get::<Dict<'_>>(ACRO_FORM)
            .is_some_and(|form| form.contains_key("XFA"));
    }
    for object in pdf.objects() {
        visit(object, |dictionary| {
            note_dictionary(dictionary, &mut structure);
            widths.note_seen(dictionary);
        });
    }
    widths.check().map(|()| structure)
}

fn version(version: PdfVersion) -> &'static str {
    match version {
        PdfVersion::Pdf10 => "1.0",
        PdfVersion::Pdf11 => "1.1",
        PdfVersion::Pdf12 => "1.2",
        PdfVersion::Pdf13 => "1.3",
        PdfVersion::Pdf14 => "1.4",
        PdfVersion::Pdf15 => "1.5",
        PdfVersion::Pdf16 => "1.6",
        PdfVersion::Pdf17 => "1.7",
        PdfVersion::Pdf20 => "2.0",
    }
}

/// The trailer, which says so, is never compressed but in a stream whose dictionary says so.
fn says_encrypted(bytes: &[u8]) -> bool {
    memmem::find(bytes, b"/Encrypt").is_some()
}

/// Visit the dictionaries of an object and of all that is nested in it directly, with the depth
/// on the heap.
fn visit<'a>(object: Object<'a>, mut note: impl FnMut(&Dict<'a>)) {
    let mut pending = vec![object];
    for _ in 0..NESTED_AT_MOST {
        let Some(object) = pending.pop() else {
            return;
        };
        if let Some((dictionary, _)) = dict_or_stream(&object) {
            note(dictionary);
            pending.extend(dictionary.entries().filter_map(|(_, value)| direct(value)));
        } else if let Object::Array(items) = &object {
            pending.extend(items.raw_iter().filter_map(direct));
        }
    }
}

fn direct(value: MaybeRef<Object<'_>>) -> Option<Object<'_>> {
    match value {
        MaybeRef::NotRef(object @ (Object::Dict(_) | Object::Array(_) | Object::Stream(_))) => {
            Some(object)
        }
        _ => None,
    }
}

fn note_dictionary(dictionary: &Dict<'_>, structure: &mut PdfStructure) {
    let names = |key: &str, value: &[u8]| {
        let name = dictionary.get::<Name<'_>>(key);
        name.is_some_and(|name| name.as_ref() == value)
    };
    structure.javascript |= names("S", b"JavaScript") || dictionary.contains_key("JS");
    structure.launch_actions |= names("S", b"Launch");
    structure.embedded_files += u32::from(dictionary.contains_key("EF"));
    structure.signatures |= names("Type", b"Sig")
        || names("Type", b"DocTimeStamp")
        || (names("FT", b"Sig") && dictionary.contains_key("V"));
}
