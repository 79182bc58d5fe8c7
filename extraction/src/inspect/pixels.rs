//! How many pixels a picture says it has, read from its header. This module must not unpack one.

use crate::format::Format;

/// Pictures of a TIFF that are looked at.
const DIRECTORIES: usize = 10_000;

/// The most pixels of a picture in the file; `None` when its header cannot be read.
pub(super) fn declared(bytes: &[u8], format: Format) -> Option<u64> {
    let (width, height) = match format {
        Format::Png => (be32(bytes, 16)?, be32(bytes, 20)?),
        Format::Gif => (le16(bytes, 6)?, le16(bytes, 8)?),
        Format::Bmp => bmp(bytes)?,
        Format::Jpeg => jpeg(bytes)?,
        Format::Webp => webp(bytes)?,
        Format::Tiff => return tiff(bytes),
        _ => return None,
    };
    Some(width.saturating_mul(height))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn be32(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(|four| u32::from_be_bytes(four).into())
}

fn le32(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(|four| u32::from_le_bytes(four).into())
}

fn le16(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(|two| u16::from_le_bytes(two).into())
}

fn be16(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(|two| u16::from_be_bytes(two).into())
}

/// Heights below zero count from the top.
fn bmp(bytes: &[u8]) -> Option<(u64, u64)> {
    if le32(bytes, 14)? == 12 {
        return Some((le16(bytes, 18)?, le16(bytes, 20)?));
    }
    let signed =
        |at| array(bytes, at).map(|four| u64::from(i32::from_le_bytes(four).unsigned_abs()));
    Some((signed(18)?, signed(22)?))
}

/// The frame header, whatever stands before it.
fn jpeg(bytes: &[u8]) -> Option<(u64, u64)> {
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xFF {
            return None;
        }
        match *bytes.get(at + 1)? {
            0xFF => at += 1,
            0x01 | 0xD0..=0xD8 => at += 2,
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                return Some((be16(bytes, at + 7)?, be16(bytes, at + 5)?));
            }
            0xD9 | 0xDA => return None,
            _ => at += 2 + usize::try_from(be16(bytes, at + 2)?).ok()?,
        }
    }
}

fn webp(bytes: &[u8]) -> Option<(u64, u64)> {
    match bytes.get(12..16)? {
        b"VP8X" => {
            let three = |at| {
                let [low, middle, high] = array(bytes, at)?;
                Some(u64::from(u32::from_le_bytes([low, middle, high, 0])))
            };
            Some((three(24)? + 1, three(27)? + 1))
        }
        b"VP8L" => {
            let bits = le32(bytes, 21)?;
            Some(((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1))
        }
        b"VP8 " => Some((le16(bytes, 26)? & 0x3FFF, le16(bytes, 28)? & 0x3FFF)),
        _ => None,
    }
}

/// The largest of its pictures.
fn tiff(bytes: &[u8]) -> Option<u64> {
    let little = bytes.starts_with(b"II");
    let word = |at| {
        if little {
            le16(bytes, at)
        } else {
            be16(bytes, at)
        }
    };
    let long = |at| {
        if little {
            le32(bytes, at)
        } else {
            be32(bytes, at)
        }
    };
    // BigTIFF has other directories; its pictures are bounded by the reader.
    (word(2)? == 42).then_some(())?;
    let mut directory = usize::try_from(long(4)?).ok()?;
    let mut most = None;
    for _ in 0..DIRECTORIES {
        let (mut width, mut height) = (None, None);
        let Some(entries) = word(directory).and_then(|n| usize::try_from(n).ok()) else {
            break;
        };
        for entry in (0..entries).map(|n| directory + 2 + 12 * n) {
            let value = match word(entry + 2) {
                Some(3) => word(entry + 8),
                _ => long(entry + 8),
            };
            match word(entry) {
                Some(256) => width = value,
                Some(257) => height = value,
                Some(_) => {}
                None => break,
            }
        }
        if let (Some(width), Some(height)) = (width, height) {
            most = most.max(Some(width.saturating_mul(height)));
        }
        match long(directory + 2 + 12 * entries).and_then(|next| usize::try_from(next).ok()) {
            Some(next @ 1..) if next > directory => directory = next,
            // Also what goes back: pictures in a circle are looked at once.
            _ => break,
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::declared;
    use crate::format::Format;
    use crate::inspect::Risk;
    use crate::inspect::testing::*;

    #[test]
    fn sizes_are_read_from_each_header() {
        let jpeg = b"\xFF\xD8\xFF\xE0\0\x04ab\xFF\xC2\0\x0B\x08\x01\0\x02\0\x01\x01\x11\0";
        let webp = b"RIFF\0\0\0\0WEBPVP8X\x0A\0\0\0\0\0\0\0\xFF\x01\0\xFF\0\0";
        let mut bmp = b"BM\0\0\0\0\0\0\0\0\0\0\0\0\x28\0\0\0".to_vec();
        bmp.extend(512_i32.to_le_bytes());
        bmp.extend((-256_i32).to_le_bytes());
        let mut tiff = b"II*\0\x08\0\0\0\x02\0".to_vec();
        tiff.extend(b"\0\x01\x03\0\x01\0\0\0\0\x02\0\0\x01\x01\x04\0\x01\0\0\0\0\x01\0\0\0\0\0\0");
        for (bytes, format) in [
            (&png(512, 256)[..], Format::Png),
            (b"GIF89a\0\x02\0\x01", Format::Gif),
            (jpeg, Format::Jpeg),
            (webp, Format::Webp),
            (&bmp, Format::Bmp),
            (&tiff, Format::Tiff),
        ] {
            assert_eq!(declared(bytes, format), Some(512 * 256), "{format:?}");
            for length in 0..bytes.len() {
                let _ = declared(&bytes[..length], format);
            }
        }
    }

    #[test]
    fn a_picture_that_unpacks_to_gigabytes_is_found_also_in_an_archive() {
        let bomb = png(60_000, 60_000);
        assert_eq!(risks(&bomb, "a.png"), [Risk::PixelBomb]);
        assert_eq!(
            risks(&docx(&[("word/media/image1.png", &bomb)]), "a.docx"),
            [Risk::PixelBomb]
        );
        assert!(risks(&png(4_000, 3_000), "a.png").is_empty());
    }
}
