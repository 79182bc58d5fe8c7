//! Where the running gateway is, for subcommands that talk to it.

use super::CliError;
use crate::config::{Secret, Settings};
use crate::{admin_key, engines};

/// Address and key of a running gateway.
#[derive(Clone, Debug)]
pub struct ServerAddress {
    /// Such as `http://127.0.0.1:8080`.
    pub base_url: String,
    /// The key to send.
    pub api_key: Secret,
}

impl ServerAddress {
    /// Where a gateway listens: beside a running `up` as its data folder says, else as the
    /// settings say.
    #[must_use]
    pub fn base_url(settings: &Settings) -> String {
        let running = engines::read_connection(&settings.data_dir).ok().flatten();
        running
            .and_then(|c| c.http)
            .unwrap_or_else(|| format!("http://{}", settings.http.listen))
    }

    /// From the settings, and beside a running `up` from its data folder.
    ///
    /// # Errors
    /// When there is no key to be found.
    pub fn find(settings: &Settings) -> Result<Self, CliError> {
        let base_url = Self::base_url(settings);
        let stored = admin_key::stored(&settings.data_dir)
            .map_err(|e| CliError::failed("reading the stored key", e))?;
        let api_key = settings.api_key.clone().or(stored).ok_or_else(|| {
            CliError::Message(format!(
                "no key: set KMRL_API_KEY, or name the data folder of a running gateway (now {})",
                settings.data_dir.display()
            ))
        })?;
        Ok(Self { base_url, api_key })
    }
}
