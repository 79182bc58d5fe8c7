//! What the child may use, and when it has to stop.
//!
//! Owns the limits that the kernel keeps for us and the signals that reach the child. They are
//! set by the child itself, before it reads the first byte of the document.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use rlimit::Resource;

use super::Start;

/// Open files: the three of the pipes and a few that the runtime library needs.
const OPEN_FILES: u64 = 16;
/// Seconds between the signal that names the cause and the one that cannot be missed.
const CPU_GRACE: u64 = 5;

static ASKED_TO_STOP: AtomicBool = AtomicBool::new(false);

/// Whether the parent asked to stop after the page that is being read.
pub(super) fn asked_to_stop() -> bool {
    ASKED_TO_STOP.load(Ordering::Relaxed)
}

/// Bind this process to its parent and to the limits it was given.
pub(super) fn apply(start: Start) -> io::Result<()> {
    end_with_parent(start.parent)?;
    listen_for_stop()?;
    let Start {
        memory_bytes,
        cpu_seconds,
        ..
    } = start;
    limit(Resource::CORE, 0, 0)?;
    limit(Resource::FSIZE, 0, 0)?;
    limit(Resource::NOFILE, OPEN_FILES, OPEN_FILES)?;
    limit(
        Resource::CPU,
        cpu_seconds,
        cpu_seconds.saturating_add(CPU_GRACE),
    )?;
    limit(Resource::AS, memory_bytes, memory_bytes)
}

/// A limit that is already stricter stays: only the privileged may widen one.
fn limit(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let (_, strictest) = resource.get()?;
    let hard = hard.min(strictest);
    resource.set(soft.min(hard), hard)
}

#[cfg(target_os = "linux")]
fn end_with_parent(parent: u32) -> io::Result<()> {
    // SAFETY: a plain system call that touches no memory of ours.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // A parent that ended before the call above will never cause the signal.
    if std::os::unix::process::parent_id() == parent {
        Ok(())
    } else {
        Err(io::Error::other("the parent has ended"))
    }
}

/// Elsewhere the closed pipe has to do: the next page that is reported ends the child.
#[cfg(not(target_os = "linux"))]
fn end_with_parent(_parent: u32) -> io::Result<()> {
    Ok(())
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
