//! Whether name, declared type and content of a file say the same. This module owns how far they
//! may differ because programs and clients have always let them; it must not look into containers.

use super::name::extension_of;
use crate::format::Format;

/// Types that clients declare when they do not know.
const SAY_NOTHING: &[&str] = &[
    "",
    "*/*",
    "application/octet-stream",
    "binary/octet-stream",
    "application/binary",
    "application/unknown",
    "application/x-unknown",
    "application/download",
    "application/x-download",
    "application/force-download",
    "application/x-force-download",
];
/// Types of packages, declared for whatever is one.
const PACKAGE: &[&str] = &[
    "application/zip",
    "application/x-zip",
    "application/x-zip-compressed",
    "application/zip-compressed",
    "multipart/x-zip",
];
/// The same for compound files.
const COMPOUND: &[&str] = &["application/x-ole-storage", "application/cdfv2"];
/// Types of what no document is.
const NO_DOCUMENT: &[&str] = &[
    "application/x-msdownload",
    "application/x-msdos-program",
    "application/x-dosexec",
    "application/vnd.microsoft.portable-executable",
    "application/x-executable",
    "application/x-elf",
    "application/x-mach-binary",
    "application/x-msi",
    "application/java-archive",
    "application/java-vm",
    "application/x-sh",
    "application/x-csh",
    "application/x-shellscript",
    "text/x-shellscript",
    "application/x-httpd-php",
    "application/x-php",
    "application/javascript",
    "application/x-javascript",
    "text/javascript",
    "application/hta",
];
/// How much of a text is looked at for what no text holds.
const HEAD: usize = 64 * 1024;

/// What formats share a container or a way of being written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Text,
    Package,
    Compound,
    Picture,
    Drawing,
    Pdf,
}

const fn family(format: Format) -> Family {
    match format {
        Format::Pdf => Family::Pdf,
        Format::PlainText
        | Format::Markdown
        | Format::Csv
        | Format::Json
        | Format::Xml
        | Format::Html
        | Format::Rtf
        | Format::Eml
        | Format::Step
        | Format::Iges => Family::Text,
        Format::Docx
        | Format::Pptx
        | Format::Xlsx
        | Format::Odt
        | Format::Odp
        | Format::Ods
        | Format::Zip => Family::Package,
        Format::Doc | Format::Ppt | Format::Xls | Format::Msg => Family::Compound,
        Format::Jpeg | Format::Png | Format::Gif | Format::Bmp | Format::Tiff | Format::Webp => {
            Family::Picture
        }
        Format::Dxf | Format::Dwg => Family::Drawing,
    }
}

/// Check all three; what does not agree as a sentence.
pub(super) fn check(
    name: &str,
    declared: Option<&str>,
    bytes: &[u8],
    content: Option<Format>,
) -> Result<(), String> {
    let extension = extension_of(name);
    let named = Format::by_extension(&extension);
    if let Some(named) = named
        && !content_fits(named, bytes, content)
    {
        return Err(match content {
            Some(content) => format!(
                "the name says {}, the content is {}",
                named.media_type(),
                content.media_type()
            ),
            None => format!(
                "the name says {}, the content is not that",
                named.media_type()
            ),
        });
    }
    let Some(meant) = named.or(content) else {
        return Ok(());
    };
    declared_fits(declared.unwrap_or_default(), meant, content)
}

/// The content is what the name says, or what programs save under such names.
fn content_fits(named: Format, bytes: &[u8], content: Option<Format>) -> bool {
    match (named, content) {
        (_, Some(content)) if content == named => true,
        // A picture or a page may well be what somebody named `text`; a package may not.
        (_, Some(content)) if named.is_bare_text() => {
            family(content) == Family::Text || content == Format::Dxf
        }
        (Format::Zip, Some(content)) => family(content) == Family::Package,
        (Format::Xls | Format::Doc, Some(Format::Html | Format::Xml)) => true,
        (Format::Doc, Some(Format::Rtf)) => true,
        (Format::Eml, Some(content)) => content.is_bare_text(),
        (_, Some(_)) => false,
        (Format::Pdf, None) => has_pdf_header(bytes),
        // Drawings of old, and some that begin with what their format does not know.
        (Format::Dwg, None) => bytes.starts_with(b"AC"),
        (Format::Eml | Format::Dxf | Format::Iges, None) => is_text(bytes),
        (named, None) => named.is_bare_text() && is_text(bytes),
    }
}

/// Readers look for it in the first kilobyte.
fn has_pdf_header(bytes: &[u8]) -> bool {
    let head = bytes.get(..1024).unwrap_or(bytes);
    head.windows(5).any(|window| window == b"%PDF-")
}

/// Text has no NUL, but in UTF-16 and UTF-32, where about every other byte is one; and hardly any
/// control characters.
fn is_text(bytes: &[u8]) -> bool {
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    let marked = head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF");
    let nuls = head.iter().filter(|byte| **byte == 0).count();
    if marked || nuls * 5 >= head.len() * 2 && nuls * 10 <= head.len() * 8 && nuls > 0 {
        return true;
    }
    let is_odd = |byte: &&u8| matches!(**byte, 1..=6 | 14..=25 | 28..=31);
    nuls == 0 && head.iter().filter(is_odd).count() * 20 <= head.len()
}

