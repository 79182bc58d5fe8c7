//! What a text is by how it begins. This module must not decide whether that is believed before
//! the name of the file.

use crate::format::Format;

/// How much of a file is looked at.
const HEAD: usize = 4096;
/// So many of a message's usual header fields make a message.
const FIELDS: usize = 2;

/// The format whose files begin like this.
pub(super) fn beginning(bytes: &[u8]) -> Option<Format> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    let trimmed = head.trim_ascii_start();
    if is_html(trimmed) {
        Some(Format::Html)
    } else if trimmed.starts_with(b"<?xml") {
        Some(Format::Xml)
    } else if trimmed.starts_with(b"ISO-10303-21;") {
        Some(Format::Step)
    } else if is_dxf(head) {
        Some(Format::Dxf)
    } else if is_iges(head) {
        Some(Format::Iges)
    } else if is_message(head) {
        Some(Format::Eml)
    } else {
        None
    }
}

/// Also what declares itself as XML first.
fn is_html(trimmed: &[u8]) -> bool {
    let lower = trimmed.to_ascii_lowercase();
    if lower.starts_with(b"<?xml") {
        let has = |word: &[u8]| lower.windows(word.len()).any(|window| window == word);
        return has(b"<!doctype html") || has(b"<html");
    }
    lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html")
}

/// Pairs of lines, a code and a value: after comments (999), `0` and `SECTION`.
fn is_dxf(head: &[u8]) -> bool {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    loop {
        match (lines.next(), lines.next()) {
            (Some(b"999"), Some(_)) => {}
            (Some(b"0"), Some(value)) => return value == b"SECTION",
            _ => return false,
        }
    }
}

/// Lines of 80 columns; the section's letter stands in column 73, and its number behind it.
fn is_iges(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let number = line.get(73..).unwrap_or_default().trim_ascii();
    line.get(72) == Some(&b'S') && number.len() <= 7 && number.ends_with(b"1") && {
        let leading = number.strip_suffix(b"1").unwrap_or_default();
        leading.iter().all(|byte| *byte == b'0')
    }
}

/// Begins with a header field, and has some that every message has before its first empty line.
fn is_message(head: &[u8]) -> bool {
    const USUAL: &[&[u8]] = &[
        b"from",
        b"to",
        b"subject",
        b"date",
        b"received",
        b"return-path",
        b"message-id",
        b"mime-version",
        b"delivered-to",
        b"dkim-signature",
        b"content-type",
    ];
    let mut usual = 0;
    for (number, line) in head.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let is_continued = line.starts_with(b" ") || line.starts_with(b"\t");
        let field = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let is_field = field.len() < line.len()
            && !field.is_empty()
            && field.iter().all(|b| b.is_ascii_graphic());
        if !is_field && (number == 0 || !is_continued) {
            return false;
        }
        usual += usize::from(is_field && USUAL.contains(&field.to_ascii_lowercase().as_slice()));
    }
    usual >= FIELDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_known_by_how_they_begin() {
        let iges = format!("{:<72}S      1\n", "A bracket");
        for (text, expected) in [
            ("\u{FEFF}\n<!doctype HTML><p>", Some(Format::Html)),
            (
                "<?xml version='1.0'?><!DOCTYPE html PUBLIC>",
                Some(Format::Html),
            ),
            ("<?xml version='1.0'?><job/>", Some(Format::Xml)),
            ("ISO-10303-21;\nHEADER;", Some(Format::Step)),
            ("999\nmade by\n  0\r\nSECTION\r\n  2\r\n", Some(Format::Dxf)),
            (iges.as_str(), Some(Format::Iges)),
            (
                "Received: from a\r\n by b;\r\nSubject: x\r\nDate: y\r\n\r\nText",
                Some(Format::Eml),
            ),
            ("From: here on\nnothing is a header\n", None),
            ("Dear all,\nSubject: brakes\nDate: today", None),
            ("0\nand nothing", None),
            ("", None),
        ] {
            assert_eq!(beginning(text.as_bytes()), expected, "{text}");
        }
    }
}
