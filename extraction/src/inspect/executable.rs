//! Programs and scripts, by how their bytes begin and by what systems run by name.

/// Extensions that a system runs or that make it run something.
const RUN_BY_NAME: &[&str] = &[
    "exe",
    "dll",
    "scr",
    "com",
    "cpl",
    "sys",
    "ocx",
    "drv",
    "msi",
    "msp",
    "mst",
    "bat",
    "cmd",
    "ps1",
    "psm1",
    "vbs",
    "vbe",
    "js",
    "jse",
    "wsf",
    "wsh",
    "hta",
    "lnk",
    "pif",
    "jar",
    "apk",
    "reg",
    "scf",
    "inf",
    "sh",
    "bash",
    "elf",
    "so",
    "dylib",
    "appimage",
    "deb",
    "rpm",
    "gadget",
    "msc",
    "chm",
    "application",
    "xll",
    "iqy",
    "settingcontent-ms",
    "url",
];

/// Whether a name in a container is one that is run.
pub(super) fn is_run_by_name(name: &str) -> bool {
    let last = name.trim_end_matches(['.', ' ', '\0']).rsplit('.').next();
    name.contains('.')
        && last.is_some_and(|last| RUN_BY_NAME.contains(&last.to_ascii_lowercase().as_str()))
}

/// What kind of program the bytes are.
pub(super) fn kind(bytes: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if is_windows_program(bytes) {
        Some("a program for Windows")
    } else if starts(b"\x7FELF") {
        Some("a program for Linux")
    } else if is_mac_program(bytes) {
        Some("a program for macOS or Java")
    } else if starts(b"dex\n03") {
        Some("a program for Android")
    } else if starts(b"\0asm\x01\0\0\0") {
        Some("a WebAssembly program")
    } else if starts(b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xC0\0\0\0") {
        Some("a Windows shortcut")
    } else if is_script(bytes) {
        Some("a script with an interpreter line")
    } else {
        None
    }
}

/// Finds a program for Windows or Linux anywhere in bytes that are no file of their own.
pub(super) fn carved(bytes: &[u8]) -> Option<&'static str> {
    let at = |magic: &'static [u8]| {
        bytes
            .windows(magic.len())
            .enumerate()
            .filter(move |(_, window)| *window == magic)
            .filter_map(|(at, _)| bytes.get(at..))
    };
    if at(b"MZ").any(has_pe_header) {
        return Some("a program for Windows");
    }
    // Class, byte order and version are 1 or 2, 1 or 2, and 1.
    let is_elf = |rest: &[u8]| matches!(rest.get(4..7), Some([1 | 2, 1 | 2, 1]));
    at(b"\x7FELF").any(is_elf).then_some("a program for Linux")
}

fn is_windows_program(bytes: &[u8]) -> bool {
    // Programs for DOS have no second header; no text has NULs where they have their sizes.
    bytes.starts_with(b"MZ")
        && (has_pe_header(bytes) || bytes.get(..64).is_some_and(|head| head.contains(&0)))
}

/// The header that says where the other one is: `PE`, or `NE` and `LE` of old.
fn has_pe_header(bytes: &[u8]) -> bool {
    let Some(offset) = u32_at(bytes, 0x3C) else {
        return false;
    };
    let header = bytes.get(offset..).unwrap_or_default();
    (0x40..0x10_0000).contains(&offset) && header.starts_with(b"PE\0\0")
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes(four.try_into().ok()?)).ok()
}

fn is_mac_program(bytes: &[u8]) -> bool {
    const THIN: [&[u8]; 4] = [
        b"\xFE\xED\xFA\xCE",
        b"\xFE\xED\xFA\xCF",
        b"\xCE\xFA\xED\xFE",
        b"\xCF\xFA\xED\xFE",
    ];
    THIN.iter().any(|magic| bytes.starts_with(magic)) || bytes.starts_with(b"\xCA\xFE\xBA\xBE")
}

/// `#!` and the path of an interpreter. A heading such as `#! note` has none.
fn is_script(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let Some(line) = bytes.strip_prefix(b"#!") else {
        return false;
    };
    line.trim_ascii_start().starts_with(b"/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::testing::windows_program;

    #[test]
    fn programs_are_known_by_how_they_begin() {
        assert!(kind(&windows_program()).is_some());
        for magic in [
            &b"\x7FELF\x02\x01\x01\0"[..],
            b"\xCF\xFA\xED\xFE\x07\0\0\x01",
            b"\xCA\xFE\xBA\xBE\0\0\0\x34",
            b"#!/bin/sh\nrm -rf /\n",
            b"#! /usr/bin/env python3\n",
            b"dex\n035\0",
        ] {
            assert!(kind(magic).is_some(), "{magic:?}");
        }
    }

    #[test]
    fn texts_about_programs_are_texts() {
        for text in [
            "A manual of bash: start with #!/bin/sh and go on",
            "# bash\n\n```\n#!/bin/bash\nrm -rf /\n```\n",
            "#! note for the night shift",
            "MZ is how programs for DOS begin",
            "powershell -enc AAAA",
            "<script>alert(1)</script>",
        ] {
            assert_eq!(kind(text.as_bytes()), None, "{text}");
            assert_eq!(carved(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_program_within_other_bytes_is_carved() {
        let within = [b"junk before".as_slice(), &windows_program(), b"after"].concat();
        assert_eq!(carved(&within), Some("a program for Windows"));
    }

    #[test]
    fn names_that_are_run() {
        for name in ["setup.EXE", "a.pdf.js", "x/y/run.ps1", "a.bat."] {
            assert!(is_run_by_name(name), "{name}");
        }
        for name in ["exe", "report.pdf", "bash manual.txt", "v1.2", ""] {
            assert!(!is_run_by_name(name), "{name}");
        }
    }
}
