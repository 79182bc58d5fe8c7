//! Decompression bombs in files that the structure reader is not given or cannot read: each stream
//! is looked for by its word, wherever it is, and unpacked to nowhere until it ends or is over the
//! limit. This module owns that check; it must not keep what it unpacks, nor follow the file's
//! own tables, which may say anything. What is encrypted it cannot unpack.

use flate2::{Decompress, FlushDecompress, Status};
use lopdf::{Dictionary, Object, Stream};
use memchr::memmem;

use super::bounds;
use crate::error::ExtractError;
use crate::limits::Limits;

/// How many times the limit of one stream all of them together may unpack to.
const ALL_AT_MOST: usize = 8;

/// Bytes before the word in which its dictionary is looked for.
const DICTIONARY_AT_MOST: usize = 2_000;

/// The filters that make more of less, with their short names, and those that stand around them.
const FILTERS: [(&[u8], &[u8]); 5] = [
    (b"FlateDecode", b"Fl"),
    (b"LZWDecode", b"LZW"),
    (b"RunLengthDecode", b"RL"),
    (b"ASCII85Decode", b"A85"),
    (b"ASCIIHexDecode", b"AHx"),
];

/// Refuse a file that holds a stream, images excepted, that unpacks to more than the limit, or
/// streams that together unpack to a multiple of it.
pub(super) fn check(bytes: &[u8], limits: &Limits) -> Result<(), ExtractError> {
    let mut room = limits.max_decompressed_bytes.saturating_mul(ALL_AT_MOST);
    for at in memmem::find_iter(bytes, b"stream") {
        let (before, after) = bytes.split_at_checked(at).unwrap_or_default();
        let dictionary = dictionary(before);
        let Some(data) = data(after).filter(|_| !is_image(dictionary)) else {
            continue;
        };
        let filters = filters(dictionary);
        let handled = match filters.as_slice() {
            [] if !is_zlib(data) => 0,
            [] | [b"FlateDecode"] => {
                let unpacked = inflated(data, limits.max_decompressed_bytes);
                limits.check_decompressed(unpacked)?;
                unpacked
            }
            _ => check_chain(data, &filters, limits)?,
        };
        room = room.checked_sub(handled).ok_or_else(|| over(limits))?;
    }
    Ok(())
}

fn over(limits: &Limits) -> ExtractError {
    ExtractError::TooLarge {
        limit: limits.max_decompressed_bytes as u64,
        of: crate::Quantity::DecompressedBytes,
    }
}

/// What follows the word `stream` and its line's end.
fn data(after: &[u8]) -> Option<&[u8]> {
    let line = after.strip_prefix(b"stream")?;
    let blanks = line.iter().take_while(|byte| **byte == b' ').count();
    let line = line.get(blanks..)?;
    line.strip_prefix(b"\r\n")
        .or_else(|| line.strip_prefix(b"\n"))
        .or_else(|| line.strip_prefix(b"\r"))
}

fn dictionary(before: &[u8]) -> &[u8] {
    let near = before
        .get(before.len().saturating_sub(DICTIONARY_AT_MOST)..)
        .unwrap_or_default();
    let start = memmem::rfind(near, b"obj").unwrap_or(0);
    near.get(start..).unwrap_or_default()
}

/// Images are left out because reading text does not unpack them.
fn is_image(dictionary: &[u8]) -> bool {
    names(dictionary).any(|name| name == b"Image")
}

fn names(dictionary: &[u8]) -> impl Iterator<Item = &[u8]> {
    dictionary.split(|byte| *byte == b'/').skip(1).map(|part| {
        let end = part.iter().position(|byte| !byte.is_ascii_alphanumeric());
        part.get(..end.unwrap_or(part.len())).unwrap_or_default()
    })
}

fn filters(dictionary: &[u8]) -> Vec<&'static [u8]> {
    let full = |name: &[u8]| {
        let known = FILTERS
            .iter()
            .find(|(long, short)| name == *long || name == *short);
        known.map(|(long, _)| *long)
    };
    names(dictionary).filter_map(full).collect()
}

