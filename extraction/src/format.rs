//! The formats that the gateway knows: their media types and extensions. This module owns that
//! table and must not look at content.

use serde::{Deserialize, Serialize};

/// A format that is known, whether this version reads it or not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
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
    /// HTML.
    Html,
    /// Rich Text Format.
    Rtf,
    /// Word, as Office Open XML.
    Docx,
    /// PowerPoint, as Office Open XML.
    Pptx,
    /// Excel, as Office Open XML.
    Xlsx,
    /// Word of 1997 to 2003.
    Doc,
    /// PowerPoint of 1997 to 2003.
    Ppt,
    /// Excel of 1997 to 2003.
    Xls,
    /// OpenDocument text.
    Odt,
    /// OpenDocument presentation.
    Odp,
    /// OpenDocument spreadsheet.
    Ods,
    /// An e-mail as it travels (RFC 5322).
    Eml,
    /// An e-mail as Outlook saves it.
    Msg,
    /// A zip archive that is none of the formats above.
    Zip,
    /// Drawing Exchange Format, text or binary.
    Dxf,
    /// AutoCAD drawing.
    Dwg,
    /// STEP product data (ISO 10303-21).
    Step,
    /// IGES drawing.
    Iges,
    /// JPEG picture.
    Jpeg,
    /// PNG picture.
    Png,
    /// GIF picture.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF picture, of one page or many.
    Tiff,
    /// WebP picture.
    Webp,
}

/// What stands behind a [`Format`].
struct Entry {
    format: Format,
    /// The first is the registered one.
    media_types: &'static [&'static str],
    /// The first is the usual one.
    extensions: &'static [&'static str],
}

const fn entry(
    format: Format,
    media_types: &'static [&'static str],
    extensions: &'static [&'static str],
) -> Entry {
    Entry {
        format,
        media_types,
        extensions,
    }
}

const TABLE: &[Entry] = &[
    entry(
        Format::Pdf,
        &["application/pdf", "application/x-pdf"],
        &["pdf"],
    ),
    entry(
        Format::PlainText,
        &["text/plain", "text/x-rst"],
        &["txt", "text", "log", "rst"],
    ),
    entry(
        Format::Markdown,
        &["text/markdown", "text/x-markdown"],
        &["md", "markdown"],
    ),
    entry(Format::Csv, &["text/csv"], &["csv"]),
    entry(Format::Json, &["application/json"], &["json"]),
    entry(Format::Xml, &["application/xml", "text/xml"], &["xml"]),
    entry(
        Format::Html,
        &["text/html", "application/xhtml+xml"],
        &["html", "htm", "xhtml"],
    ),
    entry(
        Format::Rtf,
        &["application/rtf", "text/rtf", "text/richtext"],
        &["rtf"],
    ),
    entry(
        Format::Docx,
        &[
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.template",
            "application/vnd.ms-word.document.macroenabled.12",
            "application/vnd.ms-word.template.macroenabled.12",
        ],
        &["docx", "docm", "dotx", "dotm"],
    ),
    entry(
        Format::Pptx,
        &[
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            "application/vnd.openxmlformats-officedocument.presentationml.slideshow",
            "application/vnd.openxmlformats-officedocument.presentationml.template",
            "application/vnd.ms-powerpoint.presentation.macroenabled.12",
        ],
        &["pptx", "pptm", "ppsx", "ppsm", "potx", "potm"],
    ),
    entry(
        Format::Xlsx,
        &[
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.template",
            "application/vnd.ms-excel.sheet.macroenabled.12",
        ],
        &["xlsx", "xlsm", "xltx", "xltm"],
    ),
    entry(Format::Doc, &["application/msword"], &["doc", "dot"]),
    entry(
        Format::Ppt,
        &["application/vnd.ms-powerpoint"],
        &["ppt", "pps", "pot"],
    ),
    entry(Format::Xls, &["application/vnd.ms-excel"], &["xls", "xlt"]),
    entry(
        Format::Odt,
        &["application/vnd.oasis.opendocument.text"],
        &["odt", "ott"],
    ),
    entry(
        Format::Odp,
        &["application/vnd.oasis.opendocument.presentation"],
        &["odp", "otp"],
    ),
    entry(
        Format::Ods,
        &["application/vnd.oasis.opendocument.spreadsheet"],
        &["ods", "ots"],
    ),
    entry(Format::Eml, &["message/rfc822"], &["eml"]),
    entry(Format::Msg, &["application/vnd.ms-outlook"], &["msg"]),
    entry(
        Format::Zip,
        &["application/zip", "application/x-zip-compressed"],
        &["zip"],
    ),
    entry(
        Format::Dxf,
        &["image/vnd.dxf", "application/dxf", "image/x-dxf"],
        &["dxf"],
    ),
    entry(
        Format::Dwg,
        &["image/vnd.dwg", "application/acad", "image/x-dwg"],
        &["dwg"],
    ),
    entry(
        Format::Step,
        &["model/step", "application/step"],
        &["step", "stp"],
    ),
    entry(
        Format::Iges,
        &["model/iges", "application/iges"],
        &["iges", "igs"],
    ),
    entry(
        Format::Jpeg,
        &["image/jpeg", "image/jpg", "image/pjpeg"],
        &["jpg", "jpeg", "jpe"],
    ),
    entry(Format::Png, &["image/png"], &["png"]),
    entry(Format::Gif, &["image/gif"], &["gif"]),
    entry(
        Format::Bmp,
        &["image/bmp", "image/x-ms-bmp"],
        &["bmp", "dib"],
    ),
    entry(Format::Tiff, &["image/tiff"], &["tif", "tiff"]),
    entry(Format::Webp, &["image/webp"], &["webp"]),
];

