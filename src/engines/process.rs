//! Signals to processes and the ending of what an earlier run left behind. Signals one process at
//! a time, by an id that was checked.

use std::path::Path;
use std::time::Duration;

use super::EngineError;

const LEFTOVER_LIMIT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(20);

/// Sends `number` to the process; answers whether there is such a process.
pub(super) fn signal(pid: u32, number: i32) -> bool {
    let Ok(pid @ 1..) = libc::pid_t::try_from(pid) else {
        return false;
    };
    // SAFETY: a plain system call; the id is positive, so it means one process.
    let sent = unsafe { libc::kill(pid, number) } == 0;
    sent || std::io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

/// Whether there is a process with this id.
pub(super) fn is_alive(pid: u32) -> bool {
    signal(pid, 0)
}

/// Waits until the child has ended but leaves it to be reaped: until then its id stays its own.
pub(super) fn wait_without_reaping(pid: u32) {
    // SAFETY: `info` is plain data that the call fills and nobody reads.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        while libc::waitid(
            libc::P_PID,
            pid,
            &raw mut info,
            libc::WEXITED | libc::WNOWAIT,
        ) != 0
            && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
        {}
    }
}

/// Ends the process whose id stands in the first line of `pid_file`, if it is still an engine of
/// ours: its command line names `folder`. `signals` come gentlest first.
pub(super) async fn end_leftover(
    engine: &'static str,
    pid_file: &Path,
    folder: &Path,
    signals: &[i32],
) -> Result<(), EngineError> {
    let Some(pid) = recorded_pid(pid_file)? else {
        return Ok(());
    };
    for number in signals {
        if !runs_on(pid, folder) {
            return Ok(());
        }
        tracing::warn!(
            engine,
            pid,
            signal = number,
            "ending an engine that an earlier run left"
        );
        signal(pid, *number);
        let gone = async {
            let mut poll = tokio::time::interval(POLL);
            while runs_on(pid, folder) {
                poll.tick().await;
            }
        };
        if tokio::time::timeout(LEFTOVER_LIMIT, gone).await.is_ok() {
            return Ok(());
        }
    }
    let seconds = LEFTOVER_LIMIT.as_secs();
    Err(EngineError::TooSlow {
        engine,
        operation: "end after an earlier run",
        seconds,
    })
}

fn recorded_pid(pid_file: &Path) -> Result<Option<u32>, EngineError> {
    match std::fs::read_to_string(pid_file) {
        Ok(text) => Ok(text
            .lines()
            .next()
            .and_then(|line| line.trim().parse().ok())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(EngineError::file("read", pid_file)(error)),
    }
}

/// Whether the process is there and its command line names `folder`. A process that has ended but
/// was not reaped has no command line.
fn runs_on(pid: u32, folder: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = folder.as_os_str().as_bytes();
    command_line(pid)
        .windows(folder.len().max(1))
        .any(|part| part == folder)
}

#[cfg(target_os = "linux")]
fn command_line(pid: u32) -> Vec<u8> {
    // A process that is not there runs nothing.
    std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn command_line(pid: u32) -> Vec<u8> {
    let ps = std::process::Command::new("ps")
        .args(["-ww", "-o", "command=", "-p", &pid.to_string()])
        .output();
    ps.map(|output| output.stdout).unwrap_or_default()
}