/// Whether data begin as packed ones do, whatever the dictionary calls them.
fn is_zlib(data: &[u8]) -> bool {
    matches!(data, [method, flags, ..]
        if method & 0x0F == 8 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31))
}

/// How much data unpack to, as far as a little over the limit; 0 if they are not packed. Where
/// they end they say themselves.
fn inflated(data: &[u8], most: usize) -> usize {
    let mut inflater = Decompress::new(is_zlib(data));
    let mut nowhere = [0; 1 << 15];
    let (mut taken, mut given) = (0, 0);
    while given <= most {
        let rest = data.get(taken..).unwrap_or_default();
        let status = inflater.decompress(rest, &mut nowhere, FlushDecompress::None);
        let before = (taken, given);
        taken = usize::try_from(inflater.total_in()).unwrap_or(usize::MAX);
        given = usize::try_from(inflater.total_out()).unwrap_or(usize::MAX);
        if !matches!(status, Ok(Status::Ok)) || before == (taken, given) {
            break;
        }
    }
    given
}

/// Several filters, or others; how much had to be handled for it.
fn check_chain(
    data: &[u8],
    filters: &[&'static [u8]],
    limits: &Limits,
) -> Result<usize, ExtractError> {
    let end = memmem::find(data, b"endstream").unwrap_or(data.len());
    let content = data.get(..end).unwrap_or_default();
    let names = filters.iter().map(|name| Object::Name(name.to_vec()));
    let dictionary = Dictionary::from_iter([("Filter", Object::Array(names.collect()))]);
    let stream = Stream::new(dictionary, content.to_vec());
    bounds::check_stream(&stream, limits)?;
    Ok(content.len())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    const LIMITS: Limits = Limits {
        max_pages: 1,
        max_characters: 1,
        max_decompressed_bytes: 1 << 20,
    };

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn outcome(entries: &str, data: &[u8], count: usize) -> Result<(), ExtractError> {
        let start = format!("1 0 obj <<{entries}>> stream\r\n");
        let stream = [start.as_bytes(), data, b"\nendstream endobj\n"].concat();
        check(&stream.repeat(count), &LIMITS)
    }

    #[test]
    fn a_stream_over_the_limit_is_found_whatever_the_tables_say() {
        let (fits, bomb) = (packed(&[0; 1 << 20]), packed(&[0; (1 << 20) + 1]));
        assert_eq!(outcome("/Filter/FlateDecode", &fits, 1), Ok(()));
        let too_large = Err(over(&LIMITS));
        assert_eq!(outcome("/Filter/FlateDecode", &bomb, 1), too_large);
        assert_eq!(outcome("/Filter/Fl#61teDecode", &bomb, 1), too_large);
        assert_eq!(
            outcome("/Type/Font/Filter[/Fl]/Length 9", &bomb, 1),
            too_large
        );
        // A word that ends a stream may stand inside one.
        let within = [&b"x stream\nendstream stream\n"[..], &bomb].concat();
        assert_eq!(outcome("", &within, 1), too_large);
        assert_eq!(
            outcome("/Subtype/Image/Filter/FlateDecode", &bomb, 1),
            Ok(())
        );
    }

    #[test]
    fn what_is_packed_twice_is_unpacked_twice() {
        let twice = packed(&packed(&[0; 1 << 22]));
        assert_eq!(outcome("/Filter/FlateDecode", &twice, 1), Ok(()));
        assert_eq!(
            outcome("/Filter[/FlateDecode/FlateDecode]", &twice, 1),
            Err(over(&LIMITS))
        );
    }

    #[test]
    fn streams_together_have_a_limit() {
        let fits = packed(&[0; 1 << 20]);
        assert_eq!(outcome("/Filter/FlateDecode", &fits, 8), Ok(()));
        assert_eq!(outcome("/Filter/FlateDecode", &fits, 9), Err(over(&LIMITS)));
        assert_eq!(outcome("", b"plain words", 9_000), Ok(()));
    }
}
