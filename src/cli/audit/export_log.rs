//! `audit export --format log`: the log up to its newest checkpoint, in a file.

use super::super::CliError;
use super::super::config::print;
use super::bar;
use crate::app;
use crate::config::Settings;
use crate::notary::export::export_log;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::ExitCode;

pub(super) async fn run(output: &Path, settings: &Settings) -> Result<ExitCode, CliError> {
    let (pool, blobs) = app::stores_for_tools(settings).await?;
    let name = output.display().to_string();
    let failed = |e: std::io::Error| CliError::failed(format!("writing {name}"), e);
    let file = File::create_new(output).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let bar = bar("entries")?;
    let written = export_log(&pool, blobs, &mut out, &mut |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    })
    .await
    .map_err(|e| CliError::failed("exporting the log", e))?;
    let file = out.into_inner().map_err(|e| failed(e.into_error()))?;
    file.sync_all().map_err(failed)?;
    bar.finish_and_clear();
    print(&format!("{written} entries written to {name}"));
    Ok(ExitCode::SUCCESS)
}
