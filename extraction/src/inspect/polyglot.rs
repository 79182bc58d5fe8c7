//! Files that are of several types at once: readers that disagree about what a file is make one
//! of them open what the other let pass. This module looks at where formats begin and end; what
//! lies inside them is not its business.

use super::executable;
use crate::detect::content_format;
use crate::format::Format;

/// Where readers look for a PDF's header.
const PDF_HEADER_WITHIN: usize = 1024;
/// The end record of a zip, and the longest comment behind it.
const END_RECORD: usize = 22;
const LONGEST_COMMENT: usize = 0xFFFF;
/// How much of what is appended is searched for a program.
const CARVED: usize = 4 * 1024 * 1024;

/// What a file is beside what it begins as.
pub(super) fn find(bytes: &[u8], format: Option<Format>) -> Option<String> {
    let format = format?;
    if is_binary(format) && hides_pdf_header(bytes, format) {
        return Some("a PDF begins within a file of another type".into());
    }
    let end = match format {
        Format::Pdf => end_of_pdf(bytes),
        Format::Gif => end_of_gif(bytes),
        Format::Png => end_of_png(bytes),
        Format::Jpeg => end_of_jpeg(bytes),
        Format::Webp => end_of_webp(bytes),
        Format::Bmp | Format::Tiff => None,
        _ => return None,
    };
    if is_zip_to_the_end(bytes, end) {
        return Some("an archive is appended to it".into());
    }
    let appended = bytes.get(end?..)?;
    let trimmed = appended
        .iter()
        .position(|byte| !byte.is_ascii_whitespace() && *byte != 0)
        .and_then(|at| appended.get(at..))?;
    let searched = trimmed.get(..CARVED).unwrap_or(trimmed);
    if let Some(what) = executable::kind(trimmed).or_else(|| executable::carved(searched)) {
        return Some(format!("{what} is appended to it"));
    }
    if format != Format::Pdf {
        if is_markup(trimmed) {
            return Some("a script or a page is appended to it".into());
        }
        // Cameras append further pictures, and films.
        let other = content_format(trimmed, "").filter(|other| !other.is_picture());
        if let Some(other) = other {
            return Some(format!(
                "a file of type {} is appended to it",
                other.media_type()
            ));
        }
    }
    None
}

const fn is_binary(format: Format) -> bool {
    format.is_picture()
        || matches!(
            format,
            Format::Zip
                | Format::Docx
                | Format::Pptx
                | Format::Xlsx
                | Format::Odt
                | Format::Odp
                | Format::Ods
                | Format::Doc
                | Format::Ppt
                | Format::Xls
                | Format::Msg
                | Format::Dwg
        )
}

/// A PDF's header where its readers find it, though the file begins as another type. A PDF that is
/// kept in an archive as it is begins where the archive's first entry does, and is none.
fn hides_pdf_header(bytes: &[u8], format: Format) -> bool {
    let head = bytes.get(..PDF_HEADER_WITHIN).unwrap_or(bytes);
    let Some(at) = head.windows(5).position(|window| window == b"%PDF-") else {
        return false;
    };
    let is_package = bytes.starts_with(b"PK\x03\x04") && !format.is_picture();
    !(is_package && within_entry(bytes, at))
}

/// The offset lies in the content of an entry, as the local headers before it say.
fn within_entry(bytes: &[u8], at: usize) -> bool {
    let mut header = 0;
    while let Some(local) = bytes.get(header..).filter(|b| b.starts_with(b"PK\x03\x04")) {
        let word = |from: usize| {
            let two = local.get(from..from + 2)?;
            Some(usize::from(u16::from_le_bytes(two.try_into().ok()?)))
        };
        let size = local
            .get(18..22)
            .and_then(|four| four.try_into().ok())
            .map_or(0, |four| u32::from_le_bytes(four) as usize);
        let (Some(name), Some(extra)) = (word(26), word(28)) else {
            return false;
        };
        let content = header + 30 + name + extra;
        // Sizes that stand behind the content are 0 here.
        if at >= content && (at < content + size || size == 0) {
            return true;
        }
        if at < content || size == 0 {
            return false;
        }
        header = content + size;
    }
    false
}

/// An archive that ends with the file, or begins to end behind the end of what the file is.
fn is_zip_to_the_end(bytes: &[u8], end: Option<usize>) -> bool {
    let from = bytes.len().saturating_sub(END_RECORD + LONGEST_COMMENT);
    let tail = bytes.get(from..).unwrap_or_default();
    tail.windows(4)
        .enumerate()
        .filter(|(_, window)| *window == b"PK\x05\x06")
        .any(|(at, _)| {
            let record = from + at;
            let is_last = record_end(bytes, record).is_some_and(|last| last == bytes.len());
            has_directory(bytes, record) && (is_last || end.is_some_and(|end| record >= end))
        })
}

fn record_end(bytes: &[u8], record: usize) -> Option<usize> {
    let two = bytes.get(record + 20..record + 22)?;
    let comment = usize::from(u16::from_le_bytes(two.try_into().ok()?));
    Some(record + END_RECORD + comment)
}

/// The record is that of an archive: its directory lies right before it.
fn has_directory(bytes: &[u8], record: usize) -> bool {
    let length = bytes
        .get(record + 12..record + 16)
        .and_then(|four| four.try_into().ok())
        .map_or(0, |four| u32::from_le_bytes(four) as usize);
    length > 0
        && record
            .checked_sub(length)
            .and_then(|start| bytes.get(start..))
            .is_some_and(|directory| directory.starts_with(b"PK\x01\x02"))
}

