//! `audit …`: what an auditor does, straight from the database, also while no gateway runs: asks the
//! audit trail, takes it or the whole log along, checks that nothing was changed. Only evidence packs
//! come from a running gateway. One subcommand a
//! file; a new one is a line here and a line in [`run`].

mod ask;
mod evidence;
mod export;
mod export_log;
mod list;
mod verify;
mod verify_pack;

use super::CliError;
use crate::config::Settings;
use indicatif::{ProgressBar, ProgressStyle};
use std::process::ExitCode;

/// What to do with the audit trail.
#[derive(Debug, clap::Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print entries of the audit trail, the newest first.
    List(list::ListArgs),
    /// Write the audit trail as JSON Lines or CSV, or the whole log in a form that can be checked
    /// without a server.
    Export(export::ExportArgs),
    /// Fetch a document with its history from a running gateway, in a file that proves itself.
    Evidence(evidence::EvidenceArgs),
    /// Check that nothing in the log, or in an evidence pack, was altered, removed, inserted,
    /// reordered or cut off.
    Verify(verify::VerifyArgs),
}

pub(super) async fn run(args: AuditArgs, settings: Settings) -> Result<ExitCode, CliError> {
    match args.what {
        What::List(args) => list::run(args, &settings).await,
        What::Export(args) => export::run(args, &settings).await,
        What::Evidence(args) => evidence::run(args, &settings).await,
        What::Verify(args) => verify::run(args, &settings).await,
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
