//! Formats that are read with the help of a program that may be installed beside the gateway.
//! This module owns which program reads what, with which arguments and how its answer is taken;
//! it must not start one: that is for whoever holds the jail.

use crate::error::ExtractError;
use crate::format::Format;

/// A program that reads a format. It gets the document as a file and writes to standard output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Helper {
    /// Its name, as it is found among the programs of the system.
    pub program: &'static str,
    /// Its arguments; [`Helper::FILE`] stands for the path of the document.
    pub arguments: &'static [&'static str],
    /// What its standard output is: read as a document of that format, it is the text.
    pub output: Format,
    /// The package of Debian and Ubuntu that has it.
    pub package: &'static str,
}

impl Helper {
    /// Stands for the path of the document among the arguments.
    pub const FILE: &'static str = "{file}";

    /// The programs that can read a format, the best first; none for a format that is read without.
    pub const fn of(format: Format) -> &'static [Self] {
        match format {
            Format::Doc => DOC,
            Format::Ppt => PPT,
            Format::Dwg => DWG,
            _ => &[],
        }
    }
}

const DOC: &[Helper] = &[
    Helper {
        program: "antiword",
        arguments: &["-m", "UTF-8.txt", "-w", "0", Helper::FILE],
        output: Format::PlainText,
        package: "antiword",
    },
    Helper {
        program: "catdoc",
        arguments: &["-d", "utf-8", "-w", Helper::FILE],
        output: Format::PlainText,
        package: "catdoc",
    },
];

const PPT: &[Helper] = &[Helper {
    program: "catppt",
    arguments: &["-d", "utf-8", Helper::FILE],
    output: Format::PlainText,
    package: "catdoc",
}];

const DWG: &[Helper] = &[Helper {
    program: "dwg2dxf",
    arguments: &["-o", "/dev/stdout", Helper::FILE],
    output: Format::Dxf,
    package: "libredwg-tools",
}];

/// That a format is not read without a helper, and which would do.
pub(crate) fn missing(format: Format) -> ExtractError {
    let helpers: Vec<String> = Helper::of(format)
        .iter()
        .map(|helper| format!("{} (package {})", helper.program, helper.package))
        .collect();
    ExtractError::Unsupported {
        what: format!(
            "{} needs a helper program that this version does not run: {}; save it as {} instead",
            format.extension(),
            helpers.join(" or "),
            instead(format),
        ),
    }
}

fn instead(format: Format) -> &'static str {
    match format {
        Format::Doc => "docx or PDF",
        Format::Ppt => "pptx or PDF",
        _ => "dxf or PDF",
    }
}
