//! Text files: which encoding they are in, whether they are text at all, and where their
//! pages end. This module must not interpret markup; the text comes out as it is in the file.

use std::borrow::Cow;

use chardetng::EncodingDetector;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use unicode_normalization::UnicodeNormalization;

use crate::error::ExtractError;
use crate::limits::Limits;
use crate::{OnPage, Page, PageProgress, Reading, share};

/// More than one in fifty characters being a control character (NUL among them) means that
/// the file is not text: random bytes have six, text has none but a stray one.
const CONTROLS_AT_MOST_ONE_IN: usize = 50;

/// A file is UTF-8 with some damage, and not of a legacy encoding, while it has at least this
/// many sound multi-byte characters for each broken one. By chance they are rarer than broken
/// ones.
const SOUND_PER_BROKEN: usize = 10;

/// How much of a text is looked at for UTF-16 without a mark.
const UTF16_HEAD: usize = 64 * 1024;

/// Where markup declares its encoding, if it does.
const DECLARED_WITHIN: usize = 1024;

pub(crate) fn read(
    bytes: &[u8],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<Reading, ExtractError> {
    // No encoding read here needs more than four bytes a character: refuse before decoding.
    limits.check_characters(bytes.len() / 4)?;
    let decoded = decode(bytes);
    let characters = decoded.chars().count();
    limits.check_characters(characters)?;
    refuse_binary(&decoded)?;

    let decoded = decoded.strip_suffix('\u{000C}').unwrap_or(&decoded);
    let total = limits.check_pages(decoded.split('\u{000C}').count())?;
    let mut pages = Vec::new();
    for (number, text) in (1..=total).zip(decoded.split('\u{000C}')) {
        let text = clean(text);
        pages.push(Page::stated(number, text));
        let progress = PageProgress {
            page: number,
            pages: total,
        };
        if !on_page(progress) {
            return Err(ExtractError::Cancelled {
                pages_done: number,
                pages: total,
            });
        }
    }
    Ok(Reading {
        confidence: confidence(&pages),
        pages,
        structure: None,
    })
}

fn confidence(pages: &[Page]) -> f64 {
    let all = || pages.iter().flat_map(|page| page.text.chars());
    let mapped = all().filter(|c| *c != char::REPLACEMENT_CHARACTER).count();
    let filled = pages.iter().filter(|page| !page.text.trim().is_empty());
    share(mapped, all().count()) * share(filled.count(), pages.len())
}

/// The text in whatever encoding it seems to be: what a byte order mark says, UTF-16 without one,
/// UTF-8, what the markup declares, or the likeliest of the older ones.
pub(crate) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    if let Some((encoding, bom_length)) = Encoding::for_bom(bytes) {
        let body = bytes.get(bom_length..).unwrap_or_default();
        return encoding.decode_without_bom_handling(body).0;
    }
    if let Some(encoding) = utf16_without_mark(bytes) {
        return encoding.decode_without_bom_handling(bytes).0;
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    if is_mostly_utf8(bytes) {
        return UTF_8.decode_without_bom_handling(bytes).0;
    }
    if let Some(encoding) = declared(bytes) {
        return encoding.decode_without_bom_handling(bytes).0;
    }
    let mut detector = EncodingDetector::new();
    detector.feed(bytes, true);
    let encoding = detector.guess(None, false);
    encoding.decode_without_bom_handling(bytes).0
}

/// UTF-16 without a mark: in one byte order nearly all units are of the scripts that are written
/// here, which pairs of bytes of another encoding are not.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..UTF16_HEAD).unwrap_or(bytes);
    if !bytes.len().is_multiple_of(2) || head.len() < 4 {
        return None;
    }
    let (mut little, mut big) = (0_usize, 0_usize);
    let pairs = head.chunks_exact(2);
    let units = pairs.len();
    for pair in pairs {
        if let [first, second] = *pair {
            little += usize::from(is_written_here(u16::from_le_bytes([first, second])));
            big += usize::from(is_written_here(u16::from_be_bytes([first, second])));
        }
    }
    let is_most = |count: usize| count * 20 >= units * 19;
    match (is_most(little), is_most(big)) {
        (true, false) => Some(UTF_16LE),
        (false, true) => Some(UTF_16BE),
        _ => None,
    }
}

/// Latin, Indic scripts and punctuation.
fn is_written_here(unit: u16) -> bool {
    matches!(unit, 0x09 | 0x0A | 0x0D | 0x20..=0x7E | 0xA0..=0x17F | 0x900..=0xDFF | 0x200C..=0x2026)
}

/// What HTML or XML says in its first bytes, if that is an encoding of single bytes or of pairs:
/// whoever says UTF-8 here is wrong.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..DECLARED_WITHIN).unwrap_or(bytes);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    if !head.trim_start().starts_with('<') {
        return None;
    }
    ["charset=", "encoding="].into_iter().find_map(|word| {
        let (_, after) = head.split_once(word)?;
        let after = after.trim_start_matches(['"', '\'', ' ']);
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && !"-_:.".contains(c));
        let label = after.get(..end.unwrap_or(after.len()))?;
        Encoding::for_label(label.as_bytes())
            .filter(|encoding| encoding.is_ascii_compatible() && *encoding != UTF_8)
    })
}

/// One broken byte in a Malayalam text must not turn all of it into another alphabet.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut sound, mut broken) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        sound += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    sound >= broken.saturating_mul(SOUND_PER_BROKEN)
}

