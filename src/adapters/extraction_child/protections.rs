//! What the jails refuse on this machine, found out by one child and one program that try.
//!
//! Owns the asking; the attempts are `crate::jail::probe`'s.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use kmrl_extraction::{Format, Helper};
use tokio::time::Instant;

use super::help;
use super::program::run;
use super::session::{Deadline, Session};
use super::tesseract::Tesseract;
use super::{ExtractFailure, ExtractionChild, Handover, Task};
use crate::jail::program::Program;
use crate::jail::{PROBE_SUBCOMMAND, Protections};
use crate::ports::{JailProbe, JailReport};
use std::sync::Arc;

/// For all attempts together.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than the answer has, in bytes.
const ANSWER: usize = 4096;

#[async_trait]
impl JailProbe for ExtractionChild {
    async fn probe(&self) -> JailReport {
        let (reader, program) = tokio::join!(self.reader(), self.other());
        JailReport {
            reader,
            program,
            recognition: Tesseract::find(&self.settings.recognition).err(),
            helpers: Helper::FORMATS
                .map(|format| (format.extension(), self.helper(format)))
                .into(),
        }
    }
}

impl ExtractionChild {
    fn helper(&self, format: Format) -> Option<PathBuf> {
        let mut found = help::found(&self.settings.helpers, format);
        found.next().map(|(program, _)| program)
    }

    /// By a child such as documents get.
    async fn reader(&self) -> Result<Protections, String> {
        let ask = async {
            let child = self.spawner.usual().await?;
            // The task needs no document.
            let document = tokio::fs::File::open("/dev/null").await?;
            let handover = Handover::new(Task::Probe, "", "", 0);
            let deadline = Deadline::new(PATIENCE, PATIENCE);
            Session::start(
                child,
                &handover,
                document,
                deadline,
                Arc::clone(&self.spawner),
            )
        };
        let session = ask.await.map_err(ExtractFailure::Io);
        let found = match session {
            Ok(session) => session.run(|_page| ()).await,
            Err(failure) => Err(failure),
        };
        found.map_err(|failure| failure.to_string())
    }

    /// By this program, jailed as those of others are.
    async fn other(&self) -> Result<Protections, String> {
        let program = Program {
            path: self.program.clone(),
            arguments: vec![PROBE_SUBCOMMAND.to_owned()],
            environment: Vec::new(),
            read: Vec::new(),
            run: Vec::new(),
            folder: None,
            processes: false,
            memory_bytes: self.settings.memory_bytes,
            cpu_seconds: PATIENCE.as_secs(),
            file_bytes: 0,
        };
        let until = Instant::now() + PATIENCE;
        let ended = run(
            &self.spawner,
            &self.program,
            &program,
            Vec::new(),
            ANSWER,
            until,
        )
        .await;
        let ended = ended.map_err(|error| error.to_string())?;
        serde_json::from_slice(&ended.output).map_err(|_| {
            let complaint = String::from_utf8_lossy(&ended.complaint);
            format!("{}: {}", ended.status, complaint.trim())
        })
    }
}
