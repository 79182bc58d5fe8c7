//! OLE compound files: office files of old, Outlook's messages, macro projects, and packages behind a
//! password. This module reads streams within the walk's bounds.

use std::io::{Cursor, Read};
use std::path::Path;

use cfb::CompoundFile;

use super::walk::Walk;
use super::{Risk, executable};

/// How every one of them begins.
pub(super) const SIGNATURE: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

/// The largest stream that is looked into.
const LARGEST: u64 = 256 * 1024 * 1024;
/// The class of Windows' installation packages.
const INSTALLER: &str = "000c1084-0000-0000-c000-000000000046";
/// Outlook's properties: what an attachment holds, and its long name.
const ATTACHED: &str = "__substg1.0_37010102";
const ATTACHED_NAME: &str = "__substg1.0_3707001F";

type File<'a> = CompoundFile<Cursor<&'a [u8]>>;

pub(super) fn look(walk: &mut Walk<'_>, bytes: &[u8]) {
    let Ok(mut file) = CompoundFile::open(Cursor::new(bytes)) else {
        return;
    };
    if file.root_entry().clsid().to_string() == INSTALLER {
        walk.note(Risk::Executable, "it is an installation package");
    }
    let mut streams = Vec::new();
    for entry in file.walk() {
        if !walk.count_entry() {
            return;
        }
        if entry.name().eq_ignore_ascii_case("_VBA_PROJECT") && entry.is_stream() {
            walk.note(Risk::Macros, "it holds a macro project");
        }
        if entry.is_stream() {
            streams.push((entry.path().to_owned(), entry.len()));
        }
    }
    for (path, length) in streams {
        if !walk.goes_on() {
            return;
        }
        look_at_stream(walk, &mut file, &path, length);
    }
}

fn look_at_stream(walk: &mut Walk<'_>, file: &mut File<'_>, path: &Path, length: u64) {
    let name = last(path);
    if name == "EncryptedPackage" {
        walk.note(Risk::Opaque, "it is behind a password");
        return;
    }
    if length > LARGEST {
        walk.note(
            Risk::Opaque,
            "a stream in it is too large to be looked into",
        );
        return;
    }
    let Some(content) = read(file, path, length) else {
        return;
    };
    if !walk.count_bytes(content.len() as u64) {
        return;
    }
    match name.as_str() {
        "Workbook" | "Book" => look_at_workbook(walk, &content),
        "WordDocument" if content.get(11).is_some_and(|flags| flags & 1 != 0) => {
            walk.note(Risk::Opaque, "it is behind a password");
        }
        _ if name.ends_with("Ole10Native") => look_at_packaged(walk, &content),
        ATTACHED => {
            let of = path.parent().map(|folder| folder.join(ATTACHED_NAME));
            let attached = of.and_then(|of| utf16(file, &of)).unwrap_or_default();
            walk.inside(&content, &attached);
        }
        _ => walk.inside(&content, ""),
    }
}

