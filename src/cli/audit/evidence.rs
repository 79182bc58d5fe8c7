//! `audit evidence`: fetches an evidence pack from a running gateway.

use super::super::config::print;
use super::super::{CliError, ServerAddress};
use crate::config::Settings;
use futures::StreamExt;
use reqwest::StatusCode;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

/// To connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Longest time without a byte of the answer: making a pack comes before its first.
const READ_LIMIT: Duration = Duration::from_mins(10);

/// Of which document, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct EvidenceArgs {
    /// The document.
    id: Uuid,
    /// Where to. A file that is there is not overwritten.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Why it is asked for; kept in the audit trail and in the pack.
    #[arg(long)]
    reason: Option<String>,
}

pub(super) async fn run(args: EvidenceArgs, settings: &Settings) -> Result<ExitCode, CliError> {
    let server = ServerAddress::find(settings)?;
    let asking = |e| CliError::failed(format!("asking {} for the evidence", server.base_url), e);
    let client = server
        .trust
        .http()
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(READ_LIMIT)
        .build()
        .map_err(asking)?;
    let answer = client
        .get(format!(
            "{}/api/v1/documents/{}/evidence",
            server.base_url, args.id
        ))
        .query(&args.reason.as_ref().map(|reason| [("reason", reason)]))
        .header("x-api-key", server.api_key.reveal())
        .send()
        .await
        .map_err(asking)?;
    let status = answer.status();
    if status != StatusCode::OK {
        let said = answer.text().await.map_err(asking)?;
        return Err(CliError::Message(format!(
            "the gateway answered {status}: {said}"
        )));
    }
    let written = write(&args.output, answer).await;
    if written.is_err() && !matches!(&written, Err(Written::Making(_))) {
        // Half a pack is none.
        let _gone = std::fs::remove_file(&args.output);
    }
    let name = args.output.display();
    let size = written.map_err(|e| CliError::failed(format!("writing {name}"), e))?;
    print(&format!(
        "{size} bytes written to {name}; check them with: kmrl-gateway audit verify {name} --key VKEY"
    ));
    Ok(ExitCode::SUCCESS)
}

/// Why a pack was not written.
#[derive(Debug, thiserror::Error)]
enum Written {
    #[error("making the file")]
    Making(#[source] std::io::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("the gateway stopped sending")]
    Answer(#[from] reqwest::Error),
}

async fn write(path: &Path, answer: reqwest::Response) -> Result<u64, Written> {
    let file = tokio::fs::File::create_new(path).await;
    let mut file = file.map_err(Written::Making)?;
    let mut size = 0;
    let mut pieces = answer.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        file.write_all(&piece).await?;
        size += piece.len() as u64;
    }
    file.sync_all().await?;
    Ok(size)
}
