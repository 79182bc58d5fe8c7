//! Reading a document in a child process: the near side of the pipe.
//!
//! Owns the child from spawn to reaping, its deadlines, and what the way it ended means. It must
//! survive whatever the child does, and must not look into documents itself.

mod lines;
mod outcome;

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use kmrl_extraction::{ExtractError, Extraction, PageProgress};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use self::lines::{Lines, Nonsense, parse};
use self::outcome::{Outcome, Stop};
use crate::extraction_child::{Handover, Line, SUBCOMMAND};
use crate::fault_point;
use crate::ports::{ExtractFailure, ExtractRequest, Extractor};

/// Processor time that a child gets beyond its hard limit in real time, in seconds: the clock on
/// the wall is to be the one that ends it.
const CPU_SPARE: u64 = 5;
/// What is kept of standard error for the log, in bytes.
const STDERR_TAIL: usize = 2048;
/// How long the rest of standard error is waited for once the child has ended.
const STDERR_WAIT: Duration = Duration::from_secs(1);

/// Reads every document in a child process of its own, which is this same program.
///
/// A child ends with the thread that spawned it, so `extract` must run on threads that last: the
/// workers of a runtime do.
#[derive(Clone, Debug)]
pub struct ExtractionChild {
    program: PathBuf,
    memory_bytes: u64,
}

impl ExtractionChild {
    /// Children of the running program. Each may use `memory_bytes` of address space.
    ///
    /// # Errors
    ///
    /// When the system does not tell which program this is.
    pub fn new(memory_bytes: u64) -> io::Result<Self> {
        let program = if cfg!(target_os = "linux") {
            // Stays this very program, also when another version was installed over it.
            PathBuf::from("/proc/self/exe")
        } else {
            std::env::current_exe()?
        };
        Ok(Self::with_program(program, memory_bytes))
    }

    /// Children of another program that has the same subcommand.
    #[must_use]
    pub const fn with_program(program: PathBuf, memory_bytes: u64) -> Self {
        Self {
            program,
            memory_bytes,
        }
    }

