//! Asks a running gateway for something small, and tells its problems as people read them.

use super::{CliError, ServerAddress};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use std::time::Duration;

/// Longest that an answer may take: a revocation waits until every process knows it.
const LIMIT: Duration = Duration::from_secs(30);

/// A running gateway.
pub(super) struct Asking<'a> {
    client: Client,
    server: &'a ServerAddress,
}

impl<'a> Asking<'a> {
    pub(super) fn new(server: &'a ServerAddress) -> Result<Self, CliError> {
        let client = server.trust.http().timeout(LIMIT).build();
        let client = client.map_err(|e| CliError::failed("preparing the request", e))?;
        Ok(Self { client, server })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.base_url)
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, CliError> {
        self.ask(self.client.get(self.url(path))).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        self.ask(self.client.post(self.url(path)).json(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Value, CliError> {
        self.ask(self.client.delete(self.url(path))).await
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Value, CliError> {
        let request = request.header("x-api-key", self.server.api_key.reveal());
        let failed = |e| CliError::failed("asking the gateway", e);
        let answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(failed)?;
        // Nothing, or something else than JSON, says no more than the status.
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        let why = body["detail"].as_str().or(body["title"].as_str());
        let why = why.map_or_else(|| format!("the gateway answered {status}"), str::to_owned);
        Err(CliError::Message(why))
    }
}
