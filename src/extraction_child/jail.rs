//! The child's own jail, and the request to stop, which is all that reaches it from outside.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Start;
use crate::jail::files::{self, Files};
use crate::jail::limits::{self, Limits};
use crate::jail::syscalls::{self, Caller};

/// Open files: the three of the pipes and a few that the runtime library needs.
const OPEN_FILES: u64 = 16;

static ASKED_TO_STOP: AtomicBool = AtomicBool::new(false);

/// Whether the parent asked to stop after the page that is being read.
pub(super) fn asked_to_stop() -> bool {
    ASKED_TO_STOP.load(Ordering::Relaxed)
}

/// Bind this process to its parent and to what it was given, for good.
pub(super) fn enter(start: Start) -> io::Result<()> {
    limits::end_with_parent(start.parent)?;
    listen_for_stop()?;
    Limits {
        memory_bytes: start.memory_bytes,
        cpu_seconds: start.cpu_seconds,
        file_bytes: 0,
        open_files: OPEN_FILES,
    }
    .apply()?;
    crate::jail::hide();
    if start.only_limits {
        return Ok(());
    }
    files::restrict(&Files::default())?;
    syscalls::restrict(Caller::Reader)
}

extern "C" fn note_stop(_signal: libc::c_int) {
    ASKED_TO_STOP.store(true, Ordering::Relaxed);
}

fn listen_for_stop() -> io::Result<()> {
    let handler = note_stop as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: the handler only stores to an atomic, which a signal may interrupt anything to do.
    if unsafe { libc::signal(libc::SIGTERM, handler) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