impl Format {
    /// Every format.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|entry| entry.format)
    }

    fn entry(self) -> Option<&'static Entry> {
        TABLE.iter().find(|entry| entry.format == self)
    }

    /// The registered media type of the format.
    pub fn media_type(self) -> &'static str {
        self.entry()
            .and_then(|entry| entry.media_types.first())
            .unwrap_or(&"application/octet-stream")
    }

    /// The usual extension of the format, without a dot.
    pub fn extension(self) -> &'static str {
        self.entry()
            .and_then(|entry| entry.extensions.first())
            .unwrap_or(&"bin")
    }

    /// The format that the extension of a file's name stands for.
    pub fn of_file_name(file_name: &str) -> Option<Self> {
        Self::by_extension(&extension(file_name))
    }

    pub(crate) fn by_extension(extension: &str) -> Option<Self> {
        TABLE
            .iter()
            .find(|entry| entry.extensions.contains(&extension))
            .map(|entry| entry.format)
    }

    /// The format that a media type stands for, its parameters left aside.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let essence = essence.to_ascii_lowercase();
        TABLE
            .iter()
            .find(|entry| entry.media_types.contains(&essence.as_str()))
            .map(|entry| entry.format)
    }

    /// Whether it is text that nothing need mark: content then tells nothing for or against it.
    pub const fn is_bare_text(self) -> bool {
        matches!(
            self,
            Self::PlainText | Self::Markdown | Self::Csv | Self::Json | Self::Xml | Self::Html
        )
    }

    /// Whether it is a picture, whose characters have to be recognised.
    pub const fn is_picture(self) -> bool {
        matches!(
            self,
            Self::Jpeg | Self::Png | Self::Gif | Self::Bmp | Self::Tiff | Self::Webp
        )
    }
}

/// The extension in lower case; empty when there is none or when it is none: what follows the
/// last dot of a sentence is cut off by its length and its characters.
pub(crate) fn extension(file_name: &str) -> String {
    match file_name.rsplit_once('.') {
        Some((_, extension))
            if extension.len() <= 10 && extension.bytes().all(|b| b.is_ascii_alphanumeric()) =>
        {
            extension.to_ascii_lowercase()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_stands_for_one_format() {
        let mut seen = BTreeSet::new();
        for entry in TABLE {
            for name in entry.media_types.iter().chain(entry.extensions) {
                assert!(seen.insert(name), "{name} stands for two");
                assert_eq!(*name, name.to_ascii_lowercase());
            }
            assert_eq!(
                Format::of_media_type(entry.format.media_type()),
                Some(entry.format)
            );
            let name = format!("a.{}", entry.format.extension());
            assert_eq!(Format::of_file_name(&name), Some(entry.format));
        }
        assert_eq!(Format::all().count(), 30);
    }
}
