//! What the kernel counts for a process, and whom it ends with.
//!
//! Owns resource limits and the death signal. A process sets them for itself, before it reads the
//! first byte that nobody has vouched for. The number of processes is not among them: it is counted
//! by user, and not at all for root; `syscalls` forbids them instead.

use std::io;

use rlimit::Resource;

/// Seconds between the signal that names the cause and the one that cannot be missed.
const CPU_GRACE: u64 = 5;

/// How much a process may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    /// Address space in bytes.
    pub(crate) memory_bytes: u64,
    /// Processor time in seconds.
    pub(crate) cpu_seconds: u64,
    /// Largest file that it may write, in bytes.
    pub(crate) file_bytes: u64,
    /// Files open at once.
    pub(crate) open_files: u64,
}

impl Limits {
    /// Set all of them for this process, and those that it starts. A limit that is already
    /// stricter stays: only the privileged may widen one.
    pub(crate) fn apply(self) -> io::Result<()> {
        limit(Resource::CORE, 0, 0)?;
        limit(Resource::FSIZE, self.file_bytes, self.file_bytes)?;
        limit(Resource::NOFILE, self.open_files, self.open_files)?;
        let killed = self.cpu_seconds.saturating_add(CPU_GRACE);
        limit(Resource::CPU, self.cpu_seconds, killed)?;
        limit(Resource::AS, self.memory_bytes, self.memory_bytes)
    }
}

fn limit(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let (_, strictest) = resource.get()?;
    let hard = hard.min(strictest);
    resource.set(soft.min(hard), hard)
}

/// Be killed when the thread that started this process ends.
#[cfg(target_os = "linux")]
pub(crate) fn end_with_parent(parent: u32) -> io::Result<()> {
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

/// Elsewhere the closed pipe has to do: what is read from or written to it next ends the child.
#[cfg(not(target_os = "linux"))]
pub(crate) fn end_with_parent(_parent: u32) -> io::Result<()> {
    Ok(())
}
