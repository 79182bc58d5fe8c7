//! Which format a file has. This module owns the signatures and the order in which content,
//! name and media type are believed; it must not read a document, and looks into a container
//! only as far as its table of contents.

mod container;
mod text;

use crate::Input;
use crate::error::ExtractError;
use crate::format::{Format, extension};

/// How far a PDF's header may stand from the start of the file, after junk that mail
/// gateways and printers put before it. Readers have always searched this far.
const PDF_HEADER_WITHIN: usize = 1024;

/// Find the format of a file: by its content where that has a signature, then by its
/// extension, then by how its text begins, then by its media type.
///
/// # Errors
///
/// [`ExtractError::Unsupported`] for an unknown format. Whether a file that is named as text is
/// text shows only when it is read.
pub fn detect(input: &Input<'_>) -> Result<Format, ExtractError> {
    let extension = extension(input.file_name);
    if let Some(found) = signature(input.bytes, &extension) {
        return found.map_err(unsupported);
    }
    if let Some(named) = Format::by_extension(&extension) {
        // Programs save tables as HTML under .xls and rich text under .doc.
        let other = text::beginning(input.bytes).filter(|_| !named.is_bare_text());
        return Ok(other.unwrap_or(named));
    }
    if has_pdf_header_near_start(input.bytes) {
        return Ok(Format::Pdf);
    }
    if let Some(format) = text::beginning(input.bytes) {
        return Ok(format);
    }
    if let Some(format) = input.content_type.and_then(Format::of_media_type) {
        return Ok(format);
    }
    Err(unsupported(if extension.is_empty() {
        "neither content, name nor media type tells what it is".to_owned()
    } else {
        format!("neither content nor media type tells what a .{extension} file is")
    }))
}

/// What the content alone says a file is; `None` when it says nothing, as most text does not.
/// The name is asked only which of several formats an unreadable container was meant to be.
pub fn content_format(bytes: &[u8], file_name: &str) -> Option<Format> {
    match signature(bytes, &extension(file_name)) {
        Some(found) => found.ok(),
        None => text::beginning(bytes),
    }
}

fn unsupported(what: String) -> ExtractError {
    ExtractError::Unsupported { what }
}

fn starts_as_pdf(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    bytes.trim_ascii_start().starts_with(b"%PDF-")
}

/// Asked only when the extension says nothing, as a text may well mention the header.
fn has_pdf_header_near_start(bytes: &[u8]) -> bool {
    let head = bytes.get(..PDF_HEADER_WITHIN).unwrap_or(bytes);
    head.windows(5).any(|window| window == b"%PDF-")
}

/// What the first bytes say. Only signatures that no text begins with, so that a text is never
/// taken for something else for its first word. `Err` names a format that is not known here.
fn signature(bytes: &[u8], extension: &str) -> Option<Result<Format, String>> {
    let starts = |signature: &[u8]| bytes.starts_with(signature);
    let at = |offset: usize, signature: &[u8]| {
        bytes
            .get(offset..)
            .is_some_and(|rest| rest.starts_with(signature))
    };
    Some(Ok(if starts_as_pdf(bytes) {
        Format::Pdf
    } else if starts(b"\xFF\xD8\xFF") {
        Format::Jpeg
    } else if starts(b"\x89PNG\r\n\x1A\n") {
        Format::Png
    } else if starts(b"GIF87a") || starts(b"GIF89a") {
        Format::Gif
    } else if starts(b"II*\0") || starts(b"MM\0*") || starts(b"II+\0") || starts(b"MM\0+") {
        Format::Tiff
    } else if starts(b"RIFF") && at(8, b"WEBP") {
        Format::Webp
    } else if starts(b"BM") && at(6, b"\0\0\0\0") {
        Format::Bmp
    } else if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
        return Some(container::zip(bytes, extension));
    } else if starts(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1") {
        return Some(container::ole(bytes, extension));
    } else if starts(b"AC10") && at(6, b"\0") {
        Format::Dwg
    } else if starts(b"AutoCAD Binary DXF\r\n\x1A\0") {
        Format::Dxf
    } else if starts(b"{\\rtf") {
        Format::Rtf
    } else {
        return None;
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8], file_name: &str, content_type: Option<&str>) -> Result<Format, String> {
        detect(&Input {
            bytes,
            file_name,
            content_type,
        })
        .map_err(|error| error.to_string())
    }

    #[test]
    fn bytes_are_believed_before_names() {
        assert_eq!(of(b"%PDF-1.7\n", "notes.txt", None), Ok(Format::Pdf));
        assert_eq!(of(b"\n %PDF-1.7\n", "scan", None), Ok(Format::Pdf));
        assert_eq!(
            of(b"HTTP junk\n%PDF-1.4", "scan.bin", None),
            Ok(Format::Pdf)
        );
        let picture = b"\x89PNG\r\n\x1A\n";
        assert_eq!(of(picture, "notes.txt", None), Ok(Format::Png));
        assert_eq!(content_format(picture, "notes.txt"), Some(Format::Png));
        assert_eq!(of(b"{\\rtf1 x}", "letter.doc", None), Ok(Format::Rtf));
    }

    #[test]
    fn a_text_may_mention_signatures() {
        assert_eq!(of(b"# On %PDF-1.7", "a.md", None), Ok(Format::Markdown));
        assert_eq!(of(b"BMW, AC1015 panel", "a.csv", None), Ok(Format::Csv));
        assert_eq!(
            of(b"<!DOCTYPE html> begins a page", "a.txt", None),
            Ok(Format::PlainText)
        );
        assert_eq!(content_format(b"BMW, AC1015 panel", "a.csv"), None);
    }

    #[test]
    fn extension_then_media_type() {
        assert_eq!(of(b"x", "A.TXT", Some("text/html")), Ok(Format::PlainText));
        assert_eq!(
            of(b"x", "a", Some("Text/HTML; charset=utf-8")),
            Ok(Format::Html)
        );
        assert_eq!(of(b"{}", "വിവരം.json", None), Ok(Format::Json));
        assert_eq!(of(b"x", "broken.pdf", None), Ok(Format::Pdf));
        assert_eq!(of(b"x", "photo.jpg", None), Ok(Format::Jpeg));
        assert_eq!(of(b"", "drawing.DXF", None), Ok(Format::Dxf));
    }

    #[test]
    fn how_a_text_begins_corrects_a_name_that_cannot_be() {
        let table = b"<html><table><tr><td>7</table>";
        assert_eq!(of(table, "report.xls", None), Ok(Format::Html));
        assert_eq!(of(table, "report", None), Ok(Format::Html));
        assert_eq!(of(b"x", "report.xls", None), Ok(Format::Xls));
    }

    #[test]
    fn what_is_not_known_is_named() {
        for (bytes, name, what) in [
            (&b"x"[..], "a.xyz", ".xyz"),
            (b"x", "No. of bogies", "neither content, name"),
            (
                b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
                "thumbs.db",
                "OLE compound file",
            ),
        ] {
            let refused = of(bytes, name, None).unwrap_err();
            assert!(refused.contains(what), "{name}: {refused}");
        }
    }
}
