//! Working on a document in a child process: the near side of the pipes.
//!
//! Owns how a child is made, and the tasks, each of which is thin: what is handed over and what
//! comes back. The child's life is `session`'s, what its end means `outcome`'s, programs of others
//! are run by `program`. Nothing here looks into documents itself.

mod help;
mod inspect;
mod lines;
mod outcome;
mod program;
mod protections;
mod recognise;
mod session;
mod spawner;
mod tesseract;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kmrl_extraction::{ExtractError, Extraction, PageProgress};
use tokio::io::AsyncRead;
use tokio::process::Command;
use tokio::sync::mpsc;

use self::session::{Deadline, Session};
use self::spawner::Spawner;
use crate::config::{HelperSettings, RecognitionSettings};
use crate::extraction_child::{Handover, SUBCOMMAND, Start, Task};
use crate::fault_point;
use crate::ports::{ExtractFailure, ExtractRequest, Extractor};

/// Processor time that a child gets beyond its hard limit in real time: the clock on the wall is
/// to be the one that ends it.
const CPU_SPARE: Duration = Duration::from_secs(5);
/// Of a document, in memory here at once.
const CHUNK: usize = 64 * 1024;

/// What children may use, and how many wait ready.
#[derive(Clone, Debug)]
pub struct ChildSettings {
    /// Address space of each in bytes.
    pub memory_bytes: u64,
    /// The longest that one is let work.
    pub hard_limit: Duration,
    /// Started ahead, each to be used once.
    pub ready: usize,
    /// Limits alone, without landlock and seccomp: to measure what those cost.
    pub only_limits: bool,
    /// How pictures become text.
    pub recognition: RecognitionSettings,
    /// Programs that read what we do not.
    pub helpers: HelperSettings,
}

impl ChildSettings {
    /// With nothing made ahead.
    #[must_use]
    pub fn new(memory_bytes: u64, hard_limit: Duration) -> Self {
        Self {
            memory_bytes,
            hard_limit,
            ready: 0,
            only_limits: false,
            recognition: RecognitionSettings::default(),
            helpers: HelperSettings::default(),
        }
    }
}

/// Works on every document in a child process of its own, which is this same program.
#[derive(Clone)]
pub struct ExtractionChild {
    program: PathBuf,
    settings: ChildSettings,
    spawner: Arc<Spawner>,
}

impl ExtractionChild {
    /// Children of the running program.
    ///
    /// # Errors
    ///
    /// When the system does not tell which program this is.
    pub fn new(settings: ChildSettings) -> io::Result<Self> {
        let program = if cfg!(target_os = "linux") {
            // Stays this very program, also when another version was installed over it.
            PathBuf::from("/proc/self/exe")
        } else {
            std::env::current_exe()?
        };
        Ok(Self::with_program(program, settings))
    }

    /// Children of another program that has the same subcommands.
    #[must_use]
    pub fn with_program(program: PathBuf, settings: ChildSettings) -> Self {
        let (file, of) = (program.clone(), settings.clone());
        let spawner = Spawner::new(settings.ready, move || child(&file, &of));
        Self {
            program,
            settings,
            spawner: Arc::new(spawner),
        }
    }

    async fn start(
        &self,
        task: Task,
        input: &ExtractRequest,
        deadline: Deadline,
    ) -> Result<Session, ExtractFailure> {
        let open = async {
            let mut document = tokio::fs::File::open(&input.path).await?;
            document.set_max_buf_size(CHUNK);
            let length = document.metadata().await?.len();
            let handover = Handover::new(task, &input.file_name, &input.content_type, length);
            self.hand_over(&handover, document, deadline).await
        };
        open.await.map_err(ExtractFailure::Io)
    }

    async fn hand_over(
        &self,
        handover: &Handover,
        document: impl AsyncRead + Unpin + Send + 'static,
        deadline: Deadline,
    ) -> io::Result<Session> {
        let child = self.spawner.usual().await?;
        let spawner = Arc::clone(&self.spawner);
        Session::start(child, handover, document, deadline, spawner)
    }
}

/// How a child is started, long before there is a document.
fn child(program: &Path, settings: &ChildSettings) -> Command {
    let start = Start {
        memory_bytes: settings.memory_bytes,
        cpu_seconds: settings.hard_limit.saturating_add(CPU_SPARE).as_secs(),
        parent: std::process::id(),
        only_limits: settings.only_limits,
    };
    let mut command = Command::new(program);
    command
        .arg(SUBCOMMAND)
        .env_clear()
        .envs(start.to_env())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

#[async_trait]
impl Extractor for ExtractionChild {
    async fn extract(
        &self,
        input: ExtractRequest,
        progress: mpsc::Sender<PageProgress>,
    ) -> Result<Extraction, ExtractFailure> {
        let deadline = Deadline::new(input.soft, input.hard);
        let session = self.start(Task::Read, &input, deadline).await?;
        fault_point::reach("worker.in_extraction");
        let on_page = |page| {
            // A hint: when there is no room for it, the next page is as good.
            let _ = progress.try_send(page);
        };
        let extraction: Extraction = match session.run(on_page).await {
            Err(ExtractFailure::Refused(ExtractError::NeedsHelper { format })) => {
                return help::read(self, &input, format, deadline, on_page).await;
            }
            read => read?,
        };
        recognise::recognise(self, &input, extraction, deadline, &progress).await
    }
}
