//! One child at work, from handing over to reaping, whatever the task.
//!
//! Owns the conversation, the deadlines and the child's end. It must survive whatever the child
//! does, and must not know what a task's answer is.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use kmrl_extraction::{ExtractError, PageProgress};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::CHUNK;
use super::lines::{Lines, Nonsense, Piece, parse};
use super::outcome::{Outcome, Stop};
use super::spawner::Spawner;
use crate::extraction_child::{Handover, Line, Picture};
use crate::ports::ExtractFailure;

/// What is kept of standard error for the log, in bytes.
const STDERR_TAIL: usize = 2048;
/// How long the pipes are waited for once the child has ended.
const PIPES_WAIT: Duration = Duration::from_secs(1);

/// When a child is asked to stop and when it is killed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    soft: Instant,
    hard: Instant,
    limits: (Duration, Duration),
}

impl Deadline {
    /// Both counted from now.
    pub(super) fn new(soft: Duration, hard: Duration) -> Self {
        let now = Instant::now();
        Self {
            soft: now + soft,
            hard: now + hard,
            limits: (soft, hard),
        }
    }

    /// Whether it is time to stop.
    pub(super) fn is_near(&self) -> bool {
        Instant::now() >= self.soft
    }

    /// When a part that may take `most` is over, the whole within its time.
    pub(super) fn within(&self, most: Duration) -> Instant {
        self.hard.min(Instant::now() + most)
    }

    /// What it means that it passed.
    pub(super) fn passed(&self, done: PageProgress) -> ExtractFailure {
        ExtractFailure::TimeLimit {
            seconds: self.limits.0.as_secs(),
            pages_done: done.page,
            pages: done.pages,
        }
    }
}

/// One child and its document.
pub(super) struct Session {
    child: Child,
    /// The child's process group: its id, as long as the child is not reaped.
    group: Option<libc::pid_t>,
    lines: Lines,
    stderr: JoinHandle<Vec<u8>>,
    feeder: JoinHandle<io::Result<()>>,
    last: PageProgress,
    deadline: Deadline,
    stop: Option<Stop>,
    /// Said, and its pixels not yet there.
    picture: Option<Picture>,
    /// With the thread that started it the child would end.
    _started_by: Arc<Spawner>,
}

/// What a child said or did.
pub(super) enum Heard<Answer> {
    Page(PageProgress),
    Picture(Picture, Vec<u8>),
    Answer(Result<Answer, ExtractError>),
    Nonsense(Nonsense),
    Nothing,
}

impl Session {
    /// Hand a document to a child that waits for one.
    pub(super) fn start(
        mut child: Child,
        handover: &Handover,
        document: impl AsyncRead + Unpin + Send + 'static,
        deadline: Deadline,
        started_by: Arc<Spawner>,
    ) -> io::Result<Self> {
        let piped = || io::Error::other("the child has no pipes");
        let stdin = child.stdin.take().ok_or_else(piped)?;
        let stdout = child.stdout.take().ok_or_else(piped)?;
        let stderr = child.stderr.take().ok_or_else(piped)?;
        Ok(Self {
            group: child.id().and_then(|id| id.try_into().ok()),
            child,
            lines: Lines::new(stdout),
            stderr: tokio::spawn(tail(stderr)),
            feeder: tokio::spawn(feed(stdin, handover.to_line()?, document)),
            last: PageProgress { page: 0, pages: 0 },
            deadline,
            stop: None,
            picture: None,
            _started_by: started_by,
        })
    }

    /// Listen until the child is done; each page is told to `on_page`.
    pub(super) async fn run<Answer>(
        mut self,
        mut on_page: impl FnMut(PageProgress),
    ) -> Result<Answer, ExtractFailure>
    where
        Answer: DeserializeOwned + Send + 'static,
    {
        loop {
            match self.hear().await {
                Heard::Page(progress) => on_page(progress),
                Heard::Picture(..) => {
                    return self.finish(Heard::Nonsense(Nonsense::NotALine)).await;
                }
                end => return self.finish(end).await,
            }
        }
    }

    /// Listen until the child says something, ends or runs out of time.
    pub(super) async fn hear<Answer>(&mut self) -> Heard<Answer>
    where
        Answer: DeserializeOwned + Send + 'static,
    {
        loop {
            tokio::select! {
                piece = self.lines.next() => {
                    if let Some(heard) = self.understand(piece).await {
                        return heard;
                    }
                }
                () = sleep_until(self.deadline.soft), if self.stop.is_none() => {
                    self.stop = Some(Stop::Soft);
                    self.signal(libc::SIGTERM);
                }
                () = sleep_until(self.deadline.hard) => {
                    self.kill_for_time();
                    return Heard::Nothing;
                }
            }
        }
    }

