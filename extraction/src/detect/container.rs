//! What a container holds, by its table of contents. This module must not unpack anything.

use std::io::Cursor;

use crate::format::Format;

/// Entries of a zip that are looked at. Office programs write some hundreds.
const ENTRIES: usize = 20_000;
/// The end record of a zip is this long, and its comment at most as long as two bytes say.
const END_RECORD: usize = 22;
const LONGEST_COMMENT: usize = 0xFFFF;

/// Which of the formats that are zip archives this is; a table of contents that cannot be read
/// leaves it to the extension.
pub(super) fn zip(bytes: &[u8], extension: &str) -> Result<Format, String> {
    const PACKED: &[Format] = &[
        Format::Docx,
        Format::Pptx,
        Format::Xlsx,
        Format::Odt,
        Format::Odp,
        Format::Ods,
    ];
    let named = || Format::by_extension(extension).filter(|named| PACKED.contains(named));
    let Some(names) = Names::of(bytes) else {
        return Ok(named().unwrap_or(Format::Zip));
    };
    if let Some(format) = open_document(bytes) {
        return Ok(format);
    }
    let mut typed = false;
    let mut exact = None;
    let mut folder = None;
    for name in names.take(ENTRIES) {
        typed |= name == b"[Content_Types].xml";
        exact = exact.or(match name {
            b"word/document.xml" => Some(Format::Docx),
            b"ppt/presentation.xml" => Some(Format::Pptx),
            b"xl/workbook.xml" => Some(Format::Xlsx),
            b"xl/workbook.bin" => return Err("xlsb, Excel's binary workbook".to_owned()),
            _ => None,
        });
        folder = folder.or(match name {
            _ if name.starts_with(b"word/") => Some(Format::Docx),
            _ if name.starts_with(b"ppt/") => Some(Format::Pptx),
            _ if name.starts_with(b"xl/") => Some(Format::Xlsx),
            _ => None,
        });
    }
    Ok(exact.or(folder).filter(|_| typed).unwrap_or(Format::Zip))
}

/// OpenDocument files begin with an entry that states their type, stored as it is.
fn open_document(bytes: &[u8]) -> Option<Format> {
    let after_header = bytes.get(30..)?.strip_prefix(b"mimetype")?;
    let kind = after_header.strip_prefix(b"application/vnd.oasis.opendocument.")?;
    [
        (&b"text"[..], Format::Odt),
        (b"presentation", Format::Odp),
        (b"spreadsheet", Format::Ods),
    ]
    .into_iter()
    .find(|(word, _)| kind.starts_with(word))
    .map(|(_, format)| format)
}

/// The names in the central directory of a zip.
struct Names<'a> {
    rest: &'a [u8],
}

impl<'a> Names<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let from = bytes.len().saturating_sub(END_RECORD + LONGEST_COMMENT);
        let tail = bytes.get(from..)?;
        let end = from + tail.windows(4).rposition(|at| at == b"PK\x05\x06")?;
        let length = usize::try_from(u32_at(bytes, end.checked_add(12)?)?).ok()?;
        // Counted from its end, it is found in an archive that something was put before, too.
        let start = end.checked_sub(length)?;
        let rest = bytes.get(start..end)?;
        (rest.is_empty() || rest.starts_with(b"PK\x01\x02")).then_some(Self { rest })
    }
}

impl<'a> Iterator for Names<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if !self.rest.starts_with(b"PK\x01\x02") {
            return None;
        }
        let length = |at| u16_at(self.rest, at).map(usize::from);
        let (name, extra, comment) = (length(28)?, length(30)?, length(32)?);
        let name_ends = 46 + name;
        let found = self.rest.get(46..name_ends)?;
        self.rest = self.rest.get(name_ends + extra + comment..)?;
        Some(found)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(two.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

/// Which of the formats that are OLE compound files this is, by the streams that it has.
pub(super) fn ole(bytes: &[u8], extension: &str) -> Result<Format, String> {
    const LOCKED: &[Format] = &[Format::Docx, Format::Pptx, Format::Xlsx];
    const OPEN: &[Format] = &[Format::Doc, Format::Ppt, Format::Xls, Format::Msg];
    let among = |formats: &[Format]| {
        Format::by_extension(extension).filter(|named| formats.contains(named))
    };
    let Ok(file) = cfb::CompoundFile::open(Cursor::new(bytes)) else {
        return among(OPEN)
            .or(among(LOCKED))
            .ok_or_else(|| "OLE compound file".to_owned());
    };
    for (stream, format) in [
        ("/__properties_version1.0", Format::Msg),
        ("/WordDocument", Format::Doc),
        ("/PowerPoint Document", Format::Ppt),
        ("/Workbook", Format::Xls),
        ("/Book", Format::Xls),
    ] {
        if file.is_stream(stream) {
            return Ok(format);
        }
    }
    // How Office wraps a package behind a password: which one it is, is behind it too.
    if file.is_stream("/EncryptedPackage") {
        return Ok(among(LOCKED).unwrap_or(Format::Docx));
    }
    Err("OLE compound file".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn zipped(names: &[&str]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in names {
            zip.start_file(*name, zip::write::SimpleFileOptions::default())
                .unwrap();
            zip.write_all(name.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn compound(streams: &[&str]) -> Vec<u8> {
        let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        for stream in streams {
            file.create_stream(stream)
                .unwrap()
                .write_all(b"content")
                .unwrap();
        }
        file.into_inner().into_inner()
    }

    #[test]
    fn an_office_file_is_known_by_its_parts_whatever_its_name() {
        const TYPES: &str = "[Content_Types].xml";
        for (names, expected) in [
            (&[TYPES, "word/document.xml"][..], Format::Docx),
            (&["ppt/presentation.xml", TYPES], Format::Pptx),
            (&[TYPES, "xl/workbook.xml"], Format::Xlsx),
            (&[TYPES, "word/document2.xml"], Format::Docx),
            (&["word/document.xml"], Format::Zip),
            (&["word/notes.txt", "readme.txt"], Format::Zip),
            (&[], Format::Zip),
        ] {
            let found = zip(&zipped(names), "xlsx");
            assert_eq!(found, Ok(expected), "{names:?}");
        }
        let before = [b"junk".as_slice(), &zipped(&[TYPES, "xl/workbook.xml"])].concat();
        assert_eq!(zip(&before, ""), Ok(Format::Xlsx));
    }

    #[test]
    fn a_cut_off_archive_is_what_its_name_says() {
        let whole = zipped(&["[Content_Types].xml", "word/document.xml"]);
        for length in 0..whole.len() - END_RECORD {
            let cut = whole.get(..length).unwrap();
            assert_eq!(zip(cut, "docx"), Ok(Format::Docx), "{length}");
            assert_eq!(zip(cut, "pdf"), Ok(Format::Zip), "{length}");
        }
    }

    #[test]
    fn compound_files_are_known_by_their_streams() {
        for (stream, expected) in [
            ("/WordDocument", Format::Doc),
            ("/Workbook", Format::Xls),
            ("/Book", Format::Xls),
            ("/PowerPoint Document", Format::Ppt),
            ("/__properties_version1.0", Format::Msg),
        ] {
            let found = ole(&compound(&[stream]), "pdf");
            assert_eq!(found, Ok(expected), "{stream}");
        }
        let locked = compound(&["/EncryptedPackage", "/EncryptionInfo"]);
        assert_eq!(ole(&locked, "xlsx"), Ok(Format::Xlsx));
        assert_eq!(ole(&locked, ""), Ok(Format::Docx));
        assert!(ole(&compound(&["/Catalog"]), "doc").is_err());
    }
}
