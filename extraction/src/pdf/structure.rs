//! What a PDF holds beside its text: what it says of itself, and what in it is active. This
//! module owns the facts; it must not judge whether they are welcome.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lopdf::{DecompressError, Dictionary, Document, LoadOptions, Object, decode_text_string};
use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::widths::Widths;
use super::{bombs, bounds};
use crate::error::ExtractError;
use crate::limits::Limits;
use crate::text::clean;

/// What a PDF holds beside its text.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PdfStructure {
    /// The version in the file's header, such as `1.7`.
    pub version: String,
    /// Pages in the page tree.
    pub pages: u32,
    /// The title that the document gives itself.
    pub title: Option<String>,
    /// The program that wrote the file.
    pub producer: Option<String>,
    /// Whether the file is encrypted; its text may be readable nonetheless.
    pub encrypted: bool,
    /// Whether a script is anywhere in it.
    pub javascript: bool,
    /// Whether an action in it starts a program or opens another file.
    pub launch_actions: bool,
    /// Whether it does something by itself when opened or closed.
    pub open_action: bool,
    /// Files attached to it.
    pub embedded_files: u32,
    /// Whether it carries a digital signature; nothing is said of its validity.
    pub signatures: bool,
    /// Whether it has an XFA form, whose text is not on its pages.
    pub xfa: bool,
}

/// Objects packed into object streams that this parser is given, at most: it takes some three
/// kilobytes of memory for each.
const PACKED_AT_MOST: usize = 20_000;

/// Read the structure; `None` when this parser cannot, which fails nothing.
///
/// # Errors
///
/// [`ExtractError::TooLarge`] when a stream would unpack beyond the limit, and
/// [`ExtractError::Damaged`] when a font would.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Option<PdfStructure>, ExtractError> {
    // Whoever does not read the structure does not bound what streams unpack to.
    let unread = || bombs::check(bytes, limits).map(|()| None);
    if packs_too_much(bytes) {
        return unread();
    }
    let options = LoadOptions::with_max_decompressed_size(limits.max_decompressed_bytes);
    // Caught here and not with the rest, as the text may be readable all the same.
    let attempt = catch_unwind(AssertUnwindSafe(|| {
        match Document::load_mem_with_options(bytes, options) {
            Ok(document) => {
                bounds::check(&document, limits)?;
                describe(&document).map(Some)
            }
            Err(error) if is_over_limit(&error) => {
                limits.check_decompressed(usize::MAX).map(|()| None)
            }
            Err(_) => unread(),
        }
    }));
    attempt.unwrap_or_else(|_| unread())
}

/// Whether object streams say that they hold more objects than are worth their memory here.
pub(super) fn packs_too_much(bytes: &[u8]) -> bool {
    /// The dictionary of an object stream is short.
    const AROUND: usize = 200;
    let mut packed = 0_usize;
    for at in memmem::find_iter(bytes, b"/ObjStm") {
        let near = bytes.get(at.saturating_sub(AROUND)..bytes.len().min(at + AROUND));
        packed = packed.saturating_add(near.and_then(count).unwrap_or(0));
    }
    packed > PACKED_AT_MOST
}

/// The number after the key `N`.
fn count(dictionary: &[u8]) -> Option<usize> {
    let is_key =
        |window: &[u8]| matches!(window, [b'/', b'N', after] if after.is_ascii_whitespace());
    let at = dictionary.windows(3).position(is_key)?;
    let digits = dictionary.get(at + 3..)?.trim_ascii_start();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()
}

pub(super) fn is_over_limit(error: &lopdf::Error) -> bool {
    matches!(
        error,
        lopdf::Error::Decompress(DecompressError::MemoryLimitExceeded { .. })
    )
}

fn describe(document: &Document) -> Result<PdfStructure, ExtractError> {
    let mut widths = Widths::default();
    let info = dictionary(document, &document.trailer, b"Info");
    let property = |key: &[u8]| {
        let value = info?.get_deref(key, document).ok()?;
        let text = clean(&decode_text_string(value).ok()?);
        (!text.trim().is_empty()).then(|| text.trim().to_owned())
    };
    let mut structure = PdfStructure {
        version: document.version.clone(),
        pages: u32::try_from(document.page_iter().count()).unwrap_or(u32::MAX),
        title: property(b"Title"),
        producer: property(b"Producer"),
        encrypted: document.was_encrypted() || document.is_encrypted(),
        ..PdfStructure::default()
    };
    if let Ok(catalog) = document.catalog() {
        structure.open_action = catalog.has(b"OpenAction") || catalog.has(b"AA");
        structure.xfa =
            dictionary(document, catalog, b"AcroForm").is_some_and(|form| form.has(b"XFA"));
    }
    // Every object is looked at, not only those that the catalog leads to: what a reader's
    // repair might reach counts as being there.
    for object in document.objects.values() {
        visit(object, |dictionary| {
            note_active_parts(dictionary, &mut structure);
            widths.note(dictionary, document);
        });
    }
    widths.check().map(|()| structure)
}

fn dictionary<'a>(
    document: &'a Document,
    holder: &'a Dictionary,
    key: &[u8],
) -> Option<&'a Dictionary> {
    holder.get_deref(key, document).ok()?.as_dict().ok()
}

/// Visit the dictionaries of an object and of all that is nested in it directly. Depth is on the
/// heap, as the input chooses it.
fn visit<'a>(object: &'a Object, mut note: impl FnMut(&'a Dictionary)) {
    let mut pending = vec![object];
    while let Some(object) = pending.pop() {
        let dictionary = match object {
            Object::Dictionary(dictionary) => dictionary,
            Object::Stream(stream) => &stream.dict,
            Object::Array(items) => {
                pending.extend(items);
                continue;
            }
            _ => continue,
        };
        note(dictionary);
        pending.extend(dictionary.iter().map(|(_, value)| value));
    }
}

fn note_active_parts(dictionary: &Dictionary, structure: &mut PdfStructure) {
    let names = |key: &[u8], value: &[u8]| matches!(dictionary.get(key), Ok(Object::Name(name)) if name == value);
    structure.javascript |= names(b"S", b"JavaScript") || dictionary.has(b"JS");
    structure.launch_actions |= names(b"S", b"Launch");
    structure.embedded_files += u32::from(dictionary.has(b"EF"));
    structure.signatures |= names(b"Type", b"Sig")
        || names(b"Type", b"DocTimeStamp")
        || (names(b"FT", b"Sig") && dictionary.has(b"V"));
}
