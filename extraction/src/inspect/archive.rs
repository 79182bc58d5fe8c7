//! Zip archives, and the office files that are ones. This module unpacks within the walk's bounds
//! and keeps no more than the walk needs.

use std::io::{Cursor, Read};

use quick_xml::events::Event;
use zip::ZipArchive;
use zip::result::ZipError;

use super::walk::Walk;
use super::{Risk, compound};
use crate::detect::content_format;

/// Of an entry that holds nothing itself, so much is kept: the headers of pictures are within.
const KEPT: usize = 512 * 1024;
/// The largest entry that is looked into.
const LARGEST_INSIDE: u64 = 256 * 1024 * 1024;
const CHUNK: usize = 64 * 1024;

pub(super) fn look(walk: &mut Walk<'_>, bytes: &[u8]) {
    // One that cannot be read is damaged: nothing that goes by the same directory reads it.
    let Ok(mut archive) = ZipArchive::new(Cursor::new(bytes)) else {
        return;
    };
    // Entries that share their bytes make a small archive unpack to an endless one.
    if archive.has_overlapping_files().unwrap_or(false) {
        walk.note(Risk::ArchiveBomb, "entries of it lie over one another");
    }
    for index in 0..archive.len() {
        if !walk.goes_on() || !walk.count_entry() {
            return;
        }
        look_at_entry(walk, &mut archive, index);
    }
}

fn look_at_entry(walk: &mut Walk<'_>, archive: &mut ZipArchive<Cursor<&[u8]>>, index: usize) {
    let Ok(raw) = archive.by_index_raw(index) else {
        return;
    };
    let name = String::from_utf8_lossy(raw.name_raw()).into_owned();
    if raw.is_dir() {
        return;
    }
    note_name(walk, &name);
    if raw.encrypted() {
        walk.note(Risk::Opaque, "entries of it are behind a password");
        return;
    }
    drop(raw);
    match archive.by_index(index) {
        Ok(entry) => {
            let Some(content) = unpack(walk, entry) else {
                return;
            };
            if name == "[Content_Types].xml" {
                note_types(walk, &content);
            }
            walk.inside(&content, &name);
        }
        Err(ZipError::CompressionMethodNotSupported(_) | ZipError::UnsupportedArchive(_)) => {
            walk.note(
                Risk::Opaque,
                "entries of it are packed in a way that is not looked into",
            );
        }
        Err(_) => {}
    }
}

/// Parts of office files that hold macros, where their programs put them.
fn note_name(walk: &mut Walk<'_>, name: &str) {
    let lower = name.to_ascii_lowercase();
    let last = lower.rsplit(['/', '\\']).next().unwrap_or_default();
    if last == "vbaproject.bin" {
        walk.note(Risk::Macros, "it holds a macro project");
    } else if lower.starts_with("xl/macrosheets/") {
        walk.note(Risk::Macros, "it holds a sheet of Excel 4 macros");
    } else if lower.starts_with("basic/") || lower.starts_with("scripts/") {
        walk.note(Risk::Macros, "it holds macros of OpenOffice");
    }
}

/// What the parts of a package say they are, wherever they are.
fn note_types(walk: &mut Walk<'_>, xml: &[u8]) {
    let mut reader = quick_xml::Reader::from_reader(xml);
    while let Ok(event) = reader.read_event() {
        let element = match &event {
            Event::Start(element) | Event::Empty(element) => element,
            Event::Eof => return,
            _ => continue,
        };
        let types = element.attributes().filter_map(Result::ok);
        for attribute in types.filter(|a| a.key.as_ref() == "ContentType") {
            let kind = attribute.value.to_ascii_lowercase();
            let of_macros = ["vbaproject", "macrosheet", "macroenabled"];
            if of_macros.iter().any(|word| kind.contains(word)) {
                walk.note(Risk::Macros, "a part of it says that it holds macros");
            }
        }
    }
}

/// What of an entry has to be looked at; all of it is unpacked and counted.
fn unpack(walk: &mut Walk<'_>, mut entry: impl Read) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let mut chunk = vec![0; CHUNK];
    let mut whole = None;
    let mut size: u64 = 0;
    loop {
        // A checksum that does not fit ends it as well: it is damaged, not hidden.
        let Ok(read @ 1..) = entry.read(&mut chunk) else {
            return Some(kept);
        };
        size += read as u64;
        if !walk.count_bytes(read as u64) {
            return None;
        }
        let piece = chunk.get(..read).unwrap_or_default();
        let is_whole = *whole.get_or_insert_with(|| is_looked_into(piece));
        if is_whole && size > LARGEST_INSIDE {
            walk.note(
                Risk::Opaque,
                "a container in it is too large to be looked into",
            );
            return None;
        }
        if is_whole || kept.len() < KEPT {
            kept.extend_from_slice(piece);
        }
    }
}

