//! What a file is and what it carries, found before it is taken in.
//!
//! Owns the rules that the door goes by: name, declared type and content agree; one file is one
//! type; what it unpacks to is bounded; and where programs, macros, scripts and actions hide.
//! Everything is found by structure, never by searching for words: a manual about `bash` is a text.
//! It judges nothing (what is done about a finding is policy, elsewhere), and what it says of a
//! finding repeats neither text nor names out of the file. Like all of this crate it runs in the
//! jailed child process.

mod agree;
mod archive;
mod compound;
mod executable;
mod mail;
mod name;
mod pdf;
mod pixels;
mod polyglot;
#[cfg(test)]
mod testing;
mod walk;

use serde::{Deserialize, Serialize};

use crate::Input;
use crate::detect::content_format;
use crate::error::ExtractError;
use crate::format::Format;
use crate::isolate;

pub use name::{decoded_name, extension_of};

/// What an inspection may cost, and the largest that is let pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InspectLimits {
    /// How deep containers may lie in one another.
    pub max_depth: u32,
    /// Entries of all containers together.
    pub max_entries: u64,
    /// Bytes that all of them unpack to.
    pub max_unpacked_bytes: u64,
    /// How many times larger than the file that may be, once it is beyond [`FREE_BYTES`].
    pub max_ratio: u64,
    /// Pixels that a picture declares.
    pub max_pixels: u64,
}

/// So much may be unpacked whatever the ratio: tables of numbers pack very well.
pub const FREE_BYTES: u64 = 64 * 1024 * 1024;

impl Default for InspectLimits {
    fn default() -> Self {
        Self {
            max_depth: 5,
            max_entries: 20_000,
            max_unpacked_bytes: 1024 * 1024 * 1024,
            max_ratio: 200,
            max_pixels: 400_000_000,
        }
    }
}

/// Something that a door may object to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Name, declared type and content do not say the same.
    TypeMismatch,
    /// It is a file of several types at once.
    Polyglot,
    /// It unpacks beyond the limits.
    ArchiveBomb,
    /// A picture in it declares more pixels than allowed.
    PixelBomb,
    /// It is a program, or holds one.
    Executable,
    /// It holds macros of an office program.
    Macros,
    /// A PDF holds a script.
    Javascript,
    /// A PDF holds an action that starts a program or opens another file.
    LaunchAction,
    /// It holds something that cannot be looked into: behind a password, or packed in a way that
    /// is not known here.
    Opaque,
}

impl Risk {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TypeMismatch => "type_mismatch",
            Self::Polyglot => "polyglot",
            Self::ArchiveBomb => "archive_bomb",
            Self::PixelBomb => "pixel_bomb",
            Self::Executable => "executable",
            Self::Macros => "macros",
            Self::Javascript => "javascript",
            Self::LaunchAction => "launch_action",
            Self::Opaque => "opaque",
        }
    }
}

/// A risk that was found, once each.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Which.
    pub risk: Risk,
    /// One sentence. Repeats nothing out of the file.
    pub detail: String,
}

/// What a file is and carries.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Inspection {
    /// What its content says it is; `None` when that says nothing, as most text does.
    pub format: Option<Format>,
    /// What was found, in the order of finding.
    pub findings: Vec<Finding>,
}

impl Inspection {
    fn add(&mut self, risk: Risk, detail: impl Into<String>) {
        if !self.has(risk) {
            self.findings.push(Finding {
                risk,
                detail: detail.into(),
            });
        }
    }

    /// Whether the risk was found.
    #[must_use]
    pub fn has(&self, risk: Risk) -> bool {
        self.findings.iter().any(|finding| finding.risk == risk)
    }
}

/// Inspect a file: its name as sent, the type its sender declared, and its bytes.
///
/// # Errors
///
/// [`ExtractError::Damaged`] when a parser could not cope with the file: nothing is known of it then.
pub fn inspect(input: &Input<'_>, limits: &InspectLimits) -> Result<Inspection, ExtractError> {
    isolate::run(&mut |_| true, |_| Ok(inspect_here(input, limits)))
}

fn inspect_here(input: &Input<'_>, limits: &InspectLimits) -> Inspection {
    let name = decoded_name(input.file_name);
    let mut inspection = Inspection {
        format: content_format(input.bytes, &name),
        findings: Vec::new(),
    };
    if let Err(detail) = agree::check(&name, input.content_type, input.bytes, inspection.format) {
        inspection.add(Risk::TypeMismatch, detail);
    }
    if let Some(detail) = polyglot::find(input.bytes, inspection.format) {
        inspection.add(Risk::Polyglot, detail);
    }
    // A message may begin with what no other has.
    let named = Format::of_file_name(&name).filter(|named| *named == Format::Eml);
    let format = inspection.format.or(named);
    let mut walk = walk::Walk::new(limits, input.bytes.len(), &mut inspection);
    walk.look(input.bytes, format);
    inspection
}
