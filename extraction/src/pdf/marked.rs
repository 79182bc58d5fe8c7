//! Replacement text: what a producer says a stretch of marked content reads as, whatever its
//! glyphs are (ActualText, ISO 32000-2, 14.9.4). Shaped scripts such as Malayalam depend on
//! it. This module owns which replacement is in force; it must not place text.

use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE};
use hayro_syntax::object::{Dict, String as PdfString};
use lopdf::{Object, StringFormat, decode_text_string};

/// How a glyph is to be read.
pub(super) enum Reads {
    /// As itself.
    Itself,
    /// As the replacement for it and the glyphs that follow.
    As(String),
    /// As nothing: the replacement was given with an earlier glyph.
    Nothing,
}

/// The marked content around the present point of a page.
#[derive(Default)]
pub(super) struct MarkedContent {
    /// How many sequences are open.
    depth: usize,
    replacement: Option<Replacement>,
}

struct Replacement {
    /// The depth of the sequence that it belongs to.
    depth: usize,
    /// `None` once given.
    text: Option<String>,
}

impl MarkedContent {
    pub(super) fn begin(&mut self, properties: Option<&Dict<'_>>) {
        self.depth += 1;
        // A replacement stands for all that is nested in it, inner replacements included.
        if self.replacement.is_none()
            && let Some(text) = properties.and_then(|dict| dict.get::<PdfString<'_>>("ActualText"))
        {
            self.replacement = Some(Replacement {
                depth: self.depth,
                text: Some(text_string(text.as_bytes())),
            });
        }
    }

    pub(super) fn end(&mut self) {
        self.replacement
            .take_if(|replacement| replacement.depth >= self.depth);
        self.depth = self.depth.saturating_sub(1);
    }

    /// Called once for each glyph, in order.
    pub(super) fn next_glyph(&mut self) -> Reads {
        match &mut self.replacement {
            None => Reads::Itself,
            Some(replacement) => replacement.text.take().map_or(Reads::Nothing, Reads::As),
        }
    }
}

/// Decode a text string of a PDF: UTF-16 or UTF-8 when it says so, else PDFDocEncoding.
pub(super) fn text_string(bytes: &[u8]) -> String {
    let lossy = |encoding: &'static encoding_rs::Encoding, body: &[u8]| {
        encoding.decode_without_bom_handling(body).0.into_owned()
    };
    if let Some(body) = bytes.strip_prefix(b"\xFE\xFF") {
        lossy(UTF_16BE, body)
    } else if let Some(body) = bytes.strip_prefix(b"\xFF\xFE") {
        lossy(UTF_16LE, body)
    } else if let Some(body) = bytes.strip_prefix(b"\xEF\xBB\xBF") {
        lossy(UTF_8, body)
    } else {
        let string = Object::String(bytes.to_vec(), StringFormat::Literal);
        // Bytes that the encoding leaves undefined are shown as unmapped, not dropped.
        decode_text_string(&string).unwrap_or_else(|_| char::REPLACEMENT_CHARACTER.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_strings_say_their_encoding() {
        assert_eq!(text_string(b"\xFE\xFF\x0D\x15\x0D\x4A"), "കൊ");
        assert_eq!(text_string(b"\xFF\xFE\x15\x0D"), "ക");
        assert_eq!(text_string("\u{FEFF}കൊ".as_bytes()), "കൊ");
        assert_eq!(text_string(b"10 \x80 Fl\xFCgel"), "10 • Flügel");
    }
}