/// Refuse what has more control characters than a text has.
pub(crate) fn refuse_binary(text: &str) -> Result<(), ExtractError> {
    let characters = text.chars().count();
    let controls = text.chars().filter(|c| is_unwanted(*c) && *c != '\u{000C}');
    if controls.count() > characters / CONTROLS_AT_MOST_ONE_IN {
        return Err(ExtractError::damaged(
            "it is named as text, but its content is not text",
        ));
    }
    Ok(())
}

/// Control characters of ASCII that mean nothing in a page of text. Carriage returns are not
/// counted in, as they end lines.
fn is_unwanted(character: char) -> bool {
    character.is_ascii_control() && !matches!(character, '\n' | '\t' | '\r')
}

/// Text as every reader hands it out: `\n` ends lines, and of the other control characters
/// only the tab stays.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' => {
                characters.next_if_eq(&'\n');
                cleaned.push('\n');
            }
            _ if is_unwanted(character) => {}
            _ => cleaned.push(character),
        }
    }
    cleaned
}

/// Characters as they are spelt rather than as they are shown: ligatures and Arabic presentation
/// forms as their letters, every kind of blank as a space, a soft hyphen, which is drawn only
/// where it shows, as a hyphen.
pub(crate) fn spell(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || !text.chars().any(is_a_form) {
        return Cow::Borrowed(text);
    }
    let mut spelt = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{00AD}' => spelt.push('-'),
            _ if character.is_whitespace() => spelt.push(' '),
            _ if is_a_form(character) => spelt.extend(std::iter::once(character).nfkc()),
            _ => spelt.push(character),
        }
    }
    Cow::Owned(spelt)
}

fn is_a_form(character: char) -> bool {
    matches!(character,
        '\u{00AD}' | '\u{00A0}' | '\u{2000}'..='\u{200A}' | '\u{FB00}'..='\u{FB06}'
        | '\u{FB13}'..='\u{FB17}' | '\u{FB50}'..='\u{FBB1}' | '\u{FBD3}'..='\u{FD3D}'
        | '\u{FD50}'..='\u{FDF9}' | '\u{FE70}'..='\u{FEFC}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(bytes: &[u8]) -> Vec<String> {
        let reading = read(bytes, &Limits::default(), &mut |_| true).unwrap();
        reading.pages.into_iter().map(|page| page.text).collect()
    }

    #[test]
    fn encodings_are_told_apart() {
        let text = "സുരക്ഷാ circular";
        let utf16 = |to_bytes: fn(u16) -> [u8; 2], bom: [u8; 2]| {
            let mut bytes = bom.to_vec();
            bytes.extend(text.encode_utf16().flat_map(to_bytes));
            bytes
        };
        assert_eq!(texts(text.as_bytes()), [text]);
        assert_eq!(texts(format!("\u{FEFF}{text}").as_bytes()), [text]);
        assert_eq!(texts(&utf16(u16::to_le_bytes, [0xFF, 0xFE])), [text]);
        assert_eq!(texts(&utf16(u16::to_be_bytes, [0xFE, 0xFF])), [text]);
        let unmarked = |to_bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(to_bytes).collect()
        };
        assert_eq!(texts(&unmarked(u16::to_le_bytes)), [text]);
        assert_eq!(texts(&unmarked(u16::to_be_bytes)), [text]);
        let ascii: Vec<u8> = "Job card\r\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(texts(&ascii), ["Job card\n"]);
        let cyrillic = b"<?xml version='1.0' encoding='windows-1251'?>\xCF\xEE";
        assert!(texts(cyrillic)[0].ends_with("По"));
        assert_eq!(texts(b"Caf\xE9 \x96 na\xEFve"), ["Café – naïve"]);
    }

    #[test]
    fn one_broken_byte_does_not_change_the_alphabet() {
        let mut bytes = "സുരക്ഷാ നിർദ്ദേശം".repeat(3).into_bytes();
        bytes.push(0xE0);
        let reading = read(&bytes, &Limits::default(), &mut |_| true).unwrap();
        assert!(reading.pages[0].text.starts_with("സുരക്ഷാ"));
        assert!(reading.pages[0].text.ends_with('\u{FFFD}'));
        assert!(reading.confidence < 1.0);
    }

    #[test]
    fn lines_controls_and_pages() {
        let long = "x".repeat(100);
        let text = format!("a\r\nb\rc\td\u{0}{long}\u{000C}second\u{000C}");
        assert_eq!(
            texts(text.as_bytes()),
            [format!("a\nb\nc\td{long}"), "second".into()]
        );
    }

    #[test]
    fn forms_are_spelt() {
        assert_eq!(spell("\u{FB01}t o\u{FB03}ce"), "fit office");
        assert_eq!(spell("a\u{A0}b\u{AD}"), "a b-");
        assert_eq!(spell("\u{FEF3}\u{FEFB}"), "يلا");
        assert_eq!(spell("ക്ഷ ½"), "ക്ഷ ½");
    }

    #[test]
    fn what_is_not_text_says_so() {
        let bytes: Vec<u8> = (0..=255).cycle().take(4096).collect();
        let error = read(&bytes, &Limits::default(), &mut |_| true)
            .err()
            .unwrap();
        assert!(error.to_string().contains("not text"), "{error}");
    }

    #[test]
    fn blank_text_is_read_with_no_confidence() {
        let reading = read(b" \n", &Limits::default(), &mut |_| true).unwrap();
        assert_eq!(reading.confidence, 0.0);
    }
}
