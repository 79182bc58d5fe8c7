//! The program as the child that works on one document: the far side of the pipes.
//!
//! Owns the child's whole life: limits first, then what to do and the document from standard
//! input, then JSON lines on standard output. It must not open a file, a socket or a log, and what
//! it writes to standard error holds nothing of the document.

mod jail;
mod message;
mod perform;

use std::io::{self, Write};
use std::process::ExitCode;

use crate::jail::NOT_STARTED;

pub(crate) use message::{Handover, Line, Picture, Render, Start, Task};

/// The hidden subcommand that makes the program this child.
pub const SUBCOMMAND: &str = "extract-child";
/// How the child ends when the document does not fit into its memory.
pub(crate) const OUT_OF_MEMORY: u8 = 102;

/// Be the child. To be called before anything else is started: no runtime, no log.
#[must_use]
pub fn child_main() -> ExitCode {
    child_main_with(perform::perform)
}

/// Be a child that does other work in the same jail: for tests, whose children misbehave.
#[doc(hidden)]
#[must_use]
pub fn child_main_with(work: impl FnOnce() -> io::Result<()>) -> ExitCode {
    let Some(start) = Start::read(|name| std::env::var(name).ok()) else {
        complain("this subcommand is started by the gateway itself");
        return NOT_STARTED.into();
    };
    if let Err(error) = jail::enter(start) {
        complain(&format!("the jail could not be entered: {error}"));
        return NOT_STARTED.into();
    }
    std::panic::set_hook(Box::new(|panic| {
        // Where, not what: the message of a panic may quote the document.
        if let Some(place) = panic.location() {
            complain(&format!("panicked at {place}"));
        }
    }));
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => OUT_OF_MEMORY.into(),
        Err(error) => {
            complain(&format!("the pipes failed: {}", error.kind()));
            ExitCode::FAILURE
        }
    }
}

/// Standard error is the only log of a child, and the parent may not be listening any more.
fn complain(what: &str) {
    let _ = writeln!(io::stderr(), "{what}");
}