fn is_looked_into(head: &[u8]) -> bool {
    head.starts_with(compound::SIGNATURE)
        || content_format(head, "").is_some_and(|format| !format.is_picture())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use crate::Input;
    use crate::inspect::testing::*;
    use crate::inspect::{InspectLimits, Risk, inspect};

    #[test]
    fn programs_in_archives_are_found_by_content_and_by_name() {
        let program = windows_program();
        for entries in [
            &[("readme.txt", &program[..])][..],
            &[("setup.exe", b"whatever")],
            &[("run.ps1", b"Get-Item")],
            &[("a/b/run.txt", b"#!/bin/sh\nrm -rf /\n")],
        ] {
            assert_eq!(risks(&zipped(entries), "a.zip"), [Risk::Executable]);
        }
        let within = docx(&[("word/embeddings/picture.png", &program)]);
        assert_eq!(risks(&within, "a.docx"), [Risk::Executable]);
        let twice = zipped(&[("inner.zip", &zipped(&[("setup.exe", b"x")]))]);
        assert_eq!(risks(&twice, "a.zip"), [Risk::Executable]);
    }

    #[test]
    fn an_honest_archive_passes() {
        let plain = zipped(&[
            ("manual of bash.txt", b"start with #!/bin/sh and go on"),
            ("macro.csv", b"a,b"),
            ("scan.png", &png(10, 10)),
            ("report.docx", &docx(&[])),
        ]);
        assert!(risks(&plain, "a.zip").is_empty());
    }

    #[test]
    fn macros_are_found_whatever_the_file_is_called() {
        let project = compound(&[("/VBA/dir", b"x"), ("/VBA/_VBA_PROJECT", b"x")]);
        let types = br#"<Types><Override PartName="/word/data.bin" ContentType="application/vnd.ms-office.vbaProject"/></Types>"#;
        for bytes in [
            docx(&[("word/vbaProject.bin", b"x")]),
            docx(&[("word/settings.bin", &project)]),
            docx(&[("xl/macrosheets/sheet1.xml", b"<x/>")]),
            zipped(&[
                ("[Content_Types].xml", types),
                ("word/document.xml", b"<w/>"),
            ]),
        ] {
            assert_eq!(risks(&bytes, "a.docx"), [Risk::Macros]);
        }
        assert!(risks(&docx(&[("word/notes.xml", b"a macro")]), "a.docx").is_empty());
    }

    #[test]
    fn what_cannot_be_looked_into_is_said() {
        for packed in [&b"7z\xBC\xAF\x27\x1C..."[..], b"Rar!\x1A\x07\0"] {
            assert_eq!(
                risks(&zipped(&[("a.txt", packed)]), "a.zip"),
                [Risk::Opaque]
            );
        }
        let mut locked = zipped(&[("a.txt", b"x")]);
        // The flag of encryption, in both headers.
        let central = locked.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        locked[6] |= 1;
        locked[central + 8] |= 1;
        assert_eq!(risks(&locked, "a.zip"), [Risk::Opaque]);
    }

    fn with(bytes: &[u8], limits: InspectLimits) -> Vec<Risk> {
        let input = Input {
            bytes,
            file_name: "a.zip",
            content_type: None,
        };
        let found = inspect(&input, &limits).unwrap().findings;
        found.into_iter().map(|finding| finding.risk).collect()
    }

    fn zeros(megabytes: usize) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("a.txt", zip::write::SimpleFileOptions::default())
            .unwrap();
        for _ in 0..megabytes {
            zip.write_all(&[b' '; 1024 * 1024]).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn bombs_are_found_by_ratio_bytes_entries_and_depth() {
        let limits = InspectLimits::default();
        assert_eq!(with(&zeros(66), limits), [Risk::ArchiveBomb]);
        assert!(with(&zeros(8), limits).is_empty());
        let few = InspectLimits {
            max_unpacked_bytes: 1024 * 1024,
            ..limits
        };
        assert_eq!(with(&zeros(2), few), [Risk::ArchiveBomb]);
        let names: Vec<String> = (0..20).map(|n| format!("{n}.txt")).collect();
        let entries: Vec<_> = names.iter().map(|n| (n.as_str(), &b"x"[..])).collect();
        let few = InspectLimits {
            max_entries: 19,
            ..limits
        };
        assert_eq!(with(&zipped(&entries), few), [Risk::ArchiveBomb]);
        assert!(with(&zipped(&entries), limits).is_empty());
        let nested = |levels| {
            (0..levels).fold(zipped(&[("a.txt", b"x")]), |inner, _| {
                zipped(&[("inner.zip", &inner)])
            })
        };
        assert!(with(&nested(5), limits).is_empty());
        assert_eq!(with(&nested(6), limits), [Risk::ArchiveBomb]);
    }

    #[test]
    fn entries_over_one_another_are_a_bomb() {
        // Two entries of the directory point to the one that is there.
        let one = zipped(&[("a.txt", b"some words to be packed")]);
        let central = one.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        let end = one.windows(4).position(|w| w == b"PK\x05\x06").unwrap();
        let mut second = one[central..end].to_vec();
        let name = second.windows(5).position(|w| w == b"a.txt").unwrap();
        second[name] = b'b';
        let mut both = [&one[..end], &second[..], &one[end..]].concat();
        let record = both.len() - 22;
        both[record + 8] = 2;
        both[record + 10] = 2;
        let length = u32::try_from(2 * (end - central)).unwrap();
        both[record + 12..record + 16].copy_from_slice(&length.to_le_bytes());
        assert_eq!(risks(&both, "a.zip"), [Risk::ArchiveBomb]);
    }

    #[test]
    fn a_damaged_archive_is_no_finding() {
        let whole = docx(&[("word/media/a.png", &png(3, 3))]);
        for length in 30..whole.len() {
            let found = risks(&whole[..length], "a.docx");
            assert!(found.is_empty(), "{length}: {found:?}");
        }
    }
}
