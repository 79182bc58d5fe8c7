//! Rich text as Outlook packs it (MS-OXRTFCP): runs of bytes that were there before are named by
//! where they stood among the last 4096. This module unpacks; it must not know Rich Text Format.

/// What both sides know before the first byte.
const KNOWN: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
/// Bytes that can be named.
const WINDOW: usize = 4096;
/// The length of a header, and what it says of the way that the rest is packed.
const HEADER: usize = 16;
const PACKED: &[u8] = b"LZFu";
const PLAIN: &[u8] = b"MELA";

/// The rich text, up to `most` bytes of it; `None` when it is not packed in a way that is known or
/// would be longer.
pub(super) fn unpack(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let length = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    let length = usize::try_from(length).ok()?;
    let rest = bytes.get(HEADER..)?;
    match bytes.get(8..12)? {
        PLAIN if rest.len() <= most => Some(rest.get(..length).unwrap_or(rest).to_vec()),
        PACKED if length <= most => Some(unpacked(rest, length)),
        _ => None,
    }
}

/// As much of it as can be unpacked: what was cut off is short, not lost.
fn unpacked(packed: &[u8], length: usize) -> Vec<u8> {
    let mut window = [b' '; WINDOW];
    for (to, from) in window.iter_mut().zip(KNOWN) {
        *to = *from;
    }
    let mut at = KNOWN.len();
    let mut out = Vec::new();
    let mut put = |byte: u8, at: &mut usize, window: &mut [u8; WINDOW]| {
        if let Some(place) = window.get_mut(*at % WINDOW) {
            *place = byte;
        }
        *at = (*at + 1) % WINDOW;
        out.push(byte);
        out.len() < length
    };
    let mut packed = packed.iter().copied();
    'all: while let Some(kinds) = packed.next() {
        for bit in 0..8 {
            if kinds >> bit & 1 == 0 {
                let Some(byte) = packed.next() else {
                    break 'all;
                };
                if !put(byte, &mut at, &mut window) {
                    break 'all;
                }
                continue;
            }
            let (Some(high), Some(low)) = (packed.next(), packed.next()) else {
                break 'all;
            };
            let named = usize::from(u16::from_be_bytes([high, low]));
            let (from, count) = (named >> 4, (named & 0xF) + 2);
            if from == at {
                // How the end is said.
                break 'all;
            }
            for step in 0..count {
                let byte = window.get((from + step) % WINDOW).copied();
                if !put(byte.unwrap_or(b' '), &mut at, &mut window) {
                    break 'all;
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of MS-OXRTFCP, 4.1 and 4.2.
    const SIMPLE: &[u8] = b"\x2d\0\0\0\x2b\0\0\0LZFu\xf1\xc5\xc7\xa7\x03\0\x0a\0rcpg125\
B2\x0a\xf3 hel\x09\0 bw\x05\xb0ld}\x0a\x80\x0f\xa0";
    const CROSSING: &[u8] =
        b"\x1a\0\0\0\x1c\0\0\0LZFu\xe2\xd4\x4b\x51\x41\0\x04\x20WXYZ\x0d\x6e\x7d\x01\x0e\xb0";

    #[test]
    fn what_outlook_packs_is_unpacked() {
        assert_eq!(KNOWN.len(), 207);
        let simple = unpack(SIMPLE, 1 << 20).unwrap();
        assert_eq!(simple, b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n");
        let crossing = unpack(CROSSING, 1 << 20).unwrap();
        assert_eq!(crossing, b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}");
        assert_eq!(
            unpack(b"\x0c\0\0\0\x02\0\0\0MELA\0\0\0\0{}x", 9).unwrap(),
            b"{}"
        );
    }

    #[test]
    fn it_stays_within_the_limit_and_never_panics() {
        assert_eq!(unpack(CROSSING, 27), None);
        assert_eq!(unpack(b"", 9), None);
        for cut in 0..SIMPLE.len() {
            let _ = unpack(&SIMPLE[..cut], 99);
        }
        let endless = [
            b"\xff\xff\xff\xff\x40\0\0\0LZFu\0\0\0\0".as_slice(),
            &[0xFF; 64],
        ]
        .concat();
        assert_eq!(unpack(&endless, 64).unwrap().len(), 64);
    }
}
