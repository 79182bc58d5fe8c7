//! `audit verify PACK`: checks an evidence pack without any server.

use super::super::CliError;
use super::super::config::print;
use crate::evidence::{Content, MAGIC, Report, verify};
use crate::proof::note::VerifyingKey;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::ExitCode;

/// Whether a file begins as packs do.
pub(super) fn is_pack(path: &Path) -> Result<bool, CliError> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|f| f.take(MAGIC.len() as u64).read_to_end(&mut start));
    read.map_err(|e| CliError::failed(format!("reading {}", path.display()), e))?;
    Ok(start == MAGIC)
}

pub(super) fn run(
    path: &Path,
    key: Option<&VerifyingKey>,
    json: bool,
) -> Result<ExitCode, CliError> {
    let failed = |e: std::io::Error| CliError::failed(format!("reading {}", path.display()), e);
    let file = BufReader::new(File::open(path).map_err(failed)?);
    let report = verify(file, key)
        .map_err(|e| CliError::failed(format!("checking {}", path.display()), e))?;
    if json {
        let text = serde_json::to_string_pretty(&report)
            .map_err(|e| CliError::failed("writing the report", e))?;
        print(&text);
    } else {
        tell(&report);
    }
    Ok(if report.findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn tell(report: &Report) {
    let id = report.document_id.unwrap_or_default();
    print(&format!(
        "document {id}, as of position {} of the log {} ({} entries)",
        report.position, report.log, report.size
    ));
    print(&format!(
        "{} events, {} records of access, {} private parts; {} entries proven; {} files",
        report.events, report.records, report.private_parts, report.proven, report.files
    ));
    match report.content {
        Some(Content::Withdrawn) => {
            print("it was withdrawn: the pack has its history, not its content")
        }
        Some(Content::Quarantined) => {
            print("it was in quarantine: the pack has its history, not its content")
        }
        Some(Content::Erased) => print("it was erased: the pack has its history, not its content"),
        _ => {}
    }
    for finding in &report.findings {
        print(&format!("  {finding}"));
    }
    print(match &report.findings[..] {
        [] => "the pack is as it was sealed, and all in it is proven",
        _ => "THE PACK IS NOT GENUINE",
    });
    if !report.key_was_given {
        print(&format!(
            "WARNING: checked only with the key inside the pack, which anybody can make. Whether it \
             is of your log is known once you give that log's key with --key. Inside is {}",
            report.vkey
        ));
    }
}
