//! The pictures of a TIFF file, of which decoders see the first only. This module owns the chain
//! of directories; it must not decode pixels.

/// Directories that are looked at: each is a page, and a chain may run in a circle.
const MOST: usize = 10_000;
/// The tag that says what a picture is for; bit 0 of its value marks a thumbnail.
const SUBFILE_TYPE: u64 = 254;

/// Where the directories of the pages are, in their order.
pub(super) fn directories(bytes: &[u8]) -> Vec<u64> {
    let mut found = Vec::new();
    let Some(file) = File::open(bytes) else {
        return found;
    };
    let mut next = file.first();
    for _ in 0..MOST {
        let Some(at) = next.filter(|at| *at > 0 && !found.contains(at)) else {
            break;
        };
        let Some(directory) = file.directory(at) else {
            break;
        };
        if !directory.is_thumbnail {
            found.push(at);
        }
        next = directory.next;
    }
    found
}

/// The file with another directory as its first.
pub(super) fn starting_at(bytes: &[u8], directory: u64) -> Option<Vec<u8>> {
    let file = File::open(bytes)?;
    let mut copy = bytes.to_vec();
    if file.is_big {
        let to = copy.get_mut(8..16)?;
        to.copy_from_slice(&if file.is_little {
            directory.to_le_bytes()
        } else {
            directory.to_be_bytes()
        });
    } else {
        let directory = u32::try_from(directory).ok()?;
        let to = copy.get_mut(4..8)?;
        to.copy_from_slice(&if file.is_little {
            directory.to_le_bytes()
        } else {
            directory.to_be_bytes()
        });
    }
    Some(copy)
}

struct File<'a> {
    bytes: &'a [u8],
    is_little: bool,
    /// BigTIFF: offsets of 64 bits.
    is_big: bool,
}

struct Directory {
    is_thumbnail: bool,
    next: Option<u64>,
}

impl<'a> File<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        let is_little = match bytes.get(..2)? {
            b"II" => true,
            b"MM" => false,
            _ => return None,
        };
        let mut file = Self {
            bytes,
            is_little,
            is_big: false,
        };
        match file.number(2, 2)? {
            42 => Some(file),
            43 => {
                file.is_big = true;
                Some(file)
            }
            _ => None,
        }
    }

    fn first(&self) -> Option<u64> {
        if self.is_big {
            self.number(8, 8)
        } else {
            self.number(4, 4)
        }
    }

    fn directory(&self, at: u64) -> Option<Directory> {
        let (count_size, entry_size, offset_size) =
            if self.is_big { (8, 20, 8) } else { (2, 12, 4) };
        let entries = self.number(at, count_size)?;
        let first = at.checked_add(count_size)?;
        let end = entries
            .checked_mul(entry_size)
            .and_then(|size| first.checked_add(size))
            .filter(|end| *end <= self.bytes.len() as u64)?;
        let is_thumbnail = (0..entries).any(|index| {
            let entry = first + index * entry_size;
            let value = entry + entry_size - offset_size;
            self.number(entry, 2) == Some(SUBFILE_TYPE)
                && self.number(value, 4).is_some_and(|value| value & 1 == 1)
        });
        Some(Directory {
            is_thumbnail,
            next: self.number(end, offset_size),
        })
    }

    /// A number of so many bytes.
    fn number(&self, at: u64, size: u64) -> Option<u64> {
        let from = usize::try_from(at).ok()?;
        let to = from.checked_add(usize::try_from(size).ok()?)?;
        let bytes = self.bytes.get(from..to)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.is_little {
            bytes.iter().rev().fold(0, add)
        } else {
            bytes.iter().fold(0, add)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Directories of one entry each, from offset 8 on, 18 bytes apart.
    fn file(kinds: &[u32], last: u32) -> Vec<u8> {
        let mut bytes = b"II\x2A\0\x08\0\0\0".to_vec();
        for (index, kind) in (1_u32..).zip(kinds) {
            let is_last = index as usize == kinds.len();
            let next = if is_last { last } else { 8 + 18 * index };
            bytes.extend([1, 0, 254, 0, 4, 0, 1, 0, 0, 0]);
            bytes.extend(kind.to_le_bytes());
            bytes.extend(next.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn pages_are_found_and_thumbnails_are_not() {
        assert_eq!(directories(&file(&[2, 1, 2], 0)), [8, 44]);
        assert_eq!(directories(&file(&[0], 0)), [8]);
    }

    #[test]
    fn a_chain_may_run_in_a_circle_or_out_of_the_file() {
        assert_eq!(directories(&file(&[0, 0], 8)), [8, 26]);
        assert_eq!(directories(&file(&[0], 4_000_000_000)), [8]);
        assert_eq!(
            directories(b"II\x2A\0\x08\0\0\0\xFF\xFF"),
            Vec::<u64>::new()
        );
        assert_eq!(directories(b"MM\0\x2A"), Vec::<u64>::new());
    }

    #[test]
    fn another_page_becomes_the_first() {
        let bytes = file(&[0, 0], 0);
        let second = starting_at(&bytes, 26).unwrap();
        assert_eq!(directories(&second), [26]);
    }
}
