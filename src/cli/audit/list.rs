//! `audit list`: entries of the audit trail as lines for people.

use super::super::{CliError, config::print};
use super::ask::AskArgs;
use crate::app;
use crate::audit::{cursor, parse_cursor};
use crate::config::Settings;
use kmrl_projections::query::AuditRow;
use std::process::ExitCode;
use time::format_description::well_known::Rfc3339;

/// Which entries, and how many.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=1000))]
    limit: i64,
    /// Go on after a page: the cursor that it ended with.
    #[arg(long)]
    cursor: Option<String>,
    /// Print each entry as a JSON object on a line of its own.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: ListArgs, settings: &Settings) -> Result<ExitCode, CliError> {
    let asked = args.ask.check()?;
    let no_cursor = || CliError::Message("the cursor is none that was given out".into());
    let from = args.cursor.as_deref();
    let from = from.map(|text| parse_cursor(text).ok_or_else(no_cursor));
    let from = from.transpose()?;
    let tools = app::audit_tools(settings).await?;
    args.ask.record(&tools, "audit").await?;
    let read = tools
        .read
        .audit(&asked.filter, asked.order, from, args.limit + 1);
    let mut entries = read
        .await
        .map_err(|e| CliError::failed("reading the audit trail", e))?;
    let size = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let more = entries.len() > size;
    entries.truncate(size);
    for entry in &entries {
        if args.json {
            let line = serde_json::to_string(entry);
            print(&line.map_err(|e| CliError::failed("writing an entry", e))?);
        } else {
            print(&line(entry));
        }
    }
    if let Some(last) = entries.last().filter(|_| more && !args.json) {
        print(&format!("more: --cursor {}", cursor(last.key())));
    }
    tools.close().await;
    Ok(ExitCode::SUCCESS)
}

fn line(entry: &AuditRow) -> String {
    let mut text = format!(
        "{:>8}.{:<2} {} {:<18} {:<18} {:<9}",
        entry.position,
        entry.index,
        entry.at.format(&Rfc3339).unwrap_or_default(),
        entry.actor,
        entry.action,
        entry.outcome
    );
    if let Some(id) = entry.document_id {
        text.push_str(&format!(" {id}"));
        if let Some(version) = entry.version {
            text.push_str(&format!(" v{version}"));
        }
    }
    for (name, value) in [
        ("problem", &entry.problem),
        ("from", &entry.address),
        ("reason", &entry.reason),
    ] {
        if let Some(value) = value {
            text.push_str(&format!(" {name}={value}"));
        }
    }
    text
}
