//! `audit export`: the audit trail as JSON Lines or CSV, to a file or to standard output.

use super::super::CliError;
use super::ask::AskArgs;
use super::export_log;
use crate::app;
use crate::audit::{Export, Exporter};
use crate::config::Settings;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Which entries, in which form, to where.
#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// How they are written.
    #[arg(long, value_enum)]
    format: Form,
    /// Where to; standard output when absent, but for a log. A file that is there is not overwritten.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// In which form.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Form {
    /// The audit trail, one JSON object a line.
    Jsonl,
    /// The audit trail by RFC 4180, with a header.
    Csv,
    /// The whole log up to its newest checkpoint, for `audit verify FILE`. Takes no filter.
    Log,
}

pub(super) async fn run(args: ExportArgs, settings: &Settings) -> Result<ExitCode, CliError> {
    let asked = args.ask.check()?;
    let format = match args.format {
        Form::Jsonl => Export::Jsonl,
        Form::Csv => Export::Csv,
        Form::Log => {
            let output = args.output.as_deref().ok_or_else(|| {
                CliError::Message("a log is written to a file: give --output".into())
            })?;
            let tools = app::audit_tools(settings).await?;
            args.ask.record(&tools, "log_export").await?;
            tools.close().await;
            return export_log::run(output, settings).await;
        }
    };
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(BufWriter::new(File::create_new(path).map_err(|e| {
            CliError::failed(format!("making the file {}", path.display()), e)
        })?)),
        None => Box::new(std::io::stdout().lock()),
    };
    let tools = app::audit_tools(settings).await?;
    args.ask.record(&tools, "audit_export").await?;
    let reading = |e| CliError::failed("reading the audit trail", e);
    let read = tools.read.clone();
    let begun = Exporter::begin(read, asked.filter, asked.order, format, None).await;
    let mut exporter = begun.map_err(reading)?;
    let bar = bar()?;
    while let Some((text, rows)) = exporter.next().await.map_err(reading)? {
        match out.write_all(text.as_bytes()) {
            // Whoever reads has read enough.
            Err(e) if e.kind() == ErrorKind::BrokenPipe => break,
            written => written.map_err(|e| CliError::failed("writing the export", e))?,
        }
        bar.inc(rows as u64);
    }
    match out.flush() {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            return Err(CliError::failed("writing the export", e));
        }
        _ => bar.finish(),
    }
    tools.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Drawn on standard error, and only on a terminal.
fn bar() -> Result<ProgressBar, CliError> {
    let style = ProgressStyle::with_template("{spinner} {pos} entries, {per_sec}, {elapsed}")
        .map_err(|e| CliError::failed("making the progress bar", e))?;
    Ok(ProgressBar::new_spinner().with_style(style))
}