    fn spawn(&self, input: &ExtractRequest, document: std::fs::File) -> io::Result<Child> {
        let handover = Handover {
            file_name: input.file_name.clone(),
            content_type: input.content_type.clone(),
            memory_bytes: self.memory_bytes,
            cpu_seconds: input.hard.as_secs().saturating_add(CPU_SPARE),
            parent: std::process::id(),
        };
        Command::new(&self.program)
            .arg(SUBCOMMAND)
            .env_clear()
            .envs(handover.to_env())
            .current_dir("/")
            .stdin(document)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

#[async_trait]
impl Extractor for ExtractionChild {
    async fn extract(
        &self,
        input: ExtractRequest,
        progress: mpsc::Sender<PageProgress>,
    ) -> Result<Extraction, ExtractFailure> {
        let document = tokio::fs::File::open(&input.path)
            .await
            .map_err(ExtractFailure::Io)?;
        let child = self
            .spawn(&input, document.into_std().await)
            .map_err(ExtractFailure::Io)?;
        fault_point::reach("worker.in_extraction");
        Reading::new(child, &input, progress)
            .map_err(ExtractFailure::Io)?
            .run()
            .await
    }
}

/// One child at work.
struct Reading {
    child: Child,
    /// The child's process group: its id, as long as the child is not reaped.
    group: Option<libc::pid_t>,
    lines: Lines,
    stderr: JoinHandle<Vec<u8>>,
    progress: mpsc::Sender<PageProgress>,
    last: PageProgress,
    soft: Instant,
    hard: Instant,
    stop: Option<Stop>,
    limits: (Duration, Duration),
}

/// How the conversation ended.
enum Heard {
    Answer(Result<Extraction, ExtractError>),
    Nonsense(Nonsense),
    Nothing,
}

impl Reading {
    fn new(
        mut child: Child,
        input: &ExtractRequest,
        progress: mpsc::Sender<PageProgress>,
    ) -> io::Result<Self> {
        let piped = || io::Error::other("the child has no pipes");
        let stdout = child.stdout.take().ok_or_else(piped)?;
        let stderr = child.stderr.take().ok_or_else(piped)?;
        let now = Instant::now();
        Ok(Self {
            group: child.id().and_then(|id| id.try_into().ok()),
            child,
            lines: Lines::new(stdout),
            stderr: tokio::spawn(tail(stderr)),
            progress,
            last: PageProgress { page: 0, pages: 0 },
            soft: now + input.soft,
            hard: now + input.hard,
            stop: None,
            limits: (input.soft, input.hard),
        })
    }

    async fn run(mut self) -> Result<Extraction, ExtractFailure> {
        let heard = self.converse().await;
        if !matches!(heard, Heard::Nothing) {
            // It has said what it had to say, or cannot be believed: either way it is over.
            self.signal(libc::SIGKILL);
        }
        let status = self.end().await;
        let stderr = match timeout(STDERR_WAIT, &mut self.stderr).await {
            Ok(Ok(tail)) => tail,
            // Something else holds the pipe: the log does without.
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        self.stderr.abort();
        match heard {
            Heard::Answer(Ok(extraction)) => return Ok(extraction),
            Heard::Answer(Err(error)) if !matches!(error, ExtractError::Cancelled { .. }) => {
                return Err(ExtractFailure::Refused(error));
            }
            _ => {}
        }
        let outcome = Outcome {
            nonsense: match heard {
                Heard::Nonsense(nonsense) => Some(nonsense),
                _ => None,
            },
            status: status.map_err(ExtractFailure::Io)?,
            stop: self.stop,
            limits: self.limits,
            last: self.last,
            stderr: String::from_utf8_lossy(&stderr),
        };
        tracing::warn!(
            status = %outcome.status,
            stop = ?outcome.stop,
            page = outcome.last.page,
            pages = outcome.last.pages,
            stderr = %outcome.stderr,
            "an extraction child ended without text"
        );
        Err(outcome.failure())
    }

    /// Listen until the child has answered, ended or run out of time.
    async fn converse(&mut self) -> Heard {
        loop {
            tokio::select! {
                line = self.lines.next() => {
                    if let Some(heard) = self.hear(line).await {
                        return heard;
                    }
                }
                () = sleep_until(self.soft), if self.stop.is_none() => {
                    self.stop = Some(Stop::Soft);
                    self.signal(libc::SIGTERM);
                }
                () = sleep_until(self.hard) => {
                    self.kill_for_time();
                    return Heard::Nothing;
                }
            }
        }
    }

    /// Take one line; `None` when more is to come.
    async fn hear(&mut self, line: Result<Option<Vec<u8>>, Nonsense>) -> Option<Heard> {
        let said = match line {
            Ok(None) => return Some(Heard::Nothing),
            Ok(Some(line)) => parse(line).await,
            Err(nonsense) => Err(nonsense),
        };
        match said {
            Ok(Line::Page { page, pages }) => {
                self.last = PageProgress { page, pages };
                // A hint: when there is no room for it, the next page is as good.
                let _ = self.progress.try_send(self.last);
                None
            }
            Ok(Line::Done(extraction)) => Some(Heard::Answer(Ok(extraction))),
            Ok(Line::Refused(error)) => Some(Heard::Answer(Err(error))),
            Err(nonsense) => Some(Heard::Nonsense(nonsense)),
        }
    }

    /// Wait for the child to end, until the hard limit at most.
    async fn end(&mut self) -> io::Result<std::process::ExitStatus> {
        let ended = tokio::select! {
            biased;
            status = self.child.wait() => Some(status),
            () = sleep_until(self.hard) => None,
        };
        let status = match ended {
            Some(status) => status,
            None => {
                self.kill_for_time();
                self.child.wait().await
            }
        };
        // From now on the number may belong to somebody else.
        self.group = None;
        status
    }

    fn kill_for_time(&mut self) {
        self.stop = Some(Stop::Hard);
        self.signal(libc::SIGKILL);
    }

    fn signal(&self, signal: libc::c_int) {
        if let Some(group) = self.group {
            // SAFETY: a plain system call. The child is not reaped, so the id is still its own.
            // It fails only when all of the group has ended, which is what is wanted.
            unsafe { libc::kill(-group, signal) };
        }
    }
}

impl Drop for Reading {
    /// Also when the future is dropped half-way.
    fn drop(&mut self) {
        self.signal(libc::SIGKILL);
        self.stderr.abort();
    }
}

/// Read all of it and keep the end.
async fn tail(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut kept = Vec::with_capacity(2 * STDERR_TAIL);
    let mut chunk = [0; STDERR_TAIL];
    // A pipe that fails has nothing more to say.
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        kept.extend(chunk.iter().take(length));
        let surplus = kept.len().saturating_sub(STDERR_TAIL);
        kept.drain(..surplus);
    }
    kept
}
