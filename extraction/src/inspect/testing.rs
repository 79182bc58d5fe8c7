//! Made bytes for the tests of the rules.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use std::io::{Cursor, Write};

use super::{InspectLimits, Inspection, Risk, inspect};
use crate::Input;

pub(super) fn look(bytes: &[u8], file_name: &str, declared: Option<&str>) -> Inspection {
    let input = Input {
        bytes,
        file_name,
        content_type: declared,
    };
    inspect(&input, &InspectLimits::default()).unwrap()
}

pub(super) fn risks(bytes: &[u8], file_name: &str) -> Vec<Risk> {
    let found = look(bytes, file_name, None).findings;
    found.into_iter().map(|finding| finding.risk).collect()
}

/// The headers of a program for Windows that does nothing.
pub(super) fn windows_program() -> Vec<u8> {
    let mut program = b"MZ\x90\0".to_vec();
    program.resize(0x3C, 0);
    program.extend(0x80_u32.to_le_bytes());
    program.resize(0x80, 0);
    program.extend(b"PE\0\0\x4C\x01");
    program.resize(0x200, 0);
    program
}

pub(super) fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A document for Word with these entries beside those that it has to have.
pub(super) fn docx(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut all: Vec<(&str, &[u8])> = vec![
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", b"<w:document/>"),
    ];
    all.extend(entries);
    zipped(&all)
}

/// A compound file with these streams; storages are made for their folders.
pub(super) fn compound(streams: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    for (path, bytes) in streams {
        if let Some((folder, _)) = path.rsplit_once('/').filter(|(f, _)| !f.is_empty()) {
            file.create_storage_all(folder).unwrap();
        }
        file.create_stream(path).unwrap().write_all(bytes).unwrap();
    }
    file.into_inner().into_inner()
}

pub(super) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR".to_vec();
    png.extend(width.to_be_bytes());
    png.extend(height.to_be_bytes());
    png.extend(b"\x08\x02\0\0\0\0\0\0\0");
    png.extend(b"\0\0\0\0IEND\xAE\x42\x60\x82");
    png
}

pub(super) fn gif() -> Vec<u8> {
    let mut gif = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xFF\xFF\xFF".to_vec();
    gif.extend(b"\x2C\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3B");
    gif
}
