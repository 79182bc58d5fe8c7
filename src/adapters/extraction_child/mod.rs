//! Working on a document in a child process: the near side of the pipes.
//!
//! Owns how a child is made, and the tasks, each of which is thin: what is handed over and what
//! comes back. The child's life is `session`'s, what its end means `outcome`'s. Nothing here looks
//! into documents itself.

mod inspect;
mod lines;
mod outcome;
mod session;

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use kmrl_extraction::{Extraction, PageProgress};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use self::session::{Deadline, Session};
use crate::extraction_child::{Handover, SUBCOMMAND, Start, Task};
use crate::fault_point;
use crate::ports::{ExtractFailure, ExtractRequest, Extractor};

/// Processor time that a child gets beyond its hard limit in real time, in seconds: the clock on
/// the wall is to be the one that ends it.
const CPU_SPARE: u64 = 5;

/// Works on every document in a child process of its own, which is this same program.
///
/// A child ends with the thread that spawned it, so these functions must run on threads that
/// last: the workers of a runtime do.
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

    async fn start(&self, task: Task, input: &ExtractRequest) -> Result<Session, ExtractFailure> {
        let open = async {
            let document = tokio::fs::File::open(&input.path).await?;
            let length = document.metadata().await?.len();
            let handover = Handover::new(task, &input.file_name, &input.content_type, length);
            let child = self.spawn(input.hard)?;
            let deadline = Deadline::new(input.soft, input.hard);
            Session::start(child, &handover, document, deadline)
        };
        open.await.map_err(ExtractFailure::Io)
    }

    fn spawn(&self, hard: Duration) -> io::Result<Child> {
        let start = Start {
            memory_bytes: self.memory_bytes,
            cpu_seconds: hard.as_secs().saturating_add(CPU_SPARE),
            parent: std::process::id(),
        };
        Command::new(&self.program)
            .arg(SUBCOMMAND)
            .env_clear()
            .envs(start.to_env())
            .current_dir("/")
            .stdin(Stdio::piped())
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
        let session = self.start(Task::Read, &input).await?;
        fault_point::reach("worker.in_extraction");
        session
            .run(|page| {
                // A hint: when there is no room for it, the next page is as good.
                let _ = progress.try_send(page);
            })
            .await
    }
}