/// Tags of pages and of programs within them, where a picture has ended.
fn is_markup(bytes: &[u8]) -> bool {
    let head = bytes.get(..64).unwrap_or(bytes).to_ascii_lowercase();
    [
        &b"<?php"[..],
        b"<?=",
        b"<%",
        b"<script",
        b"<html",
        b"<!doctype",
        b"<svg",
        b"<iframe",
    ]
    .iter()
    .any(|tag| head.starts_with(tag))
}

fn end_of_pdf(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(5).rposition(|window| window == b"%%EOF")?;
    Some(at + 5)
}

fn end_of_png(bytes: &[u8]) -> Option<usize> {
    let mut at = 8;
    loop {
        let four = bytes.get(at..at + 4)?;
        let length = u32::from_be_bytes(four.try_into().ok()?) as usize;
        let kind = bytes.get(at + 4..at + 8)?;
        at = at.checked_add(length)?.checked_add(12)?;
        if kind == b"IEND" {
            return Some(at.min(bytes.len()));
        }
    }
}

fn end_of_webp(bytes: &[u8]) -> Option<usize> {
    let four = bytes.get(4..8)?;
    let size = u32::from_le_bytes(four.try_into().ok()?) as usize;
    let end = size.checked_add(8)?;
    Some((end + (end & 1)).min(bytes.len()))
}

fn end_of_gif(bytes: &[u8]) -> Option<usize> {
    let colours = |flags: u8| {
        if flags & 0x80 == 0 {
            0
        } else {
            3 << ((flags & 7) + 1)
        }
    };
    let mut at = 13 + colours(*bytes.get(10)?);
    loop {
        match *bytes.get(at)? {
            0x3B => return Some(at + 1),
            0x21 => at = after_blocks(bytes, at + 2)?,
            0x2C => {
                let table = colours(*bytes.get(at + 9)?);
                at = after_blocks(bytes, at + 11 + table)?;
            }
            _ => return None,
        }
    }
}

/// Blocks that each say their length, up to an empty one.
fn after_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1 + length;
        if length == 0 {
            return Some(at);
        }
    }
}

fn end_of_jpeg(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xFF {
            return None;
        }
        match *bytes.get(at + 1)? {
            0xFF => at += 1,
            0xD9 => return Some(at + 2),
            0x01 | 0xD0..=0xD8 => at += 2,
            marker => {
                let two = bytes.get(at + 2..at + 4)?;
                at += 2 + usize::from(u16::from_be_bytes(two.try_into().ok()?));
                if marker == 0xDA {
                    at = after_scan(bytes, at)?;
                }
            }
        }
    }
}

/// Where the next marker that is none of a scan's own begins.
fn after_scan(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let next = rest
        .windows(2)
        .position(|pair| matches!(pair, [0xFF, 0x01..=0xCF | 0xD8..=0xFE]))?;
    Some(from + next)
}

#[cfg(test)]
mod tests {
    use crate::inspect::Risk;
    use crate::inspect::testing::*;

    fn is_polyglot(bytes: &[u8], name: &str) -> bool {
        risks(bytes, name).contains(&Risk::Polyglot)
    }

    fn pdf() -> Vec<u8> {
        crate::fixtures::pdf(&["plain words"])
    }

    #[test]
    fn what_is_appended_is_found() {
        let archive = zipped(&[("a.txt", b"x")]);
        let program = windows_program();
        let script: &[u8] = b"\n<script>alert(1)</script>";
        for (first, second, name) in [
            (pdf(), &archive[..], "a.pdf"),
            (pdf(), &program, "a.pdf"),
            (pdf(), b"#!/bin/sh\nrm -rf /\n", "a.pdf"),
            (gif(), &archive, "a.gif"),
            (gif(), script, "a.gif"),
            (gif(), b"<?php system($_GET[0]); ?>", "a.gif"),
            (gif(), b"%PDF-1.7\n", "a.gif"),
            (png(1, 1), &archive, "a.png"),
            (png(1, 1), &program, "a.png"),
            (jpeg(), &archive, "a.jpg"),
            (jpeg(), script, "a.jpg"),
        ] {
            assert!(!is_polyglot(&first, name), "{name} alone");
            assert!(is_polyglot(&[&first, second].concat(), name), "{name}");
        }
    }

    #[test]
    fn a_pdf_within_another_file_is_found() {
        let mut with_comment = b"\xFF\xD8\xFF\xFE\0\x0A%PDF-1.7".to_vec();
        with_comment.extend(jpeg().split_off(2));
        assert!(is_polyglot(&with_comment, "a.jpg"));
        let mut named = zipped(&[("%PDF-1.7", b"x")]);
        assert!(is_polyglot(&named, "a.zip"));
        named = zip_of_a_stored_pdf();
        assert!(!is_polyglot(&named, "a.zip"));
    }

    #[test]
    fn what_belongs_to_a_file_is_not_appended() {
        let several = [pdf(), b"\nendless junk of a mail gateway\n".to_vec()].concat();
        assert!(!is_polyglot(&several, "a.pdf"));
        let camera = [jpeg(), jpeg()].concat();
        assert!(!is_polyglot(&camera, "a.jpg"));
        let text = b"A text on PK\x05\x06 and %PDF-1.7 and <script>";
        assert!(!is_polyglot(text, "a.txt"));
    }

    fn jpeg() -> Vec<u8> {
        let mut jpeg = b"\xFF\xD8\xFF\xC0\0\x0B\x08\0\x01\0\x01\x01\x01\x11\0".to_vec();
        jpeg.extend(b"\xFF\xDA\0\x08\x01\x01\0\0\x3F\0\x12\xFF\0\x34\xFF\xD9");
        jpeg
    }

    fn zip_of_a_stored_pdf() -> Vec<u8> {
        use std::io::{Cursor, Write};
        let stored = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("a.pdf", stored).unwrap();
        zip.write_all(&pdf()).unwrap();
        zip.finish().unwrap().into_inner()
    }
}
