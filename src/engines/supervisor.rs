//! Keeps one engine running. Owns its child process, its log and its restarts; knows nothing of
//! what the engine is.
//!
//! One thread an engine: it spawns the program and copies its output to the log until every
//! process of the engine has closed it. That end of output is also the moment when a restart is
//! safe, because PostgreSQL's orphaned backends hold the output as they hold the shared memory.

use std::ffi::OsString;
use std::io::{self, PipeReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::identity::Identity;
use super::log_file::LogFile;
use super::process::signal;
use super::{EngineError, spawn_tied};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Bytes of output kept while starting, to look for the ready line and to explain a failure.
const HEAD_LIMIT: usize = 64 << 10;

/// How to run an engine.
pub(super) struct Recipe {
    /// Name for logs and errors; also the program's.
    pub(super) engine: &'static str,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// The whole environment but PATH, locale and time zone.
    pub(super) environment: Vec<(&'static str, OsString)>,
    pub(super) identity: Identity,
    /// What the engine prints once it takes connections.
    pub(super) ready_line: &'static str,
    /// Signals that end it, the gentlest first. The first is also its death signal.
    pub(super) stop_signals: &'static [i32],
    pub(super) log: PathBuf,
}

impl Recipe {
    fn stop_signal(&self) -> i32 {
        self.stop_signals.first().copied().unwrap_or(libc::SIGTERM)
    }

    fn command(&self) -> Command {
        let mut command = base_command(&self.program, self.identity);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(k, v)| (k, v)));
        command
    }
}

/// A command in a known environment: nothing of this process's own, which holds secrets.
pub(super) fn base_command(program: &std::path::Path, identity: Identity) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", super::LOCALE)
        .env("TZ", "UTC")
        .current_dir("/")
        .stdin(Stdio::null());
    identity.apply(&mut command);
    command
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Up,
    Down,
    Gone,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Status {
    Starting,
    Ready,
    Down,
    /// Ended before it was ever ready; holds its output.
    Failed(String),
}

struct State {
    wanted: Wanted,
    /// Set from the spawn until the child is reaped, so a signal never goes to another process.
    pid: Option<u32>,
}

struct Shared {
    recipe: Recipe,
    state: Mutex<State>,
    changed: Condvar,
    status: watch::Sender<Status>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds this lock, and the state is two plain values.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Handle of a supervised engine. Dropping it stops the engine without waiting.
pub(super) struct Supervisor {
    shared: Arc<Shared>,
}

impl Supervisor {
    /// Starts the engine and waits until it is ready. From then on it is started again whenever
    /// it ends by itself.
    pub(super) async fn start(recipe: Recipe) -> Result<Supervisor, EngineError> {
        let engine = recipe.engine;
        let shared = Arc::new(Shared {
            recipe,
            state: Mutex::new(State {
                wanted: Wanted::Up,
                pid: None,
            }),
            changed: Condvar::new(),
            status: watch::Sender::new(Status::Starting),
        });
        let supervised = Arc::clone(&shared);
        std::thread::Builder::new()
            .name(engine.into())
            .spawn(move || supervise(&supervised))
            .map_err(|source| EngineError::Spawn {
                program: engine,
                source,
            })?;
        let supervisor = Supervisor { shared };
        supervisor.ready().await?;
        Ok(supervisor)
    }

    /// Process id of the engine while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.shared.lock().pid
    }

    /// Starts the engine again after [`Supervisor::halt`] and waits until it is ready.
    pub(super) async fn resume(&self) -> Result<(), EngineError> {
        self.want(Wanted::Up, None);
        self.ready().await
    }

    /// Ends the engine by its stop signals, each sterner than the one before, and keeps it down.
    pub(super) async fn halt(&self) -> Result<(), EngineError> {
        self.end(self.shared.recipe.stop_signals).await
    }

    /// Ends the engine as a crash would (SIGKILL) and keeps it down.
    pub(super) async fn kill(&self) -> Result<(), EngineError> {
        self.end(&[libc::SIGKILL]).await
    }

    async fn end(&self, signals: &[i32]) -> Result<(), EngineError> {
        let mut status = self.shared.status.subscribe();
        for signal in signals {
            if !self.want(Wanted::Down, Some(*signal)) {
                return Ok(());
            }
            let down = status.wait_for(|now| matches!(now, Status::Down | Status::Failed(_)));
            if tokio::time::timeout(STOP_LIMIT, down).await.is_ok() {
                return Ok(());
            }
            tracing::warn!(
                engine = self.engine(),
                signal,
                "engine did not end on its signal"
            );
        }
        Err(self.too_slow("end", STOP_LIMIT))
    }

