//! `dead-letters list|replay`: what was given up on, and trying it again.

use super::CliError;
use super::config::print;
use crate::app;
use crate::config::Settings;
use crate::dead_letters::{DeadLetters, LetterId};
use crate::event_store::CommandMetadata;
use std::process::ExitCode;

/// Letters read together.
const PAGE: i64 = 500;

/// What to do.
#[derive(Debug, clap::Args)]
pub(super) struct DeadLettersArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show what was given up on, why, and what to do.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Try again: a document is processed once more, a read model is rebuilt beside the live one.
    Replay {
        /// Ids, as listed.
        #[arg(required_unless_present = "all")]
        ids: Vec<LetterId>,
        /// All that are listed now.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
}

pub(super) async fn run(args: DeadLettersArgs, settings: Settings) -> Result<ExitCode, CliError> {
    let tools = app::tools(&settings).await?;
    let letters = tools.dead_letters();
    let result = match args.command {
        Command::List { json } => list(&letters, json).await,
        Command::Replay { ids, all: false } => replay(&letters, ids).await,
        Command::Replay { .. } => {
            let listed = all(&letters).await?;
            let ids = listed.iter().filter_map(|l| l.id.parse().ok());
            replay(&letters, ids.collect()).await
        }
    };
    tools.close().await;
    result
}

async fn all(letters: &DeadLetters) -> Result<Vec<crate::dead_letters::DeadLetter>, CliError> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = letters.list(before, PAGE).await;
        let page = page.map_err(|e| CliError::failed("listing dead letters", e))?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        before = Some(last.position);
        found.extend(page);
    }
}

async fn list(letters: &DeadLetters, json: bool) -> Result<ExitCode, CliError> {
    for letter in all(letters).await? {
        if json {
            let line = serde_json::to_string(&letter);
            print(&line.map_err(|e| CliError::failed("writing JSON", e))?);
        } else {
            print(&format!(
                "{}\n  {}\n  {}",
                letter.id, letter.error, letter.explanation
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn replay(letters: &DeadLetters, ids: Vec<LetterId>) -> Result<ExitCode, CliError> {
    let mut code = ExitCode::SUCCESS;
    for id in ids {
        let metadata = CommandMetadata {
            actor: super::operator(),
            correlation_id: format!("cli-{}", std::process::id()),
            ..CommandMetadata::default()
        };
        match letters.replay(id, metadata, &mut |_, _| {}).await {
            Ok(()) => print(&format!("{id}: replayed")),
            Err(error) => {
                code = ExitCode::FAILURE;
                print(&format!("{id}: {}", with_causes(&error)));
            }
        }
    }
    Ok(code)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
