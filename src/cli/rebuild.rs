//! `rebuild NAME`: fills a projection anew beside the live one and swaps, with a progress bar.

use super::CliError;
use crate::app;
use crate::config::Settings;
use indicatif::{ProgressBar, ProgressStyle};
use std::process::ExitCode;

/// Which projection.
#[derive(Debug, clap::Args)]
pub(super) struct RebuildArgs {
    /// Its name, or `all`.
    #[arg(value_parser = names())]
    name: String,
    /// Go back to the generation before the last rebuild instead.
    #[arg(long)]
    rollback: bool,
}

fn names() -> clap::builder::PossibleValuesParser {
    let names: Vec<&'static str> = kmrl_projections::NAMES.into_iter().chain(["all"]).collect();
    clap::builder::PossibleValuesParser::new(names)
}

pub(super) async fn run(args: RebuildArgs, settings: Settings) -> Result<ExitCode, CliError> {
    let projector = app::projector_for_tools(&settings).await?;
    let names: Vec<&str> = if args.name == "all" {
        kmrl_projections::NAMES.to_vec()
    } else {
        vec![args.name.as_str()]
    };
    for name in names {
        if args.rollback {
            projector
                .rollback(name)
                .await
                .map_err(|e| CliError::failed(format!("rolling back {name}"), e))?;
            super::config::print(&format!("{name}: back to the generation before"));
            continue;
        }
        let bar = bar(name)?;
        let report = projector
            .rebuild(name, &mut |done, head| {
                bar.set_length(u64::try_from(head).unwrap_or(0));
                bar.set_position(u64::try_from(done).unwrap_or(0));
            })
            .await
            .map_err(|e| CliError::failed(format!("rebuilding {name}"), e))?;
        bar.finish_and_clear();
        super::config::print(&format!(
            "{name}: generation {} is live at position {}, {} events parked",
            report.generation, report.position, report.parked
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn bar(name: &str) -> Result<ProgressBar, CliError> {
    let style = ProgressStyle::with_template(
        "{prefix} [{bar:40}] {pos}/{len} events, {per_sec}, {eta} left",
    )
    .map_err(|e| CliError::failed("making the progress bar", e))?;
    Ok(ProgressBar::new(0)
        .with_style(style)
        .with_prefix(name.to_owned()))
}
