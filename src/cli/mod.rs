//! The command line: one subcommand a file. Parses, calls, prints; decides nothing else.

mod asking;
mod audit;
mod blocked;
mod check;
mod config;
mod dead_letters;
mod extract;
mod health;
mod keys;
mod rebuild;
mod search;
mod serve;
mod server;
mod trust;
pub mod upload;
pub mod watch;

use crate::config::{ConfigError, SettingFlags, Settings};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

pub use server::ServerAddress;

/// Document gateway of Kochi Metro Rail.
#[derive(Debug, Parser)]
#[command(name = "kmrl-gateway", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    settings: SettingFlags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything in one process, with embedded PostgreSQL and NATS where none are given.
    Up,
    /// Run all or some roles on given PostgreSQL, NATS and documents.
    Serve(serve::ServeArgs),
    /// Bring the database to this version's schema, and end.
    Migrate,
    /// Print the text of files, read as a worker would.
    Extract(extract::ExtractArgs),
    /// Upload files or folders to a running gateway.
    Upload(upload::UploadArgs),
    /// Find documents in a running gateway by what they say.
    Search(search::SearchArgs),
    /// Follow what happens in a running gateway.
    Watch(watch::WatchArgs),
    /// Fill a projection anew beside the live one and swap.
    Rebuild(rebuild::RebuildArgs),
    /// Compare everything that is kept with the log, and mend it.
    Check(check::CheckArgs),
    /// Show what was given up on, and try it again.
    DeadLetters(dead_letters::DeadLettersArgs),
    /// Ask the audit trail: who did, saw or tried what.
    Audit(audit::AuditArgs),
    /// Issue, list, rotate and revoke API keys of a running gateway.
    Keys(keys::KeysArgs),
    /// Addresses that a running gateway refuses for a while.
    Blocked(blocked::BlockedArgs),
    /// Show or check the settings.
    Config(config::ConfigArgs),
    /// Print the OpenAPI document.
    Openapi,
    /// Print the AsyncAPI document, of the WebSocket and the stream of events.
    Asyncapi,
    /// Ask a running gateway whether it is ready (exit code 0) or not (1).
    Health,
    /// What an extraction process runs. Started by workers only.
    #[command(hide = true)]
    ExtractChild,
    /// What becomes another program inside the jail. Started by workers only.
    #[command(hide = true)]
    JailedProgram,
    /// Tries what the jail refuses. Started inside of it only.
    #[command(hide = true)]
    JailProbe,
}

/// Why a subcommand ended badly.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Settings that cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A part that did not start or failed.
    #[error(transparent)]
    App(#[from] crate::app::AppError),
    /// Something said in words.
    #[error("{0}")]
    Message(String),
    /// A failed operation.
    #[error("{operation}")]
    Failed {
        /// What was tried.
        operation: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl CliError {
    /// A failed operation with its cause.
    pub fn failed(
        operation: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Failed {
            operation: operation.into(),
            source: source.into(),
        }
    }
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    // Children come before everything: they must not parse settings or open anything.
    let first = std::env::args_os().nth(1);
    match first.as_deref().and_then(|word| word.to_str()) {
        Some(crate::extraction_child::SUBCOMMAND) => return crate::extraction_child::child_main(),
        Some(crate::jail::PROGRAM_SUBCOMMAND) => return crate::jail::program_main(),
        Some(crate::jail::PROBE_SUBCOMMAND) => return crate::jail::probe_main(),
        _ => {}
    }
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the last word of a command goes to the terminal"
)]
fn report(error: &dyn std::error::Error) {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(e) = cause {
        eprintln!("  because: {e}");
        cause = e.source();
    }
}

fn run(cli: Cli) -> Result<ExitCode, CliError> {
    if let Command::Config(args) = &cli.command {
        return config::run(args, &cli.settings);
    }
    if let Command::Openapi = &cli.command {
        return config::openapi();
    }
    if let Command::Asyncapi = &cli.command {
        return config::asyncapi();
    }
    let reader = cli.settings.reader()?;
    let warnings = reader.warnings().to_vec();
    let settings = Settings::read(reader)?;
    crate::logs::init(&settings.log);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| CliError::failed("starting the runtime", e))?;
    runtime.block_on(dispatch(cli.command, settings, &cli.settings))
}

async fn dispatch(
    command: Command,
    settings: Settings,
    flags: &SettingFlags,
) -> Result<ExitCode, CliError> {
    match command {
        Command::Up => serve::up(settings, flags).await,
        Command::Serve(args) => serve::serve(args, settings, flags).await,
        Command::Migrate => serve::migrate(settings).await,
        Command::Extract(args) => extract::run(args, &settings).await,
        Command::Upload(args) => upload::run(args, &ServerAddress::find(&settings)?).await,
        Command::Search(args) => search::run(args, &ServerAddress::find(&settings)?).await,
        Command::Watch(args) => watch::run(args, &ServerAddress::find(&settings)?).await,
        Command::Rebuild(args) => rebuild::run(args, settings).await,
        Command::Check(args) => check::run(args, settings).await,
        Command::DeadLetters(args) => dead_letters::run(args, settings).await,
        Command::Audit(args) => audit::run(args, settings).await,
        Command::Keys(args) => keys::run(args, &ServerAddress::find(&settings)?).await,
        Command::Blocked(args) => blocked::run(args, &ServerAddress::find(&settings)?).await,
        Command::Health => health::run(&settings).await,
        // Handled before the settings were read.
        Command::Config(_)
        | Command::Openapi
        | Command::Asyncapi
        | Command::ExtractChild
        | Command::JailedProgram
        | Command::JailProbe => Ok(ExitCode::SUCCESS),
    }
}

/// Who gives a command at this terminal, as kept with events: the name that the system has for
/// whoever runs the program.
fn operator() -> String {
    let name = ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|variable| std::env::var(variable).ok())
        .filter(|name| {
            name.chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        })
        .unwrap_or_else(|| "operator".into());
    format!("cli:{name}")
}
