//! Which format a file has. This module owns the signatures, extensions and media types; it
//! must not read further than the first kilobyte, and it believes bytes before names.

use serde::{Deserialize, Serialize};

use crate::Input;
use crate::error::ExtractError;

/// A format that can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Portable Document Format.
    Pdf,
    /// Text without markup, reStructuredText included.
    PlainText,
    /// Markdown, read as it stands.
    Markdown,
    /// Comma-separated values, read as they stand.
    Csv,
    /// JSON, read as it stands.
    Json,
    /// XML, read as it stands.
    Xml,
    /// HTML, read as it stands, markup included.
    Html,
}

impl Format {
    /// The registered media type of the format.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::PlainText => "text/plain",
            Self::Markdown => "text/markdown",
            Self::Csv => "text/csv",
            Self::Json => "application/json",
            Self::Xml => "application/xml",
            Self::Html => "text/html",
        }
    }

    fn by_extension(extension: &str) -> Option<Self> {
        Some(match extension {
            "pdf" => Self::Pdf,
            "txt" | "text" | "log" | "rst" => Self::PlainText,
            "md" | "markdown" => Self::Markdown,
            "csv" => Self::Csv,
            "json" => Self::Json,
            "xml" => Self::Xml,
            "html" | "htm" => Self::Html,
            _ => return None,
        })
    }

    fn by_media_type(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        Some(match essence.to_ascii_lowercase().as_str() {
            "application/pdf" | "application/x-pdf" => Self::Pdf,
            "text/plain" | "text/x-rst" => Self::PlainText,
            "text/markdown" => Self::Markdown,
            "text/csv" => Self::Csv,
            "application/json" => Self::Json,
            "application/xml" | "text/xml" => Self::Xml,
            "text/html" => Self::Html,
            _ => return None,
        })
    }
}

/// How far a PDF's header may stand from the start of the file, after junk that mail
/// gateways and printers put before it. Readers have always searched this far.
const PDF_HEADER_WITHIN: usize = 1024;

/// Find the format of a file: by its first bytes, then by its extension, then by its media
/// type.
///
/// # Errors
///
/// [`ExtractError::Unsupported`] for a format that is known but not read, and for an unknown
/// one. Whether a file that is named as text is text shows only when it is read.
pub fn detect(input: &Input<'_>) -> Result<Format, ExtractError> {
    let extension = extension(input.file_name);
    if starts_as_pdf(input.bytes) {
        return Ok(Format::Pdf);
    }
    if let Some(what) = foreign_signature(input.bytes, &extension) {
        return Err(unsupported(what));
    }
    if let Some(format) = Format::by_extension(&extension) {
        return Ok(format);
    }
    if let Some(what) = foreign_extension(&extension) {
        return Err(unsupported(what));
    }
    if has_pdf_header_near_start(input.bytes) {
        return Ok(Format::Pdf);
    }
    if let Some(format) = input.content_type.and_then(Format::by_media_type) {
        return Ok(format);
    }
    Err(unsupported(if extension.is_empty() {
        "neither content, name nor media type tells what it is".to_owned()
    } else {
        format!("neither content nor media type tells what a .{extension} file is")
    }))
}

fn unsupported(what: String) -> ExtractError {
    ExtractError::Unsupported { what }
}

/// The extension in lower case; empty when there is none or when it is none: what follows the
/// last dot of a sentence is cut off by its length and its characters.
fn extension(file_name: &str) -> String {
    match file_name.rsplit_once('.') {
        Some((_, extension))
            if extension.len() <= 10 && extension.bytes().all(|b| b.is_ascii_alphanumeric()) =>
        {
            extension.to_ascii_lowercase()
        }
        _ => String::new(),
    }
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

/// Formats known by their first bytes that are not read. Only signatures that no text begins
/// with, so that a text is never refused for its first word.
fn foreign_signature(bytes: &[u8], extension: &str) -> Option<String> {
    let starts = |signature: &[u8]| bytes.starts_with(signature);
    let at = |offset: usize, signature: &[u8]| {
        bytes
            .get(offset..)
            .is_some_and(|rest| rest.starts_with(signature))
    };
    if starts(b"\xFF\xD8\xFF") {
        Some(image("jpeg"))
    } else if starts(b"\x89PNG\r\n\x1A\n") {
        Some(image("png"))
    } else if starts(b"GIF87a") || starts(b"GIF89a") {
        Some(image("gif"))
    } else if starts(b"II*\0") || starts(b"MM\0*") {
        Some(image("tiff"))
    } else if starts(b"RIFF") && at(8, b"WEBP") {
        Some(image("webp"))
    } else if starts(b"BM") && at(6, b"\0\0\0\0") {
        Some(image("bmp"))
    } else if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
        Some(package(extension, &["docx", "xlsx", "pptx"], "zip"))
    } else if starts(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1") {
        let known = ["doc", "xls", "ppt", "msg"];
        Some(package(extension, &known, "OLE compound file"))
    } else if starts(b"AC10") && at(6, b"\0") {
        Some("dwg".to_owned())
    } else if starts(b"{\\rtf") {
        Some("rtf".to_owned())
    } else {
        None
    }
}

fn image(subtype: &str) -> String {
    format!("image/{subtype} needs character recognition, which this version does not do")
}

/// Many formats share one container, and only the name tells them apart this early.
fn package(extension: &str, known: &[&str], container: &str) -> String {
    known
        .iter()
        .find(|name| **name == extension)
        .unwrap_or(&container)
        .to_string()
}

/// Formats known by extension that are not read, for files whose bytes did not tell.
fn foreign_extension(extension: &str) -> Option<String> {
    match extension {
        "jpg" | "jpeg" => Some(image("jpeg")),
        "tif" | "tiff" => Some(image("tiff")),
        "png" | "gif" | "bmp" | "webp" => Some(image(extension)),
        "docx" | "doc" | "xlsx" | "xls" | "pptx" | "ppt" | "rtf" | "odt" | "ods" | "odp"
        | "eml" | "msg" | "zip" => Some(extension.to_owned()),
        "dwg" | "dxf" | "step" | "stp" | "iges" | "igs" => Some(format!("{extension} drawing")),
        _ => None,
    }
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
        let refused = of(b"\x89PNG\r\n\x1A\n", "notes.txt", None).unwrap_err();
        assert!(refused.contains("image/png needs character recognition"));
    }

    #[test]
    fn a_text_may_mention_signatures() {
        assert_eq!(of(b"# On %PDF-1.7", "a.md", None), Ok(Format::Markdown));
        assert_eq!(of(b"BMW, AC1015 panel", "a.csv", None), Ok(Format::Csv));
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
    }

    #[test]
    fn what_is_not_read_is_named() {
        for (bytes, name, what) in [
            (&b"PK\x03\x04"[..], "handbook.docx", "docx"),
            (b"PK\x03\x04", "handbook", "zip"),
            (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "old.xls", "xls"),
            (b"", "drawing.DXF", "dxf drawing"),
            (b"x", "photo.jpg", "image/jpeg"),
            (b"x", "a.xyz", ".xyz"),
            (b"x", "No. of bogies", "neither content, name"),
        ] {
            let refused = of(bytes, name, None).unwrap_err();
            assert!(refused.contains(what), "{name}: {refused}");
        }
    }
}
