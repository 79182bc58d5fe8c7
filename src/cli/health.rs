//! `health`: is the gateway ready? For container health checks; needs no key.

use super::CliError;
use std::process::ExitCode;

/// Asks `/health/ready` and prints its answer.
pub(super) async fn run(base_url: &str) -> Result<ExitCode, CliError> {
    let url = format!("{base_url}/health/ready");
    let answer = reqwest::get(&url)
        .await
        .map_err(|e| CliError::failed(format!("asking {url}"), e))?;
    let ready = answer.status().is_success();
    let text = answer
        .text()
        .await
        .map_err(|e| CliError::failed("reading the answer", e))?;
    super::config::print(&text);
    Ok(if ready {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
