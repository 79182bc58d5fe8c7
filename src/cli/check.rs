//! `check`: compares everything with the log; exit code 1 when something differs and was not mended.

use super::CliError;
use super::config::print;
use crate::app;
use crate::check::CheckReport;
use crate::config::Settings;
use indicatif::{ProgressBar, ProgressStyle};
use std::process::ExitCode;
use std::time::Duration;

/// How thorough.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// Mend what is safe to mend: read models, jobs, versions of streams, orphans.
    #[arg(long)]
    repair: bool,
    /// Read and hash every document's bytes.
    #[arg(long)]
    deep: bool,
    /// Age in seconds from which an object that no event names is an orphan; else the setting.
    #[arg(long, value_name = "SECONDS")]
    grace: Option<u64>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: CheckArgs, mut settings: Settings) -> Result<ExitCode, CliError> {
    if let Some(seconds) = args.grace {
        settings.orphans.grace = Duration::from_secs(seconds);
    }
    let tools = app::tools(&settings).await?;
    let spinner = spinner()?;
    let check = tools.check(args.deep, args.repair);
    let report = check.run(&|what| spinner.set_message(what)).await;
    spinner.finish_and_clear();
    tools.close().await;
    let report = report.map_err(|e| CliError::failed("checking", e))?;
    if args.json {
        let text = serde_json::to_string_pretty(&report);
        print(&text.map_err(|e| CliError::failed("writing JSON", e))?);
    } else {
        print(&table(&report));
    }
    Ok(match report.is_well() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn spinner() -> Result<ProgressBar, CliError> {
    let style = ProgressStyle::with_template("{spinner} {msg}")
        .map_err(|e| CliError::failed("making the progress bar", e))?;
    let spinner = ProgressBar::new_spinner().with_style(style);
    spinner.enable_steady_tick(Duration::from_millis(200));
    Ok(spinner)
}

fn table(report: &CheckReport) -> String {
    let mut lines = vec![format!("log at position {}", report.position)];
    for checked in &report.checked {
        let of = |d: &&crate::check::Difference| d.area == checked.area;
        let found = report.differences.iter().filter(of).count();
        lines.push(format!(
            "{:<12} {:>10} checked, {found} differ",
            checked.area, checked.count
        ));
    }
    for difference in &report.differences {
        let mended = if difference.repaired { "mended: " } else { "" };
        lines.push(format!(
            "  {mended}{}: {} ({})",
            difference.area, difference.problem, difference.subject
        ));
    }
    lines.join("\n")
}
