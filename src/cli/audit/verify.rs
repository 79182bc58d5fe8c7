//! `audit verify`: checks the live log, or one in a file or an evidence pack without any server.

use super::super::CliError;
use super::super::config::print;
use super::{bar, verify_pack};
use crate::app;
use crate::config::Settings;
use crate::notary::verify::verify_live;
use crate::notary::{registered_key, stored_key};
use crate::proof::checkpoint::Checkpoint;
use crate::proof::export::FileCheck;
use crate::proof::note::VerifyingKey;
use crate::proof::scan::Finding;
use indicatif::ProgressBar;
use serde::Serialize;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Longest line of a file, in bytes.
const LONGEST_LINE: u64 = 64 << 20;

/// What to check.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct VerifyArgs {
    /// A file written by `audit export --format log`, or an evidence pack. Absent: the live log.
    file: Option<PathBuf>,
    /// File with the newest signed checkpoint known, so that a cut-off end of FILE is found.
    #[arg(long, value_name = "NOTE", requires = "file")]
    checkpoint: Option<PathBuf>,
    /// The log's public key, or a file with it. Needed for a log in FILE; a pack is checked with
    /// its own when absent, which proves less. For the live log the one that belongs to the
    /// signing key's file, else the registered one.
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: VerifyArgs, settings: &Settings) -> Result<ExitCode, CliError> {
    let key = args.key.as_deref().map(read_key).transpose()?;
    if let Some(file) = args.file {
        if verify_pack::is_pack(&file)? {
            if args.checkpoint.is_some() {
                let what =
                    "an evidence pack is checked with its own checkpoint: leave --checkpoint out";
                return Err(CliError::Message(what.into()));
            }
            let check = move || verify_pack::run(&file, key.as_ref(), args.json);
            return tokio::task::spawn_blocking(check)
                .await
                .map_err(|e| CliError::failed("checking the pack", e))?;
        }
        let key = key.ok_or_else(|| {
            CliError::Message("a file is checked with a key from elsewhere: give --key".into())
        })?;
        let check = move || offline(&file, args.checkpoint.as_deref(), key, args.json);
        return tokio::task::spawn_blocking(check)
            .await
            .map_err(|e| CliError::failed("checking the file", e))?;
    }
    let (pool, blobs) = app::stores_for_tools(settings).await?;
    let failed = |e| CliError::failed("finding the log's key", e);
    let key = match key {
        Some(key) => Some(key),
        None => match stored_key(&settings.notary.key_file).map_err(failed)? {
            Some(key) => Some(key.verifying()),
            None => registered_key(&pool).await.map_err(failed)?,
        },
    };
    let key = key.ok_or_else(|| {
        CliError::Message("the log has no key: no checkpoint of it was ever signed".into())
    })?;
    let bar = bar("entries")?;
    let report = verify_live(&pool, blobs, &key, &mut |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    })
    .await
    .map_err(|e| CliError::failed("checking the log", e))?;
    bar.finish_and_clear();
    let summary = format!(
        "{} entries, {} of them proven by {} checkpoints, {} private parts fit",
        report.entries, report.proven, report.checkpoints, report.private_parts
    );
    tell(&report, &summary, &report.root, &report.findings, args.json)
}

/// Checks a file; reads it once, line by line.
fn offline(
    file: &Path,
    checkpoint: Option<&Path>,
    key: VerifyingKey,
    json: bool,
) -> Result<ExitCode, CliError> {
    let given = checkpoint
        .map(|path| read_checkpoint(path, &key))
        .transpose()?;
    let name = file.display().to_string();
    let failed = |e: std::io::Error| CliError::failed(format!("reading {name}"), e);
    let opened = File::open(file).map_err(failed)?;
    let bar = bar("bytes")?;
    bar.set_length(opened.metadata().map_err(failed)?.len());
    let mut check = FileCheck::new(key, given);
    each_line(opened, &bar, &name, |line| {
        check
            .line(line)
            .map_err(|e| CliError::failed(format!("checking {name}"), e))
    })?;
    bar.finish_and_clear();
    let report = check.finish();
    let summary = format!(
        "{} entries, {} of them proven by {} checkpoints",
        report.entries, report.proven, report.checkpoints
    );
    tell(&report, &summary, &report.root, &report.findings, json)
}

fn each_line(
    file: File,
    bar: &ProgressBar,
    name: &str,
    mut take: impl FnMut(&str) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut line = String::new();
    loop {
        line.clear();
        let read = reader
            .by_ref()
            .take(LONGEST_LINE)
            .read_line(&mut line)
            .map_err(|e| CliError::failed(format!("reading {name}"), e))?;
        if read == 0 {
            return Ok(());
        }
        bar.inc(read as u64);
        take(line.trim_end_matches('\n'))?;
    }
}

fn tell(
    report: &impl Serialize,
    summary: &str,
    root: &str,
    findings: &[Finding],
    json: bool,
) -> Result<ExitCode, CliError> {
    if json {
        let text = serde_json::to_string_pretty(report)
            .map_err(|e| CliError::failed("writing the report", e))?;
        print(&text);
    } else {
        print(&format!("{summary}\nroot {root}"));
        for finding in findings {
            print(&format!("  {finding}"));
        }
        print(match findings {
            [] => "the log is as it was signed",
            _ => "THE LOG IS NOT AS IT WAS SIGNED; the first entry concerned stands first",
        });
    }
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn read_key(text: &str) -> Result<VerifyingKey, CliError> {
    let failed = |e| CliError::failed("reading the log's public key", e);
    match VerifyingKey::parse(text) {
        Ok(key) => Ok(key),
        Err(_) if Path::new(text).is_file() => {
            let kept = std::fs::read_to_string(text)
                .map_err(|e| CliError::failed(format!("reading {text}"), e))?;
            VerifyingKey::parse(&kept).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

fn read_checkpoint(path: &Path, key: &VerifyingKey) -> Result<Checkpoint, CliError> {
    let name = path.display().to_string();
    let note = std::fs::read_to_string(path)
        .map_err(|e| CliError::failed(format!("reading {name}"), e))?;
    Checkpoint::open(&note, key)
        .map_err(|e| CliError::failed(format!("reading the checkpoint {name}"), e))
}
