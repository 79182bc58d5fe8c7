//! `extract FILE`: the text of one file on standard output, read in a process of its own as a
//! worker would.

use super::CliError;
use crate::adapters::extraction_child::ExtractionChild;
use crate::config::Settings;
use crate::ports::{ExtractRequest, Extractor};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::sync::mpsc;

/// Which file.
#[derive(Debug, clap::Args)]
pub(super) struct ExtractArgs {
    /// The file to read.
    file: PathBuf,
    /// Print everything found (pages, language, confidence, structure) as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: ExtractArgs, settings: &Settings) -> Result<ExitCode, CliError> {
    let file_name = args
        .file
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let extractor = ExtractionChild::new(settings.jobs.extraction_memory)
        .map_err(|e| CliError::failed("finding this program", e))?;
    let request = ExtractRequest {
        path: args.file.clone(),
        content_type: String::new(),
        file_name,
        soft: settings.jobs.soft_limit,
        hard: settings.jobs.hard_limit,
    };
    let (progress, _ignored) = mpsc::channel(1);
    let extraction = extractor
        .extract(request, progress)
        .await
        .map_err(|e| CliError::failed(format!("extracting {}", args.file.display()), e))?;
    if args.json {
        let json = serde_json::to_string_pretty(&extraction)
            .map_err(|e| CliError::failed("writing JSON", e))?;
        super::config::print(&json);
    } else {
        for page in &extraction.pages {
            super::config::print(&page.text);
        }
    }
    Ok(ExitCode::SUCCESS)
}
