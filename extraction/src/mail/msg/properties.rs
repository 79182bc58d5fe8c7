//! The properties of a message or an attachment: streams named by id and type, and one with the
//! values of fixed length. This module must not know what a message is.

use std::io::Read;
use std::path::{Path, PathBuf};

use encoding_rs::{Encoding, UTF_16LE};

use super::File;
use crate::code_page;
use crate::limits::Limits;
use crate::text;

/// Ids of properties (MS-OXPROPS).
pub(super) mod id {
    pub(in super::super) const SUBJECT: u16 = 0x0037;
    pub(in super::super) const SUBMITTED: u16 = 0x0039;
    pub(in super::super) const SENDER_NAME: u16 = 0x0C1A;
    pub(in super::super) const SENDER_ADDRESS: u16 = 0x0C1F;
    pub(in super::super) const SENDER_SMTP: u16 = 0x5D01;
    pub(in super::super) const DISPLAY_CC: u16 = 0x0E03;
    pub(in super::super) const DISPLAY_TO: u16 = 0x0E04;
    pub(in super::super) const DELIVERED: u16 = 0x0E06;
    pub(in super::super) const BODY: u16 = 0x1000;
    pub(in super::super) const PACKED_RTF: u16 = 0x1009;
    pub(in super::super) const HTML: u16 = 0x1013;
    pub(in super::super) const DISPLAY_NAME: u16 = 0x3001;
    pub(in super::super) const DATA: u16 = 0x3701;
    pub(in super::super) const SHORT_NAME: u16 = 0x3704;
    pub(in super::super) const LONG_NAME: u16 = 0x3707;
    pub(in super::super) const MEDIA_TYPE: u16 = 0x370E;
    pub(super) const CODE_PAGE: u16 = 0x3FFD;
}

/// Types of properties.
const INTEGER: u16 = 0x0003;
const STRING_8: u16 = 0x001E;
const STRING: u16 = 0x001F;
const TIME: u16 = 0x0040;
const BINARY: u16 = 0x0102;

/// The stream of values of fixed length, and the longest header that stands before them: that of
/// a whole message. Others are shorter by whole entries or half ones.
const FIXED: &str = "__properties_version1.0";
const ENTRY: usize = 16;
/// Ticks of 100 ns between 1601 and 1970.
const EPOCH: u64 = 116_444_736_000_000_000;

pub(super) struct Properties<'f, 'b> {
    file: &'f mut File<'b>,
    storage: PathBuf,
    room: usize,
    fixed: Vec<u8>,
    encoding: Option<&'static Encoding>,
}

impl<'f, 'b> Properties<'f, 'b> {
    pub(super) fn of(file: &'f mut File<'b>, storage: &Path, limits: &Limits) -> Self {
        let room = limits.max_decompressed_bytes;
        let fixed = stream(file, &storage.join(FIXED), room).unwrap_or_default();
        let mut of = Self {
            file,
            storage: storage.to_owned(),
            room,
            fixed,
            encoding: None,
        };
        let number = of.fixed(id::CODE_PAGE, INTEGER);
        let number = number.and_then(|value| u32::try_from(value & 0xFFFF_FFFF).ok());
        of.encoding = number.map(code_page::encoding);
        of
    }

    /// A property of text. Of names that are too long for a line nothing is lost.
    pub(super) fn text(&mut self, id: u16) -> Option<String> {
        if let Some(bytes) = self.read(id, STRING) {
            let (text, _) = UTF_16LE.decode_without_bom_handling(&bytes);
            return Some(text.trim_end_matches('\0').to_owned());
        }
        let bytes = self.read(id, STRING_8)?;
        let text = match self.encoding {
            Some(encoding) => encoding.decode_without_bom_handling(&bytes).0,
            None => text::decode(&bytes),
        };
        Some(text.trim_end_matches('\0').to_owned())
    }

    pub(super) fn bytes(&mut self, id: u16) -> Option<Vec<u8>> {
        self.read(id, BINARY)
    }

    /// A time, as RFC 3339 writes it.
    pub(super) fn time(&self, id: u16) -> Option<String> {
        let ticks = self.fixed(id, TIME)?.checked_sub(EPOCH)?;
        rfc3339(ticks / 10_000_000)
    }

    fn read(&mut self, id: u16, kind: u16) -> Option<Vec<u8>> {
        let name = format!("__substg1.0_{id:04X}{kind:04X}");
        stream(self.file, &self.storage.join(name), self.room)
    }

    fn fixed(&self, id: u16, kind: u16) -> Option<u64> {
        // Headers are of 32, 24 or 8 bytes: entries begin at multiples of eight.
        let tag = [kind.to_le_bytes(), id.to_le_bytes()].concat();
        let starts = (8..self.fixed.len()).step_by(8);
        let found = starts.filter_map(|at| self.fixed.get(at..at + ENTRY));
        let mut found = found.filter(|entry| entry.starts_with(&tag));
        let value = found.next()?.get(8..ENTRY)?;
        Some(u64::from_le_bytes(value.try_into().ok()?))
    }
}

/// A stream, if there is one of this path and it has no more than `room` bytes.
pub(super) fn stream(file: &mut File<'_>, path: &Path, room: usize) -> Option<Vec<u8>> {
    let stream = file.open_stream(path).ok()?;
    let mut bytes = Vec::new();
    stream.take(room as u64 + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() <= room).then_some(bytes)
}

/// Seconds since 1970 as a date and time (Howard Hinnant's `civil_from_days`).
fn rfc3339(seconds: u64) -> Option<String> {
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    let shifted = days.checked_add(719_468)?;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (clock / 3_600, clock / 60 % 60, clock % 60);
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
    ))
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn times_are_dates() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_823_999, "2026-11-27T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds).as_deref(), Some(expected));
        }
        assert!(rfc3339(u64::MAX / 10_000_000).is_some());
    }
}
