//! `check`: compares everything with the log; exit code 1 when something differs and was not mended.

use super::CliError;
use super::config::print;
use crate::app;
use crate::check::CheckReport;
use crate::config::Settings;
use crate::ports::{JailReport, Protections};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::path::PathBuf;
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
    let jail = tools.jail().await;
    spinner.finish_and_clear();
    tools.close().await;
    let report = report.map_err(|e| CliError::failed("checking", e))?;
    let jail = jail.map_err(|e| CliError::failed("probing the jail", e))?;
    if args.json {
        let text = serde_json::to_string_pretty(&WithJail {
            report: &report,
            jail: jail.reader.as_ref().ok().copied(),
            programs_jail: jail.program.as_ref().ok().copied(),
            recognition_lacks: jail.recognition.as_deref(),
            helpers: &jail.helpers,
        });
        print(&text.map_err(|e| CliError::failed("writing JSON", e))?);
    } else {
        print(&table(&report));
        print(&jails(&jail));
    }
    Ok(match report.is_well() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The report with what readers may not do here, which is no difference from the log.
#[derive(serde::Serialize)]
struct WithJail<'a> {
    #[serde(flatten)]
    report: &'a CheckReport,
    jail: Option<Protections>,
    programs_jail: Option<Protections>,
    recognition_lacks: Option<&'a str>,
    helpers: &'a BTreeMap<&'static str, Option<PathBuf>>,
}

fn jails(report: &JailReport) -> String {
    let refused = |name: &str, found: &Result<Protections, String>| match found {
        Ok(found) => {
            let words = |wanted: bool| {
                let named = found.named();
                let of = named.iter().filter(|(_, refused)| *refused == wanted);
                let words: Vec<_> = of.map(|(word, _)| *word).collect();
                words.join(", ")
            };
            format!(
                "{name}: refused {}; not refused: {}",
                words(true),
                words(false)
            )
        }
        Err(error) => format!("{name}: could not be probed: {error}"),
    };
    let mut lines = vec![
        refused("jail of the reader", &report.reader),
        refused("jail of programs", &report.program),
    ];
    lines.extend(
        report
            .recognition
            .iter()
            .map(|lacks| format!("scans: {lacks}")),
    );
    lines.extend(
        report
            .helpers
            .iter()
            .map(|(format, program)| match program {
                Some(program) => format!("{format}: read by {}", program.display()),
                None => format!("{format}: not read, as no program for it is installed"),
            }),
    );
    lines.join("\n")
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
