//! What it means when a child ends without text.
//!
//! Owns that judgement, made from exit status, signals, deadlines and the end of standard error.

use std::borrow::Cow;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use kmrl_extraction::PageProgress;

use super::lines::Nonsense;
use crate::extraction_child::OUT_OF_MEMORY;
use crate::ports::ExtractFailure;

/// What was done to the child about the time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stop {
    /// It was asked to stop.
    Soft,
    /// It was killed.
    Hard,
}

/// All that is known of a child's end.
pub(super) struct Outcome<'a> {
    pub(super) nonsense: Option<Nonsense>,
    pub(super) status: ExitStatus,
    pub(super) stop: Option<Stop>,
    /// Soft and hard.
    pub(super) limits: (Duration, Duration),
    pub(super) last: PageProgress,
    pub(super) stderr: Cow<'a, str>,
}

impl Outcome<'_> {
    pub(super) fn failure(&self) -> ExtractFailure {
        if let Some(nonsense) = &self.nonsense {
            return ExtractFailure::Crashed {
                status: nonsense.to_string(),
            };
        }
        let (soft, hard) = self.limits;
        match self.stop {
            Some(Stop::Soft) => self.time_limit(soft),
            Some(Stop::Hard) => self.time_limit(hard),
            None if self.status.signal() == Some(libc::SIGXCPU) => self.time_limit(hard),
            None if self.ran_out_of_memory() => ExtractFailure::OutOfMemory,
            None => ExtractFailure::Crashed {
                status: self.status.to_string(),
            },
        }
    }

    fn time_limit(&self, limit: Duration) -> ExtractFailure {
        ExtractFailure::TimeLimit {
            seconds: limit.as_secs(),
            pages_done: self.last.page,
            pages: self.last.pages,
        }
    }

    fn ran_out_of_memory(&self) -> bool {
        match self.status.signal() {
            // Not by us: the kernel does that to a process when memory is short.
            Some(libc::SIGKILL) => true,
            // How Rust's allocator gives up when the limit is reached.
            Some(libc::SIGABRT) => self.stderr.contains("memory allocation of"),
            _ => self.status.code() == Some(OUT_OF_MEMORY.into()),
        }
    }
}