fn last(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn read(file: &mut File<'_>, path: &Path, length: u64) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let stream = file.open_stream(path).ok()?;
    // What was read before a damaged sector is looked at all the same.
    let _ = stream.take(length).read_to_end(&mut content);
    Some(content)
}

fn utf16(file: &mut File<'_>, path: &Path) -> Option<String> {
    let bytes = read(file, path, 2048)?;
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .filter_map(|two| Some(u16::from_le_bytes(two.try_into().ok()?)))
        .collect();
    Some(String::from_utf16_lossy(&units))
}

/// A file that a user put into a document: its name, where it was, and its bytes.
fn look_at_packaged(walk: &mut Walk<'_>, content: &[u8]) {
    let names = content.get(6..).unwrap_or_default().split(|b| *b == 0);
    let is_run = names
        .take(2)
        .any(|name| executable::is_run_by_name(&String::from_utf8_lossy(name)));
    if is_run || executable::carved(content).is_some() {
        walk.note(Risk::Executable, "an object in it is a program or a script");
    }
}

/// Records of a workbook's globals: a kind, a length, content.
fn look_at_workbook(walk: &mut Walk<'_>, content: &[u8]) {
    const FILE_PASS: u16 = 0x2F;
    const BOUND_SHEET: u16 = 0x85;
    const END: u16 = 0x0A;
    let mut rest = content;
    loop {
        let word = |at: usize| {
            let two = rest.get(at..at + 2)?;
            Some(u16::from_le_bytes(two.try_into().ok()?))
        };
        let (Some(kind), Some(length)) = (word(0), word(2)) else {
            return;
        };
        let record = rest.get(4..).unwrap_or_default();
        match kind {
            FILE_PASS => {
                walk.note(Risk::Opaque, "it is behind a password");
                return;
            }
            BOUND_SHEET if record.get(5) == Some(&1) => {
                walk.note(Risk::Macros, "it holds a sheet of Excel 4 macros");
            }
            END => return,
            _ => {}
        }
        rest = record.get(usize::from(length)..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use crate::inspect::Risk;
    use crate::inspect::testing::*;

    #[test]
    fn macros_of_old_office_files_are_found() {
        let doc = compound(&[
            ("/WordDocument", b"text"),
            ("/Macros/VBA/dir", b"x"),
            ("/Macros/VBA/_VBA_PROJECT", b"x"),
        ]);
        assert_eq!(risks(&doc, "a.doc"), [Risk::Macros]);
        let sheet = |kind| {
            let mut globals = b"\x09\x08\x04\0\0\x06\x05\0".to_vec();
            globals.extend(b"\x85\0\x08\0\0\0\0\0\0");
            globals.push(kind);
            globals.extend(b"\x01\0\x0A\0\0\0");
            compound(&[("/Workbook", &globals)])
        };
        assert_eq!(risks(&sheet(1), "a.xls"), [Risk::Macros]);
        assert!(risks(&sheet(0), "a.xls").is_empty());
        let plain = compound(&[("/WordDocument", b"all about a macro and VBA")]);
        assert!(risks(&plain, "a.doc").is_empty());
    }

    #[test]
    fn programs_in_old_office_files_are_found() {
        let object = [
            b"\0\0\0\0\x02\0a.txt\0c:\\a.txt\0".as_slice(),
            &windows_program(),
        ]
        .concat();
        let named = b"\0\0\0\0\x02\0run.bat\0c:\\run.bat\0echo";
        for content in [&object[..], named] {
            let path = "/ObjectPool/_1/\u{1}Ole10Native";
            let doc = compound(&[("/WordDocument", b"text"), (path, content)]);
            assert_eq!(risks(&doc, "a.doc"), [Risk::Executable]);
        }
    }

    #[test]
    fn attachments_of_messages_are_looked_into() {
        let name: Vec<u8> = "run.js".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let message = |content: &[u8], name: &[u8]| {
            compound(&[
                ("/__properties_version1.0", b"x"),
                (
                    "/__attach_version1.0_#00000000/__substg1.0_37010102",
                    content,
                ),
                ("/__attach_version1.0_#00000000/__substg1.0_3707001F", name),
            ])
        };
        assert_eq!(risks(&message(b"x", &name), "a.msg"), [Risk::Executable]);
        let packed = zipped(&[("setup.exe", b"x")]);
        assert_eq!(risks(&message(&packed, b""), "a.msg"), [Risk::Executable]);
        assert!(risks(&message(b"plain words", b""), "a.msg").is_empty());
    }

    #[test]
    fn what_is_behind_a_password_is_said() {
        let locked = compound(&[("/EncryptedPackage", b"x"), ("/EncryptionInfo", b"x")]);
        assert_eq!(risks(&locked, "a.docx"), [Risk::Opaque]);
        let old = compound(&[("/WordDocument", b"\xEC\xA5\xC1\0\0\0\0\0\0\0\0\x01text")]);
        assert_eq!(risks(&old, "a.doc"), [Risk::Opaque]);
    }
}
