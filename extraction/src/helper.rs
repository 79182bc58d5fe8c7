//! Formats that are read with the help of a program that may be installed beside the gateway.
//! This module owns which program reads what, with which arguments and how its answer is taken;
//! it must not start one: that is for whoever holds the jail.

use memchr::memmem;

use crate::format::Format;

/// A program that reads a format. It gets the document as a file and writes to standard output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Helper {
    /// Its name, as it is found among the programs of the system.
    pub program: &'static str,
    /// Its arguments; [`Helper::FILE`] stands for the path of the document.
    pub arguments: &'static [&'static str],
    /// Files and folders of its own that it reads, wherever distributions put them.
    pub reads: &'static [&'static str],
    /// What its standard output is: read as a document of that format, it is the text.
    pub output: Format,
    /// The package of Debian and Ubuntu that has it.
    pub package: Option<&'static str>,
}

impl Helper {
    /// Stands for the path of the document among the arguments.
    pub const FILE: &'static str = "{file}";

    /// The formats that are read with a helper only.
    pub const FORMATS: [Format; 2] = [Format::Doc, Format::Dwg];

    /// The programs that can read a format, the best first; none for a format that is read without.
    pub const fn of(format: Format) -> &'static [Self] {
        match format {
            Format::Doc => DOC,
            Format::Dwg => DWG,
            _ => &[],
        }
    }

    /// The names of all programs.
    pub fn programs() -> impl Iterator<Item = &'static str> {
        let all = Self::FORMATS.into_iter().flat_map(Self::of);
        all.map(|helper| helper.program)
    }
}

/// The first keeps the cells of tables whole, and reads short documents, which the second refuses.
const DOC: &[Helper] = &[
    Helper {
        program: "catdoc",
        arguments: &["-d", "utf-8", "-w", Helper::FILE],
        reads: &[
            "/usr/share/catdoc",
            "/etc/catdocrc",
            "/usr/local/share/catdoc",
            "/opt/homebrew/share/catdoc",
        ],
        output: Format::PlainText,
        package: Some("catdoc"),
    },
    Helper {
        program: "antiword",
        arguments: &["-m", "UTF-8.txt", "-w", "0", Helper::FILE],
        reads: &[
            "/usr/share/antiword",
            "/usr/local/share/antiword",
            "/opt/homebrew/share/antiword",
        ],
        output: Format::PlainText,
        package: Some("antiword"),
    },
];

const DWG: &[Helper] = &[Helper {
    program: "dwgread",
    arguments: &["-O", "DXF", Helper::FILE],
    reads: &[],
    output: Format::Dxf,
    package: None,
}];

/// That a format is not read without a helper, which would do, and what to do without.
pub(crate) fn needed(format: Format) -> String {
    let helpers: Vec<String> = Helper::of(format)
        .iter()
        .map(|helper| match helper.package {
            Some(package) => format!("{} (`apt-get install {package}`)", helper.program),
            None => format!("{} (of LibreDWG)", helper.program),
        })
        .collect();
    let instead = match format {
        Format::Doc => "docx",
        _ => "dxf",
    };
    format!(
        "{} needs a helper program that is not installed here: {}; or save it as {instead} or PDF",
        format.extension(),
        helpers.join(" or "),
    )
}

/// How catdoc shows a link: what the author does not see, before the words that are seen.
const LINK: &[u8] = b"HYPERLINK ";

/// What a helper made, without the codes of links.
pub(crate) fn without_codes(made: &[u8]) -> Vec<u8> {
    let (mut kept, mut rest) = (Vec::with_capacity(made.len()), made);
    while let Some(at) = memmem::find(rest, LINK) {
        let (before, link) = rest.split_at(at);
        kept.extend_from_slice(before);
        let after = link.get(LINK.len()..).unwrap_or_default();
        rest = after_code(after);
        if rest.len() == after.len() {
            // The word itself.
            kept.extend_from_slice(LINK);
        }
    }
    kept.extend_from_slice(rest);
    kept
}

/// What follows the switches and the quoted parts of a link's code; all of it when there are none.
fn after_code(text: &[u8]) -> &[u8] {
    let mut end = text;
    loop {
        let rest = end.trim_ascii_start();
        let code = match rest {
            [b'\\', letter, after @ ..] if letter.is_ascii_alphabetic() => after,
            [b'"', quoted @ ..] => {
                let line = quoted
                    .split(|byte| *byte == b'\n')
                    .next()
                    .unwrap_or_default();
                match memchr::memchr(b'"', line).and_then(|at| quoted.get(at + 1..)) {
                    Some(after) => after,
                    None => return end,
                }
            }
            _ => return end,
        };
        end = code;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_their_words() {
        for (made, kept) in [
            (
                "See  HYPERLINK \"http://a.in/b c\" \\o \"tip\" the circular .",
                "See   the circular .",
            ),
            ("the word HYPERLINK is kept", "the word HYPERLINK is kept"),
            ("HYPERLINK \"no end\nnext", "HYPERLINK \"no end\nnext"),
            ("HYPERLINK ", "HYPERLINK "),
            ("ലിങ്ക് HYPERLINK \\l \"_Toc1\" 1", "ലിങ്ക്  1"),
        ] {
            let found = without_codes(made.as_bytes());
            assert_eq!(String::from_utf8(found).unwrap(), kept, "{made:?}");
        }
    }

    #[test]
    fn what_is_needed_is_said_with_what_to_install() {
        for format in Helper::FORMATS {
            let needed = needed(format);
            for helper in Helper::of(format) {
                assert!(needed.contains(helper.program), "{needed}");
                let files = helper.arguments.iter().filter(|a| **a == Helper::FILE);
                assert_eq!(files.count(), 1, "{}", helper.program);
                // Its output is read without another.
                assert_eq!(Helper::of(helper.output), []);
            }
        }
        assert!(needed(Format::Doc).contains("apt-get install antiword"));
    }
}
