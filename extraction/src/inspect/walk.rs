//! The way through a file and all that lies in it, within bounds.
//!
//! Owns the budget and what is looked at in which format. Each container is a module of its own
//! that hands what it holds back to [`Walk::inside`].

use super::{FREE_BYTES, InspectLimits, Inspection, Risk};
use super::{archive, compound, executable, mail, pdf, pixels};
use crate::detect::content_format;
use crate::format::Format;

/// A walk through one file.
pub(super) struct Walk<'a> {
    limits: &'a InspectLimits,
    found: &'a mut Inspection,
    depth: u32,
    entries: u64,
    unpacked: u64,
    most_unpacked: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(limits: &'a InspectLimits, size: usize, found: &'a mut Inspection) -> Self {
        let by_ratio = (size as u64).saturating_mul(limits.max_ratio);
        Self {
            limits,
            found,
            depth: 0,
            entries: 0,
            unpacked: 0,
            most_unpacked: limits.max_unpacked_bytes.min(by_ratio.max(FREE_BYTES)),
        }
    }

    /// Note a risk, once each.
    pub(super) fn note(&mut self, risk: Risk, detail: impl Into<String>) {
        self.found.add(risk, detail);
    }

    /// Whether anything more is to be looked at: a file that is a bomb is not unpacked further.
    pub(super) fn goes_on(&self) -> bool {
        !self.found.has(Risk::ArchiveBomb)
    }

    /// How many bytes may still be unpacked.
    pub(super) const fn left(&self) -> u64 {
        self.most_unpacked.saturating_sub(self.unpacked)
    }

    /// Count an entry; `false`: there are too many.
    pub(super) fn count_entry(&mut self) -> bool {
        self.entries += 1;
        if self.entries > self.limits.max_entries {
            let most = self.limits.max_entries;
            self.note(
                Risk::ArchiveBomb,
                format!("it has more than {most} entries"),
            );
        }
        self.goes_on()
    }

    /// Count unpacked bytes; `false`: they are too many.
    pub(super) fn count_bytes(&mut self, bytes: u64) -> bool {
        self.unpacked = self.unpacked.saturating_add(bytes);
        if self.unpacked > self.most_unpacked {
            let most = self.most_unpacked;
            self.note(
                Risk::ArchiveBomb,
                format!("it unpacks to more than {most} bytes"),
            );
        }
        self.goes_on()
    }

    /// Look at a file that lies in another one.
    pub(super) fn inside(&mut self, bytes: &[u8], name: &str) {
        if !self.goes_on() {
            return;
        }
        if executable::is_run_by_name(name) {
            self.note(
                Risk::Executable,
                "a file in it has the name of a program or a script",
            );
        }
        self.depth += 1;
        let format = content_format(bytes, name);
        if self.depth > self.limits.max_depth && format.is_some_and(is_container) {
            let most = self.limits.max_depth;
            self.note(
                Risk::ArchiveBomb,
                format!("containers lie in one another deeper than {most}"),
            );
        } else {
            if is_packed_otherwise(bytes) {
                self.note(
                    Risk::Opaque,
                    "it holds an archive of a type that is not looked into",
                );
            }
            self.look(bytes, format);
        }
        self.depth -= 1;
    }

    /// Look at a file and all that is in it.
    pub(super) fn look(&mut self, bytes: &[u8], format: Option<Format>) {
        if let Some(what) = executable::kind(bytes) {
            let where_it_is = if self.depth == 0 { "it is" } else { "it holds" };
            self.note(Risk::Executable, format!("{where_it_is} {what}"));
        }
        // Macro projects, objects, and packages behind a password are of no format of their own.
        if bytes.starts_with(compound::SIGNATURE) {
            return compound::look(self, bytes);
        }
        let Some(format) = format else { return };
        if let Some(pixels) = pixels::declared(bytes, format)
            && pixels > self.limits.max_pixels
        {
            let most = self.limits.max_pixels;
            self.note(
                Risk::PixelBomb,
                format!("a picture declares {pixels} pixels, more than {most}"),
            );
        }
        match format {
            Format::Pdf => pdf::look(self, bytes),
            Format::Eml => mail::look(self, bytes),
            Format::Docx
            | Format::Pptx
            | Format::Xlsx
            | Format::Odt
            | Format::Odp
            | Format::Ods
            | Format::Zip => archive::look(self, bytes),
            _ => {}
        }
    }
}

const fn is_container(format: Format) -> bool {
    matches!(
        format,
        Format::Docx
            | Format::Pptx
            | Format::Xlsx
            | Format::Odt
            | Format::Odp
            | Format::Ods
            | Format::Zip
            | Format::Eml
            | Format::Msg
    )
}

/// Archives that are not unpacked here.
fn is_packed_otherwise(bytes: &[u8]) -> bool {
    const KNOWN: [&[u8]; 7] = [
        b"7z\xBC\xAF\x27\x1C",
        b"Rar!\x1A\x07",
        b"\x1F\x8B\x08",
        b"BZh",
        b"\xFD7zXZ\0",
        b"MSCF\0\0\0\0",
        b"\x28\xB5\x2F\xFD",
    ];
    KNOWN.iter().any(|magic| bytes.starts_with(magic))
        || bytes.get(257..262) == Some(b"ustar")
        || bytes.get(0x8001..0x8006) == Some(b"CD001")
}
