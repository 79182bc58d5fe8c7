//! `audit …`: the audit trail on the command line, straight from the database, also while no
//! gateway runs. One subcommand a file; a new one is a line here and a line in [`run`].

mod ask;
mod export;
mod list;

use super::CliError;
use crate::config::Settings;
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
    /// Write the audit trail as JSON Lines or CSV.
    Export(export::ExportArgs),
}

pub(super) async fn run(args: AuditArgs, settings: Settings) -> Result<ExitCode, CliError> {
    match args.what {
        What::List(args) => list::run(args, &settings).await,
        What::Export(args) => export::run(args, &settings).await,
    }
}
