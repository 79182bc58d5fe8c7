//! Spawning of programs that must not outlive this one.
//!
//! Owns the one thread that spawns. Linux sends the parent-death signal when the *thread* that
//! spawned ends, not the process, so a child spawned from a worker of an async runtime could be
//! ended in the middle of its work. This thread lives as long as the process. It must not do
//! anything but spawn.

use std::io;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};

struct Request {
    command: Command,
    death_signal: i32,
    answer: SyncSender<io::Result<Child>>,
}

static SPAWNER: OnceLock<Option<SyncSender<Request>>> = OnceLock::new();

/// Spawns `command` so that it is sent `death_signal` when this process ends, however it ends.
///
/// Only Linux has such a signal. Elsewhere the child is spawned plainly, and what is left of an
/// earlier run is ended at the next start. The child gets its own process group, so that Ctrl-C
/// reaches this process alone, which then stops its engines in order.
///
/// # Errors
/// What the system said when it refused to spawn.
pub fn spawn_tied(command: Command, death_signal: i32) -> io::Result<Child> {
    let gone = || io::Error::other("the spawning thread is not there");
    let spawner = SPAWNER
        .get_or_init(start_spawner)
        .as_ref()
        .ok_or_else(gone)?;
    let (answer, answered) = sync_channel(1);
    spawner
        .send(Request {
            command,
            death_signal,
            answer,
        })
        .map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}

fn start_spawner() -> Option<SyncSender<Request>> {
    let (sender, requests) = sync_channel::<Request>(0);
    let spawn_all = move || {
        for Request {
            mut command,
            death_signal,
            answer,
        } in requests
        {
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            tie(&mut command, death_signal);
            let child = command.spawn();
            // Dropped before the answer: it holds this side's copies of the child's pipes.
            drop(command);
            // Whoever asked waits for the answer, so this cannot fail.
            let _ = answer.send(child);
        }
    };
    std::thread::Builder::new()
        .name("spawner".into())
        .spawn(spawn_all)
        .ok()?;
    Some(sender)
}

#[cfg(target_os = "linux")]
fn tie(command: &mut Command, death_signal: i32) {
    use std::os::unix::process::CommandExt as _;
    let parent = libc::pid_t::try_from(std::process::id()).unwrap_or(0);
    let tie_self = move || {
        // SAFETY: plain system calls, safe between fork and exec.
        let tied = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, death_signal) };
        if tied != 0 {
            return Err(io::Error::last_os_error());
        }
        // The parent may have ended before the call above: then no signal will come.
        // SAFETY: as above.
        if unsafe { libc::getppid() } != parent {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(())
    };
    // SAFETY: the closure allocates nothing and takes no lock.
    unsafe { command.pre_exec(tie_self) };
}

#[cfg(not(target_os = "linux"))]
fn tie(_command: &mut Command, _death_signal: i32) {}