    /// What a piece means; `None` when it takes another to tell.
    async fn understand<Answer>(
        &mut self,
        piece: Result<Option<Piece>, Nonsense>,
    ) -> Option<Heard<Answer>>
    where
        Answer: DeserializeOwned + Send + 'static,
    {
        let said = match piece {
            Ok(None) => return Some(Heard::Nothing),
            Ok(Some(Piece::Line(line))) => parse(line).await,
            Ok(Some(Piece::Pixels(pixels))) => {
                let picture = self.picture.take();
                return picture.map(|picture| Heard::Picture(picture, pixels));
            }
            Err(nonsense) => Err(nonsense),
        };
        Some(match said {
            Ok(Line::Page { page, pages }) => {
                self.last = PageProgress { page, pages };
                Heard::Page(self.last)
            }
            Ok(Line::Picture(picture)) => {
                let pixels = u64::from(picture.width) * u64::from(picture.height);
                if let Err(nonsense) = self.lines.expect_pixels(pixels) {
                    return Some(Heard::Nonsense(nonsense));
                }
                if pixels == 0 {
                    return Some(Heard::Picture(picture, Vec::new()));
                }
                self.picture = Some(picture);
                return None;
            }
            Ok(Line::Done(answer)) => Heard::Answer(Ok(answer)),
            Ok(Line::Refused(error)) => Heard::Answer(Err(error)),
            Err(nonsense) => Heard::Nonsense(nonsense),
        })
    }

    /// End the child, and say what its last word means.
    pub(super) async fn finish<Answer>(
        mut self,
        heard: Heard<Answer>,
    ) -> Result<Answer, ExtractFailure> {
        if !matches!(heard, Heard::Nothing) {
            // It has said what it had to say, or cannot be believed: either way it is over.
            self.signal(libc::SIGKILL);
        }
        let status = self.end().await;
        let stderr = match timeout(PIPES_WAIT, &mut self.stderr).await {
            Ok(Ok(tail)) => tail,
            // Something else holds the pipe: the log does without.
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        let nonsense = match heard {
            Heard::Answer(Ok(answer)) => return Ok(answer),
            Heard::Answer(Err(error)) if !matches!(error, ExtractError::Cancelled { .. }) => {
                return Err(ExtractFailure::Refused(error));
            }
            Heard::Nonsense(nonsense) => Some(nonsense),
            _ => None,
        };
        if let Ok(Ok(Err(error))) = timeout(PIPES_WAIT, &mut self.feeder).await {
            return Err(ExtractFailure::Io(error));
        }
        let outcome = Outcome {
            nonsense,
            status: status.map_err(ExtractFailure::Io)?,
            stop: self.stop,
            limits: self.deadline.limits,
            last: self.last,
            stderr: String::from_utf8_lossy(&stderr),
        };
        tracing::warn!(
            status = %outcome.status,
            stop = ?outcome.stop,
            page = outcome.last.page,
            pages = outcome.last.pages,
            stderr = %outcome.stderr,
            "an extraction child ended without an answer"
        );
        Err(outcome.failure())
    }

    /// Wait for the child to end, until the hard limit at most.
    async fn end(&mut self) -> io::Result<std::process::ExitStatus> {
        let ended = tokio::select! {
            biased;
            status = self.child.wait() => Some(status),
            () = sleep_until(self.deadline.hard) => None,
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

impl Drop for Session {
    /// Also when the future is dropped half-way.
    fn drop(&mut self) {
        self.signal(libc::SIGKILL);
        self.stderr.abort();
        self.feeder.abort();
    }
}

/// Write what is to be done and the document. An error is one of the document: a child that does
/// not read to the end is judged by how it ends.
async fn feed(
    mut to: ChildStdin,
    handover: Vec<u8>,
    mut document: impl AsyncRead + Unpin,
) -> io::Result<()> {
    if to.write_all(&handover).await.is_err() {
        return Ok(());
    }
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = document.read(&mut chunk).await?;
        let Some(bytes @ [_, ..]) = chunk.get(..length) else {
            return Ok(());
        };
        if to.write_all(bytes).await.is_err() {
            return Ok(());
        }
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