    async fn ready(&self) -> Result<(), EngineError> {
        let mut status = self.shared.status.subscribe();
        let settled = status.wait_for(|now| matches!(now, Status::Ready | Status::Failed(_)));
        match tokio::time::timeout(START_LIMIT, settled).await {
            Ok(Ok(now)) => match &*now {
                Status::Failed(log) => Err(EngineError::EndedEarly {
                    engine: self.engine(),
                    log: log.clone(),
                }),
                _ => Ok(()),
            },
            // The sender lives in `self`, so it cannot be gone: only the limit ends this wait.
            _ => Err(self.too_slow("become ready", START_LIMIT)),
        }
    }

    /// Says what is wanted and signals the engine if it runs; answers whether it runs.
    fn want(&self, wanted: Wanted, send: Option<i32>) -> bool {
        let mut state = self.shared.lock();
        state.wanted = wanted;
        self.shared.changed.notify_all();
        if wanted == Wanted::Up && state.pid.is_none() {
            self.shared.status.send_replace(Status::Starting);
        }
        if let (Some(pid), Some(number)) = (state.pid, send) {
            signal(pid, number);
        }
        state.pid.is_some()
    }

    fn engine(&self) -> &'static str {
        self.shared.recipe.engine
    }

    fn too_slow(&self, operation: &'static str, limit: Duration) -> EngineError {
        EngineError::TooSlow {
            engine: self.engine(),
            operation,
            seconds: limit.as_secs(),
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.want(Wanted::Gone, Some(self.shared.recipe.stop_signal()));
    }
}

fn supervise(shared: &Shared) {
    let engine = shared.recipe.engine;
    let mut was_ready = false;
    let mut pause = FIRST_PAUSE;
    while let Some(run) = launch(shared) {
        let (ready, output) = match run {
            Ok((child, reader)) => follow(shared, child, reader),
            Err(error) => (false, error.to_string()),
        };
        was_ready |= ready;
        if !was_ready {
            shared.status.send_replace(Status::Failed(output));
            return;
        }
        pause = if ready {
            FIRST_PAUSE
        } else {
            LONGEST_PAUSE.min(pause * 2)
        };
        let state = shared.lock();
        if state.wanted == Wanted::Up {
            tracing::warn!(
                engine,
                ready,
                ?pause,
                "engine ended by itself, starting it again"
            );
            // A change of what is wanted ends the pause; so does a spurious wake-up, harmlessly.
            drop(shared.changed.wait_timeout(state, pause));
        }
    }
}

/// Waits until the engine is wanted up and spawns it; nothing once it is wanted gone. Spawns
/// under the lock, so that whoever changes what is wanted sees either no child or its pid.
fn launch(shared: &Shared) -> Option<io::Result<(Child, PipeReader)>> {
    let mut state = shared.lock();
    while state.wanted == Wanted::Down {
        state = shared
            .changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
    }
    if state.wanted == Wanted::Gone {
        return None;
    }
    shared.status.send_replace(Status::Starting);
    let spawn = || {
        let (reader, writer) = io::pipe()?;
        let mut command = shared.recipe.command();
        command.stdout(writer.try_clone()?).stderr(writer);
        let child = spawn_tied(command, shared.recipe.stop_signal())?;
        Ok((child, reader))
    };
    let spawned = spawn();
    state.pid = spawned.as_ref().ok().map(|(child, _)| child.id());
    Some(spawned)
}

/// Copies the engine's output to its log until the engine has ended, then reaps it. Answers
/// whether it was ready in between, and what it printed before that.
fn follow(shared: &Shared, mut child: Child, mut reader: PipeReader) -> (bool, String) {
    let recipe = &shared.recipe;
    let mut log = LogFile::open(&recipe.log);
    let mut head = Vec::new();
    let mut ready = false;
    let mut buffer = [0_u8; 8 << 10];
    // Reading goes on whatever becomes of the log: an engine with a full pipe would stand still.
    loop {
        let chunk = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                tracing::error!(engine = recipe.engine, %error, "engine's output cannot be read");
                break;
            }
        };
        if let Err(error) = log.as_mut().map_or(Ok(()), |log| log.write(chunk)) {
            tracing::warn!(engine = recipe.engine, %error, "engine's log cannot be written");
            log = Err(error);
        }
        if !ready && head.len() < HEAD_LIMIT {
            head.extend_from_slice(chunk);
            ready = String::from_utf8_lossy(&head).contains(recipe.ready_line);
            if ready {
                shared.status.send_replace(Status::Ready);
            }
        }
    }
    super::process::wait_without_reaping(child.id());
    let mut state = shared.lock();
    let outcome = child.wait();
    state.pid = None;
    shared.status.send_replace(Status::Down);
    drop(state);
    tracing::debug!(engine = recipe.engine, ?outcome, "engine ended");
    (ready, String::from_utf8_lossy(&head).into_owned())
}
