//! A program of others, run once inside the jail: bytes in, bytes out.
//!
//! Owns such a run from start to reaping, its deadline and the bound on its output. What the bytes
//! mean is the caller's business; what the jail is, `crate::jail`'s.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, timeout_at};

use super::spawner::Spawner;
use crate::jail::PROGRAM_SUBCOMMAND;
use crate::jail::program::Program;

/// What is kept of standard error, in bytes.
const COMPLAINT: usize = 2048;

/// How a run ended.
pub(super) struct Run {
    pub(super) status: ExitStatus,
    pub(super) output: Vec<u8>,
    /// The beginning of standard error.
    pub(super) complaint: Vec<u8>,
}

/// Why there is no end to tell of.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunFailure {
    #[error("the program could not be run")]
    Io(#[from] io::Error),
    #[error("the program ran out of time")]
    Time,
    #[error("the program wrote more than {0} bytes")]
    TooMuch(usize),
}

/// Run `program`, which reads `pieces` one after the other on standard input, until `deadline`.
/// `itself` is this program's file, which becomes the other.
pub(super) async fn run(
    spawner: &Spawner,
    itself: &Path,
    program: &Program,
    pieces: Vec<Vec<u8>>,
    most_output: usize,
    deadline: Instant,
) -> Result<Run, RunFailure> {
    let child = spawner.other(command(itself, program)?).await?;
    let id = child.id();
    let mut conversation = pin!(converse(child, pieces, most_output));
    // Dropped before the conversation: as long as the program is not reaped, its number is its own.
    let mut group = Group::of(id);
    let ended = timeout_at(deadline, &mut conversation).await;
    let ended = ended.unwrap_or(Err(RunFailure::Time));
    if ended.is_ok() {
        group.0 = None;
    }
    ended
}

fn command(itself: &Path, program: &Program) -> io::Result<Command> {
    let (name, value) = program.to_env()?;
    let mut command = Command::new(itself);
    command
        .arg(PROGRAM_SUBCOMMAND)
        .env_clear()
        .env(name, value)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    Ok(command)
}

async fn converse(
    mut child: Child,
    pieces: Vec<Vec<u8>>,
    most_output: usize,
) -> Result<Run, RunFailure> {
    let piped = || io::Error::other("the program has no pipes");
    let stdin = child.stdin.take().ok_or_else(piped)?;
    let stdout = child.stdout.take().ok_or_else(piped)?;
    let stderr = child.stderr.take().ok_or_else(piped)?;
    let ((), output, complaint) = tokio::join!(
        feed(stdin, pieces),
        read(stdout, most_output),
        beginning(stderr)
    );
    let output = output?.ok_or(RunFailure::TooMuch(most_output))?;
    Ok(Run {
        status: child.wait().await?,
        output,
        complaint,
    })
}

/// A program that does not read to the end is judged by how it ends.
async fn feed(mut to: ChildStdin, pieces: Vec<Vec<u8>>) {
    for piece in pieces {
        if to.write_all(&piece).await.is_err() {
            return;
        }
    }
}

/// All of it; `None` when it is too much.
async fn read(from: impl AsyncRead + Unpin, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut output = Vec::new();
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    from.take(bound).read_to_end(&mut output).await?;
    Ok((output.len() <= most).then_some(output))
}

/// The beginning of it, and the rest read and dropped so that nobody waits for room.
async fn beginning(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut chunk = [0; COMPLAINT];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        let room = COMPLAINT.saturating_sub(kept.len());
        kept.extend(chunk.iter().take(length.min(room)));
    }
    kept
}

/// All processes of a program; killed when the run is over before they are.
struct Group(Option<libc::pid_t>);

impl Group {
    fn of(id: Option<u32>) -> Self {
        Self(id.and_then(|id| id.try_into().ok()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // SAFETY: a plain system call. It fails only when all of the group has ended.
            unsafe { libc::kill(-group, libc::SIGKILL) };
        }
    }
}

/// The file of a program that is named by its path, or by its name in the usual folders.
pub(super) fn find(name: &Path) -> Option<PathBuf> {
    const FOLDERS: [&str; 4] = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", "/bin"];
    if name.components().count() > 1 {
        return name.is_file().then(|| name.to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(FOLDERS.map(PathBuf::from))
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
