//! Records of PowerPoint's stream: a head of eight bytes, and a body that is other records or
//! data. This module must not know what a slide is.

/// Records inside an unsound file, at most.
const MOST: usize = 1_000_000;

/// Kinds of records, by their numbers in MS-PPT 2.13.24.
pub(super) mod kind {
    pub(in super::super) const SLIDE: u16 = 0x03EE;
    pub(in super::super) const ABOUT: u16 = 0x03EF;
    pub(in super::super) const PERSIST: u16 = 0x03F3;
    pub(in super::super) const DRAWING: u16 = 0x040C;
    pub(in super::super) const OUTLINE_REFERENCE: u16 = 0x0F9E;
    pub(in super::super) const TEXT_HEADER: u16 = 0x0F9F;
    pub(in super::super) const TEXT_CHARACTERS: u16 = 0x0FA0;
    pub(in super::super) const TEXT_BYTES: u16 = 0x0FA8;
    pub(in super::super) const LIST: u16 = 0x0FF0;
    pub(in super::super) const EDIT: u16 = 0x0FF5;
    pub(in super::super) const DIRECTORY: u16 = 0x1772;
}

/// How the head says that the body is other records.
const CONTAINER: u16 = 0xF;

#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) kind: u16,
    pub(super) instance: u16,
    is_container: bool,
    pub(super) body: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record that begins there. One that claims more than there is has what there is.
    pub(super) fn at(stream: &'a [u8], at: u32) -> Option<Self> {
        let bytes = stream.get(usize::try_from(at).ok()?..)?;
        let version = u16_at(bytes, 0)?;
        let length = usize::try_from(u32_at(bytes, 4)?).ok()?;
        let rest = bytes.get(8..)?;
        Some(Self {
            kind: u16_at(bytes, 2)?,
            instance: version >> 4,
            is_container: version & 0xF == CONTAINER,
            body: rest.get(..length).unwrap_or(rest),
        })
    }

    pub(super) fn children(self) -> Records<'a> {
        Records::of(if self.is_container { self.body } else { &[] })
    }

    /// The records that hold data, in their order, down to so many levels.
    pub(super) fn leaves(self, deepest: usize) -> Vec<Self> {
        let mut found = Vec::new();
        let mut open = vec![self.children()];
        while let Some(records) = open.last_mut() {
            match records.next() {
                Some(_) if found.len() >= MOST => break,
                Some(record) if record.is_container => {
                    if open.len() < deepest {
                        open.push(record.children());
                    }
                }
                Some(record) => found.push(record),
                None => {
                    open.pop();
                }
            }
        }
        found
    }

    /// Of a directory: which number lies where.
    pub(super) fn places(self) -> Vec<(u32, u32)> {
        let is_directory = self.kind == kind::DIRECTORY;
        let mut words = self.body.chunks_exact(4).filter_map(|word| u32_at(word, 0));
        let mut places = Vec::new();
        while let Some(run) = words.next().filter(|_| is_directory) {
            let (first, count) = (run & 0xF_FFFF, run >> 20);
            places.extend((first..).zip(words.by_ref().take(count as usize)));
        }
        places
    }
}

/// Records one after the other.
pub(super) struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    pub(super) const fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let record = Record::at(self.rest, 0)?;
        self.rest = self.rest.get(8 + record.body.len()..).unwrap_or_default();
        Some(record)
    }
}

/// The text of a record that is text. Lines end as PowerPoint ends paragraphs and lines.
pub(super) fn text_of(record: Record<'_>) -> Option<String> {
    let units: Vec<u16> = match record.kind {
        kind::TEXT_CHARACTERS => {
            let pairs = record.body.chunks_exact(2);
            pairs.filter_map(|pair| u16_at(pair, 0)).collect()
        }
        // The lower halves of characters whose upper ones are all nought.
        kind::TEXT_BYTES => record.body.iter().map(|byte| u16::from(*byte)).collect(),
        _ => return None,
    };
    let ends = |unit: u16| {
        if matches!(unit, 0x0B | 0x0D) {
            0x0A
        } else {
            unit
        }
    };
    let units: Vec<u16> = units.into_iter().map(ends).collect();
    Some(String::from_utf16_lossy(&units))
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(two.try_into().ok()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}
