//! `health`: is the gateway ready? For container health checks; needs no key.

use super::trust::Trust;
use super::{CliError, ServerAddress};
use crate::config::Settings;
use std::process::ExitCode;

/// Asks `/health/ready` and prints its answer.
pub(super) async fn run(settings: &Settings) -> Result<ExitCode, CliError> {
    let url = format!("{}/health/ready", ServerAddress::base_url(settings));
    // On this machine a certificate proves nothing that matters here, while one that was replaced by a
    // broken one, and is served no more from its file, must not make the gateway look unwell.
    let trust = match settings.client.server {
        Some(_) => Trust::of(settings, None)?,
        None => Trust::anybody()?,
    };
    let asking = |e| CliError::failed(format!("asking {url}"), e);
    let client = trust.http().build().map_err(asking)?;
    let answer = client.get(&url).send().await.map_err(asking)?;
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
