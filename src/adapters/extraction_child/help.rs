//! Documents that are read with the help of a program of others: it makes text of the document
//! inside the jail of programs, and a child of ours reads that.
//!
//! Owns which of them is asked, and what it means when none can help. Which programs there are and
//! how each is called is `kmrl_extraction::Helper`.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kmrl_extraction::{ExtractError, Extraction, Format, Helper, PageProgress};

use super::ExtractionChild;
use super::program::{Run, RunFailure, find, run};
use super::session::Deadline;
use crate::config::HelperSettings;
use crate::extraction_child::{Handover, Task};
use crate::jail::NOT_STARTED;
use crate::jail::program::Program;
use crate::ports::{ExtractFailure, ExtractRequest};

/// More than any text has, in bytes; drawings say a page in megabytes.
const MOST_OUTPUT: usize = 128 * 1024 * 1024;
/// For one program, within the time of the document.
const LONGEST: Duration = Duration::from_mins(2);

/// The programs that are here and can read a format, the first to be tried first.
pub(super) fn found(
    settings: &HelperSettings,
    format: Format,
) -> impl Iterator<Item = (PathBuf, &'static Helper)> {
    settings.programs.iter().filter_map(move |program| {
        let mut helpers = Helper::of(format).iter();
        let helper = helpers.find(|of| program.file_name() == Some(of.program.as_ref()))?;
        Some((find(program)?, helper))
    })
}

/// Read a document by the first program that can.
pub(super) async fn read(
    children: &ExtractionChild,
    input: &ExtractRequest,
    format: Format,
    deadline: Deadline,
    mut on_page: impl FnMut(PageProgress),
) -> Result<Extraction, ExtractFailure> {
    let mut first = None;
    for (program, helper) in found(&children.settings.helpers, format) {
        match ask(children, input, (&program, helper), deadline).await {
            Ok(made) => return told(children, format, made, deadline, &mut on_page).await,
            Err(failure) => {
                tracing::info!(
                    error = &failure as &dyn std::error::Error,
                    program = helper.program,
                    "a helper could not read a document"
                );
                first.get_or_insert(failure);
            }
        }
    }
    Err(
        first.unwrap_or(ExtractFailure::Refused(ExtractError::NeedsHelper {
            format,
        })),
    )
}

/// What a program makes of the document.
async fn ask(
    children: &ExtractionChild,
    input: &ExtractRequest,
    (path, helper): (&Path, &Helper),
    deadline: Deadline,
) -> Result<Vec<u8>, ExtractFailure> {
    let document = tokio::fs::canonicalize(&input.path).await;
    let document = document.map_err(ExtractFailure::Io)?;
    let until = deadline.within(LONGEST);
    let seconds = until.saturating_duration_since(tokio::time::Instant::now());
    let program = Program {
        path: path.to_owned(),
        arguments: arguments(helper, &document).map_err(ExtractFailure::Io)?,
        environment: vec![("LC_ALL".to_owned(), "C.UTF-8".to_owned())],
        read: helper
            .reads
            .iter()
            .map(PathBuf::from)
            .chain([document])
            .collect(),
        run: Vec::new(),
        folder: None,
        processes: false,
        memory_bytes: children.settings.memory_bytes,
        cpu_seconds: seconds.as_secs().saturating_add(2),
        file_bytes: 0,
    };
    let (spawner, itself) = (&children.spawner, &children.program);
    let ended = run(spawner, itself, &program, Vec::new(), MOST_OUTPUT, until).await;
    match ended {
        Ok(ended) => made(helper, ended),
        Err(RunFailure::Io(error)) => Err(ExtractFailure::Io(error)),
        Err(RunFailure::Time) => Err(ExtractFailure::TimeLimit {
            seconds: seconds.as_secs(),
            pages_done: 0,
            pages: 0,
        }),
        Err(error @ RunFailure::TooMuch(_)) => Err(ExtractFailure::Crashed {
            status: format!("{}: {error}", helper.program),
        }),
    }
}

/// Programs are called with text, so a path must be some.
fn arguments(helper: &Helper, document: &Path) -> io::Result<Vec<String>> {
    let document = document
        .to_str()
        .ok_or_else(|| io::Error::other("the path of the document is not UTF-8"))?;
    let argument = |of: &&str| if *of == Helper::FILE { document } else { of }.to_owned();
    Ok(helper.arguments.iter().map(argument).collect())
}

/// What a program wrote, when it ended well.
fn made(helper: &Helper, ended: Run) -> Result<Vec<u8>, ExtractFailure> {
    let complaint = String::from_utf8_lossy(&ended.complaint);
    if ended.status.success() && !ended.output.trim_ascii().is_empty() {
        return Ok(ended.output);
    }
    if ended.status.code() == Some(NOT_STARTED.into()) {
        return Err(ExtractFailure::Io(io::Error::other(
            complaint.trim().to_owned(),
        )));
    }
    if ended.status.signal().is_some() {
        return Err(ExtractFailure::Crashed {
            status: format!("{} ended with {}", helper.program, ended.status),
        });
    }
    Err(ExtractFailure::Refused(
        if complaint.to_ascii_lowercase().contains("encrypted") {
            ExtractError::Encrypted
        } else {
            ExtractError::Damaged {
                detail: format!("{} finds no text in it", helper.program),
            }
        },
    ))
}

/// The text of what a program made, by a child of ours: nobody has vouched for it either.
async fn told(
    children: &ExtractionChild,
    format: Format,
    made: Vec<u8>,
    deadline: Deadline,
    on_page: impl FnMut(PageProgress),
) -> Result<Extraction, ExtractFailure> {
    let handover = Handover::new(Task::ReadHelped(format), "", "", made.len() as u64);
    let session = children
        .hand_over(&handover, io::Cursor::new(made), deadline)
        .await
        .map_err(ExtractFailure::Io)?;
    session.run(on_page).await
}
