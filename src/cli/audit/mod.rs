//! `audit …`: what an auditor does: check that the log was not changed, take it along.

mod export_log;
mod verify;

use super::CliError;
use crate::config::Settings;
use indicatif::{ProgressBar, ProgressStyle};
use std::process::ExitCode;

/// What to do.
#[derive(Debug, clap::Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuditCommand {
    /// Check that nothing in the log was altered, removed, inserted, reordered or cut off.
    Verify(verify::VerifyArgs),
    /// Write the log to a file that can be checked without a server.
    Export(export_log::ExportArgs),
}

pub(super) async fn run(args: AuditArgs, settings: Settings) -> Result<ExitCode, CliError> {
    match args.command {
        AuditCommand::Verify(args) => verify::run(args, &settings).await,
        AuditCommand::Export(args) => export_log::run(args, &settings).await,
    }
}

/// A bar over so many of something; nothing is drawn where there is no terminal.
fn bar(what: &str) -> Result<ProgressBar, CliError> {
    let template =
        format!("[{{bar:40}}] {{human_pos}}/{{human_len}} {what}, {{per_sec}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template)
        .map_err(|e| CliError::failed("making the progress bar", e))?;
    Ok(ProgressBar::new(0).with_style(style))
}
