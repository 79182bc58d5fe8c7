//! The program as the child that reads one document: the far side of the pipe.
//!
//! Owns what parent and child say to each other and the child's whole life: limits first, then
//! the document from standard input, then JSON lines on standard output. It must not open a file,
//! a socket or a log, and what it writes to standard error holds nothing of the document.

mod limits;

use std::io::{self, BufWriter, Read, Write};
use std::process::ExitCode;

use kmrl_extraction::{ExtractError, Extraction, Input, Limits, PageProgress};
use serde::{Deserialize, Serialize};

/// The hidden subcommand that makes the program this child.
pub const SUBCOMMAND: &str = "extract-child";
/// How the child ends when the document does not fit into its memory.
pub(crate) const OUT_OF_MEMORY: u8 = 102;
/// How it ends when it was not started by its parent, or could not be limited.
const NOT_STARTED: u8 = 103;

/// One line on standard output. Any number of pages is followed by one of the others.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// A page was read.
    Page {
        /// Counted from 1.
        page: u32,
        /// Pages of the document.
        pages: u32,
    },
    /// The text.
    Done(Extraction),
    /// Why there is none.
    Refused(ExtractError),
}

/// What the parent hands over beside the document, in the child's otherwise empty environment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Handover {
    pub(crate) file_name: String,
    pub(crate) content_type: String,
    /// Address space in bytes.
    pub(crate) memory_bytes: u64,
    /// Processor time in seconds.
    pub(crate) cpu_seconds: u64,
    /// Process id of the parent.
    pub(crate) parent: u32,
}

const FILE_NAME: &str = "KMRL_CHILD_FILE_NAME";
const CONTENT_TYPE: &str = "KMRL_CHILD_CONTENT_TYPE";
const MEMORY_BYTES: &str = "KMRL_CHILD_MEMORY_BYTES";
const CPU_SECONDS: &str = "KMRL_CHILD_CPU_SECONDS";
const PARENT: &str = "KMRL_CHILD_PARENT";
/// Characters of a name that are handed over: readers look at its ending only.
const LONGEST_NAME: usize = 255;

impl Handover {
    /// The environment that says this.
    pub(crate) fn to_env(&self) -> [(&'static str, String); 5] {
        [
            (FILE_NAME, ending(&self.file_name)),
            (CONTENT_TYPE, ending(&self.content_type)),
            (MEMORY_BYTES, self.memory_bytes.to_string()),
            (CPU_SECONDS, self.cpu_seconds.to_string()),
            (PARENT, self.parent.to_string()),
        ]
    }

    fn read(get: impl Fn(&str) -> Option<String>) -> Option<Self> {
        Some(Self {
            file_name: get(FILE_NAME)?,
            content_type: get(CONTENT_TYPE)?,
            memory_bytes: get(MEMORY_BYTES)?.parse().ok()?,
            cpu_seconds: get(CPU_SECONDS)?.parse().ok()?,
            parent: get(PARENT)?.parse().ok()?,
        })
    }
}

/// The last characters, as far as an environment can hold them.
fn ending(text: &str) -> String {
    let from = text.chars().count().saturating_sub(LONGEST_NAME);
    text.chars().skip(from).filter(|c| *c != '\0').collect()
}

/// Be the child. To be called before anything else is started: no runtime, no log.
#[must_use]
pub fn child_main() -> ExitCode {
    let Some(handover) = Handover::read(|name| std::env::var(name).ok()) else {
        complain("this subcommand is started by the gateway itself");
        return NOT_STARTED.into();
    };
    if let Err(error) = limits::apply(&handover) {
        complain(&format!("the limits could not be set: {error}"));
        return NOT_STARTED.into();
    }
    std::panic::set_hook(Box::new(|panic| {
        // Where, not what: the message of a panic may quote the document.
        if let Some(place) = panic.location() {
            complain(&format!("panicked at {place}"));
        }
    }));
    match read_document(&handover) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => OUT_OF_MEMORY.into(),
        Err(error) => {
            complain(&format!("the pipes failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn read_document(handover: &Handover) -> io::Result<()> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let input = Input {
        bytes: &bytes,
        file_name: &handover.file_name,
        content_type: Some(handover.content_type.as_str()).filter(|of| !of.is_empty()),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut on_page = |PageProgress { page, pages }| {
        !limits::asked_to_stop() && say(&mut out, &Line::Page { page, pages }).is_ok()
    };
    let answer = match kmrl_extraction::extract(&input, &Limits::default(), &mut on_page) {
        Ok(extraction) => Line::Done(extraction),
        Err(error) => Line::Refused(error),
    };
    say(&mut out, &answer)
}

fn say(out: &mut impl Write, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Standard error is the only log of a child, and the parent may not be listening any more.
fn complain(what: &str) {
    let _ = writeln!(io::stderr(), "{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handover(file_name: &str) -> Handover {
        Handover {
            file_name: file_name.to_owned(),
            content_type: "text/plain".to_owned(),
            memory_bytes: 1 << 30,
            cpu_seconds: 305,
            parent: 17,
        }
    }

    fn passed(handover: &Handover) -> Option<Handover> {
        let env = handover.to_env();
        Handover::read(|name| {
            let (_, value) = env.iter().find(|(key, _)| *key == name)?;
            Some(value.clone())
        })
    }

    #[test]
    fn what_is_handed_over_arrives() {
        let circular = handover("മെട്രോ circular.pdf");
        assert_eq!(passed(&circular), Some(circular));
    }

    #[test]
    fn names_that_no_environment_takes_keep_their_ending() {
        let arrived = passed(&handover(&format!("a\0{}.pdf", "ക".repeat(5000)))).unwrap();
        assert!(arrived.file_name.ends_with("ക.pdf"));
        assert!(arrived.file_name.chars().count() <= LONGEST_NAME);
    }

    #[test]
    fn lines_read_as_they_are_written() {
        let mut out = Vec::new();
        say(&mut out, &Line::Page { page: 1, pages: 9 }).unwrap();
        say(&mut out, &Line::Refused(ExtractError::Encrypted)).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"page\":{\"page\":1,\"pages\":9}}\n{\"refused\":{\"code\":\"encrypted\"}}\n"
        );
    }
}
