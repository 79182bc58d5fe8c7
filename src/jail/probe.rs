//! What a jailed process cannot do, found out by trying.
//!
//! Owns the attempts. Each is harmless where it succeeds. They are made by a process inside the
//! jail; outside of it they would only tell that nothing is refused.

use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::process::ExitCode;

/// The hidden subcommand that makes the attempts as a program would, inside the jail of programs.
pub const PROBE_SUBCOMMAND: &str = "jail-probe";

/// What was tried inside the jail: `true` was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Protections {
    /// More memory than the limit.
    pub memory: bool,
    /// Opening a file or folder to read that was not handed over.
    pub reading_files: bool,
    /// Opening a file to write.
    pub writing_files: bool,
    /// Connecting to a TCP port.
    pub tcp: bool,
    /// Making a socket for UDP.
    pub udp: bool,
    /// Starting another process.
    pub processes: bool,
    /// Becoming another program.
    pub programs: bool,
    /// Signalling a process outside.
    pub signals: bool,
}

impl Protections {
    /// Whether everything was refused.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.named().iter().all(|(_, refused)| *refused)
    }

    /// Whether everything was refused that a program of others can be refused: it had to become
    /// itself. Files that it may run instead are its own and the libraries'.
    #[must_use]
    pub fn is_full_for_program(self) -> bool {
        Self {
            programs: true,
            ..self
        }
        .is_full()
    }

    /// Each with its name, in words.
    #[must_use]
    pub const fn named(self) -> [(&'static str, bool); 8] {
        [
            ("memory beyond the limit", self.memory),
            ("reading files", self.reading_files),
            ("writing files", self.writing_files),
            ("TCP", self.tcp),
            ("UDP", self.udp),
            ("starting processes", self.processes),
            ("running programs", self.programs),
            ("signals to others", self.signals),
        ]
    }
}

/// Be the program that makes the attempts, and print what came of them as JSON.
#[must_use]
pub fn probe_main() -> ExitCode {
    let found = serde_json::to_vec(&attempt());
    match found.map(|json| io::stdout().write_all(&json)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Make all attempts. For processes of one thread.
#[cfg(target_os = "linux")]
pub(crate) fn attempt() -> Protections {
    Protections {
        memory: linux::memory(),
        reading_files: linux::open(c"/", libc::O_RDONLY | libc::O_DIRECTORY),
        // Leaves no file behind.
        writing_files: linux::open(c"/tmp", libc::O_TMPFILE | libc::O_WRONLY),
        tcp: linux::tcp(),
        udp: linux::udp(),
        processes: linux::fork(),
        programs: linux::exec(),
        signals: linux::signal(),
    }
}

/// Elsewhere only the limits hold.
#[cfg(not(target_os = "linux"))]
pub(crate) fn attempt() -> Protections {
    Protections::default()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::CStr;
    use std::io;

    /// Whether a call that answered -1 did so because it may not be made.
    fn is_refused(answer: libc::c_int) -> bool {
        let error = io::Error::last_os_error().raw_os_error();
        answer == -1 && matches!(error, Some(libc::EPERM | libc::EACCES))
    }

    /// Ask for as much again as the limit on all memory is.
    pub(super) fn memory() -> bool {
        let Ok((limit, _)) = rlimit::Resource::AS.get() else {
            return false;
        };
        let Ok(length) = usize::try_from(limit) else {
            return false;
        };
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping that nothing points into, removed before anything could.
        unsafe {
            let got = libc::mmap(std::ptr::null_mut(), length, libc::PROT_NONE, flags, -1, 0);
            if got == libc::MAP_FAILED {
                // Without a limit the length is one that no address space holds.
                limit != rlimit::INFINITY
            } else {
                libc::munmap(got, length);
                false
            }
        }
    }

    pub(super) fn open(path: &CStr, flags: libc::c_int) -> bool {
        // SAFETY: the path ends in a zero; what is opened is closed by nobody else.
        unsafe {
            let file = libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, 0o600);
            let refused = is_refused(file);
            if file >= 0 {
                libc::close(file);
            }
            refused
        }
    }

    /// A port where nobody listens, on this machine: not refused, it fails otherwise.
    pub(super) fn tcp() -> bool {
        const DISCARD: u16 = 9;
        let loopback = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: DISCARD.to_be(),
            sin_addr: libc::in_addr {
                s_addr: u32::from_ne_bytes([127, 0, 0, 1]),
            },
            sin_zero: [0; 8],
        };
        // SAFETY: the address is one of AF_INET, with its own size.
        socket(libc::SOCK_STREAM, |socket| unsafe {
            let address: *const libc::sockaddr_in = &raw const loopback;
            let size = std::mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
            libc::connect(socket, address.cast(), size)
        })
    }

    pub(super) fn udp() -> bool {
        socket(libc::SOCK_DGRAM, |_socket| 0)
    }

    fn socket(kind: libc::c_int, used: impl FnOnce(libc::c_int) -> libc::c_int) -> bool {
        // SAFETY: plain system calls; the socket is closed by nobody else.
        unsafe {
            let socket = libc::socket(libc::AF_INET, kind | libc::SOCK_CLOEXEC, 0);
            if socket < 0 {
                return is_refused(socket);
            }
            let refused = is_refused(used(socket));
            libc::close(socket);
            refused
        }
    }

    pub(super) fn fork() -> bool {
        // SAFETY: the new process does nothing but end.
        unsafe {
            match libc::fork() {
                0 => libc::_exit(0),
                -1 => is_refused(-1),
                child => {
                    libc::waitpid(child, std::ptr::null_mut(), 0);
                    false
                }
            }
        }
    }

    /// A program that there is not: not refused, it is not found, and this one goes on.
    pub(super) fn exec() -> bool {
        let path = c"/nowhere/at/all";
        let none = [std::ptr::null()];
        // SAFETY: the path ends in a zero, both lists in a null.
        is_refused(unsafe { libc::execve(path.as_ptr(), none.as_ptr(), none.as_ptr()) })
    }

    /// Signal 0 to the parent: only asks whether one could be sent.
    pub(super) fn signal() -> bool {
        // SAFETY: plain system calls.
        is_refused(unsafe { libc::kill(libc::getppid(), 0) })
    }
}
