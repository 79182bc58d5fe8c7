//! The jail: what a process of ours gives up before it touches what nobody has vouched for.
//!
//! Owns the kernel's side of it, for two kinds of processes: the extraction child, which needs
//! nothing but its pipes, and programs of others (tesseract and such), which are started through
//! `program`. Each protection that the kernel lacks is left out and the rest holds; `probe`
//! finds out by trying. What the processes do is no business of this module.

pub(crate) mod files;
pub(crate) mod limits;
pub(crate) mod probe;
pub(crate) mod program;
pub(crate) mod syscalls;

pub use probe::{PROBE_SUBCOMMAND, Protections, probe_main};
pub use program::{PROGRAM_SUBCOMMAND, program_main};

/// How a process ends that was not started by its parent, or could not be limited.
pub(crate) const NOT_STARTED: u8 = 103;

/// Keep other processes of the same user from looking into this one.
pub(crate) fn hide() {
    #[cfg(target_os = "linux")]
    // SAFETY: a plain system call that touches no memory of ours. Failing, it changes nothing.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
}
