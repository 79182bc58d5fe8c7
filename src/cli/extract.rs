//! `extract PATH…`: the text of files on standard output, read in the jail as a worker would.
//!
//! Owns how what was read is printed, and the exit codes.

use super::CliError;
use super::upload::files;
use crate::app;
use crate::config::Settings;
use crate::ports::{ExtractFailure, ExtractRequest, Extractor};
use indicatif::{ProgressBar, ProgressStyle};
use kmrl_extraction::{Extraction, PageProgress};
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::sync::mpsc;

/// Some file was refused, for what it is or holds.
const REFUSED: u8 = 3;
/// Some file could not be read for another reason: the reader crashed, ran out of time or memory,
/// or could not be run.
const FAILED: u8 = 4;

const AFTER_HELP: &str = "\
Every file is read in a process of its own that may open nothing, reach no network and start
nothing, and is killed at jobs.hard_limit; pages without text and pictures (jpg, png, gif, bmp,
tiff, webp) are recognised by tesseract in a jail as well. No server, database or data folder is
needed.

Text is printed page by page with form feeds between pages; of several files, each after a line
`==> PATH <==`. With --json, an object a file: path, format, pages (number, text, origin: stated,
recognised or picture, confidence, words with their boxes in points), language, confidence, structure (what a
PDF holds beside text); or path and error (code, detail). Of several files, an object a line.
What could not be read is said on standard error, and the rest goes on.

Exit codes:
  0  every file was read
  1  nothing could be done: a folder cannot be listed, the output is closed
  2  wrong usage
  3  some file was refused: damaged, encrypted, not supported, too large, or lacking tesseract
  4  some file failed: the reader crashed, or ran out of time or memory";

/// Which files.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ExtractArgs {
    /// Files, or folders with all files in them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print everything found (pages, boxes, language, confidence, structure) as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: ExtractArgs, settings: &Settings) -> Result<ExitCode, CliError> {
    let files = files(&args.paths)?;
    let is_one = files.len() == 1;
    let mut settings = settings.clone();
    // The next is made while one is read.
    settings.jobs.extraction_ready = usize::from(!is_one);
    let extractor = app::extraction_child(&settings)?;
    let bar = bar(files.len())?;
    let mut worst = 0;
    for path in &files {
        bar.set_message(path.display().to_string());
        let read = read(&extractor, path, &settings, &bar).await;
        worst = worst.max(read.as_ref().map_or_else(severity, |_| 0));
        if let Err(failure) = &read {
            let reason = failure.reason();
            let line = format!("{}: {} ({})", path.display(), reason.detail, reason.code);
            bar.suspend(|| writeln!(io::stderr(), "{line}"))
                .map_err(|e| CliError::failed("writing to standard error", e))?;
        }
        let text = match args.json {
            true => json(path, &read, is_one)?,
            false => text(path, &read, is_one),
        };
        bar.suspend(|| io::stdout().write_all(text.as_bytes()))
            .map_err(|e| CliError::failed("writing to standard output", e))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(ExitCode::from(worst))
}

async fn read(
    extractor: &dyn Extractor,
    path: &Path,
    settings: &Settings,
    bar: &ProgressBar,
) -> Result<Extraction, ExtractFailure> {
    let name = path.file_name().unwrap_or_default();
    let request = ExtractRequest {
        path: path.to_owned(),
        content_type: String::new(),
        file_name: name.to_string_lossy().into_owned(),
        soft: settings.jobs.soft_limit,
        hard: settings.jobs.hard_limit,
    };
    let (progress, mut pages) = mpsc::channel::<PageProgress>(16);
    let shown = async {
        while let Some(page) = pages.recv().await {
            bar.set_message(format!(
                "{} (page {} of {})",
                path.display(),
                page.page,
                page.pages
            ));
        }
    };
    tokio::join!(extractor.extract(request, progress), shown).0
}

fn severity(failure: &ExtractFailure) -> u8 {
    match failure {
        ExtractFailure::Refused(_) | ExtractFailure::OcrUnavailable { .. } => REFUSED,
        _ => FAILED,
    }
}

/// On standard error, when that is a terminal.
fn bar(files: usize) -> Result<ProgressBar, CliError> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}")
        .map_err(|e| CliError::failed("setting up the progress bar", e))?;
    Ok(ProgressBar::new(files as u64).with_style(style))
}

fn text(path: &Path, read: &Result<Extraction, ExtractFailure>, is_one: bool) -> String {
    let mut text = match is_one {
        true => String::new(),
        false => format!("==> {} <==\n", path.display()),
    };
    if let Ok(extraction) = read {
        let pages: Vec<_> = extraction.pages.iter().map(|p| p.text.as_str()).collect();
        text += &pages.join("\u{000C}");
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
    }
    text
}

#[derive(Serialize)]
struct Told<'a> {
    path: String,
    #[serde(flatten)]
    extraction: Option<&'a Extraction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Reason>,
}

#[derive(Serialize)]
struct Reason {
    code: String,
    detail: String,
}

fn json(
    path: &Path,
    read: &Result<Extraction, ExtractFailure>,
    is_one: bool,
) -> Result<String, CliError> {
    let told = Told {
        path: path.display().to_string(),
        extraction: read.as_ref().ok(),
        error: read.as_ref().err().map(|failure| {
            let reason = failure.reason();
            Reason {
                code: reason.code,
                detail: reason.detail,
            }
        }),
    };
    let json = match is_one {
        true => serde_json::to_string_pretty(&told),
        false => serde_json::to_string(&told),
    };
    let json = json.map_err(|e| CliError::failed("writing JSON", e))?;
    Ok(json + "\n")
}