/// The declared type fits what the file is meant to be.
fn declared_fits(declared: &str, meant: Format, content: Option<Format>) -> Result<(), String> {
    let essence = declared.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    let essence = essence.as_str();
    let kind = family(meant);
    let fits = match Format::of_media_type(essence) {
        _ if SAY_NOTHING.contains(&essence) => true,
        _ if NO_DOCUMENT.contains(&essence) => false,
        _ if PACKAGE.contains(&essence) => kind == Family::Package,
        _ if COMPOUND.contains(&essence) => kind == Family::Compound,
        Some(told) if told == meant || Some(told) == content => true,
        // Texts are declared as one another all the time.
        Some(told) if family(told) == Family::Text => kind == Family::Text || meant == Format::Dxf,
        // What office programs register for themselves, old and new, and Excel for tables of text.
        Some(Format::Xls | Format::Xlsx) => {
            matches!(
                meant,
                Format::Xls | Format::Xlsx | Format::Ods | Format::Csv
            )
        }
        Some(Format::Doc | Format::Docx) => {
            matches!(
                meant,
                Format::Doc | Format::Docx | Format::Odt | Format::Rtf
            )
        }
        Some(Format::Ppt | Format::Pptx) => {
            matches!(meant, Format::Ppt | Format::Pptx | Format::Odp)
        }
        Some(Format::Dwg | Format::Dxf) => kind == Family::Drawing,
        Some(_) => false,
        // A type that is not known here: it must not be one of another kind altogether.
        None => match essence.split('/').next().unwrap_or_default() {
            "image" => matches!(kind, Family::Picture | Family::Drawing),
            "audio" | "video" | "font" => false,
            _ => true,
        },
    };
    if fits {
        return Ok(());
    }
    Err(format!(
        "the declared type is another than {}, which the file is",
        meant.media_type()
    ))
}

#[cfg(test)]
mod tests {
    use crate::inspect::Risk;
    use crate::inspect::testing::*;

    fn agrees(bytes: &[u8], name: &str, declared: Option<&str>) -> bool {
        !look(bytes, name, declared).has(Risk::TypeMismatch)
    }

    #[test]
    fn content_under_another_name_is_found() {
        let packed = zipped(&[("a.txt", b"x")]);
        for (bytes, name) in [
            (&b"plain words"[..], "a.pdf"),
            (&packed, "a.docx"),
            (&packed, "a.pdf"),
            (&docx(&[]), "a.xlsx"),
            (&png(1, 1), "a.jpg"),
            (&png(1, 1), "a.txt"),
            (b"%PDF-1.7\n", "a.docx"),
            (b"%PDF-1.7\n", "a.txt"),
            (b"%PDF-1.7\n", "a%2Etxt"),
            (b"plain words", "a.xls"),
            (b"a\0b\x01\x02\0c", "a.csv"),
            (b"plain words", "a.png"),
            (b"plain words", "a.step"),
        ] {
            assert!(!agrees(bytes, name, None), "{name}");
        }
    }

    #[test]
    fn what_programs_have_always_written_passes() {
        let packed = zipped(&[("a.txt", b"x")]);
        let utf16: Vec<u8> = "\u{FEFF}അ plain"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for (bytes, name) in [
            (&b"%PDF-1.7\nnot really"[..], "broken.pdf"),
            (b"HTTP junk\n%PDF-1.4", "scan.pdf"),
            (b"<html><table></table>", "report.xls"),
            (b"{\\rtf1 x}", "letter.doc"),
            (&packed, "a.zip"),
            (&docx(&[]), "a.docx"),
            (&docx(&[]), "renamed.zip"),
            (b"Subject: x\r\nFrom: y\r\n\r\nz", "a.eml"),
            (b"Subject: x\r\nFrom: y\r\n\r\nz", "a.txt"),
            (b"AC1032 drawing", "plan.dwg"),
            (&utf16, "a.txt"),
            (b"caf\xE9", "legacy.csv"),
            (b"%PDF- begins every PDF", "a.pdf"),
            (b"{}", "a.json"),
            (&compound(&[("/EncryptedPackage", b"x")]), "locked.xlsx"),
        ] {
            assert!(agrees(bytes, name, None), "{name}");
        }
    }

    #[test]
    fn declared_types_are_taken_as_clients_send_them() {
        let docx = docx(&[]);
        for (bytes, name, declared) in [
            (&docx[..], "a.docx", "application/octet-stream"),
            (&docx, "a.docx", "application/x-zip-compressed"),
            (&docx, "a.docx", "application/msword"),
            (b"a,b", "a.csv", "application/vnd.ms-excel"),
            (b"a,b", "a.csv", "text/plain; charset=utf-8"),
            (b"# a", "a.md", "text/plain"),
            (b"{}", "a.json", "text/plain"),
            (b"%PDF-1.7", "a.pdf", "application/x-pdf"),
            (b"%PDF-1.7", "a.pdf", "application/vnd.pdf"),
            (b"AC1032\0", "a.dwg", "application/x-autocad"),
            (b"AC1032\0", "a.dwg", "image/x-autocad"),
            (b"x", "a.txt", ""),
        ] {
            assert!(agrees(bytes, name, Some(declared)), "{name} as {declared}");
        }
        for (bytes, name, declared) in [
            (&b"%PDF-1.7"[..], "a.pdf", "image/png"),
            (b"%PDF-1.7", "a.pdf", "text/html"),
            (b"%PDF-1.7", "a.pdf", "application/x-msdownload"),
            (b"%PDF-1.7", "a.pdf", "video/mp4"),
            (b"%PDF-1.7", "a.pdf", "application/zip"),
            (&png(1, 1), "a.png", "application/pdf"),
            (&docx, "a.docx", "application/vnd.ms-excel"),
            (b"x", "a.txt", "application/pdf"),
            (b"x", "a.txt", "text/javascript"),
        ] {
            assert!(!agrees(bytes, name, Some(declared)), "{name} as {declared}");
        }
    }
}
