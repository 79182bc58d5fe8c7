//! Where the running gateway is, for subcommands that talk to it.

use super::CliError;
use super::trust::Trust;
use crate::config::{Secret, Settings};
use crate::{admin_key, engines};
use std::path::PathBuf;

/// Address and key of a running gateway.
#[derive(Clone, Debug)]
pub struct ServerAddress {
    /// Such as `http://127.0.0.1:8080`.
    pub base_url: String,
    /// The key to send.
    pub api_key: Secret,
    /// Whom to send it to.
    pub trust: Trust,
}

impl ServerAddress {
    /// Where a gateway listens: as `server` says, else beside a running `up` as its data folder says,
    /// else as the other settings say.
    #[must_use]
    pub fn base_url(settings: &Settings) -> String {
        if let Some(server) = &settings.client.server {
            return server.clone();
        }
        let running = running(settings);
        let scheme = match settings.http.tls {
            Some(_) => "https",
            None => "http",
        };
        running
            .and_then(|c| c.http)
            .unwrap_or_else(|| format!("{scheme}://{}", settings.http.listen))
    }

    /// From the settings, and beside a running `up` from its data folder.
    ///
    /// # Errors
    /// When there is no key to be found, or a file of certificates cannot be read.
    pub fn find(settings: &Settings) -> Result<Self, CliError> {
        let base_url = Self::base_url(settings);
        let is_elsewhere = settings.client.server.is_some();
        let stored = || match is_elsewhere {
            // The key of the gateway here is not another's to know.
            true => Ok(None),
            false => admin_key::stored(&settings.data_dir)
                .map_err(|e| CliError::failed("reading the stored key", e)),
        };
        let api_key = match settings.api_key.clone() {
            Some(key) => Some(key),
            None => stored()?,
        };
        let api_key = api_key.ok_or_else(|| {
            CliError::Message(match is_elsewhere {
                true => "no key: set KMRL_API_KEY or KMRL_API_KEY_FILE".to_owned(),
                false => format!(
                    "no key: set KMRL_API_KEY, or name the data folder of a running gateway (now {})",
                    settings.data_dir.display()
                ),
            })
        })?;
        Ok(Self {
            base_url,
            api_key,
            trust: Trust::of(settings, own_certificate(settings).as_deref())?,
        })
    }
}

fn running(settings: &Settings) -> Option<engines::Connection> {
    engines::read_connection(&settings.data_dir).ok().flatten()
}

/// The file with the certificate of a gateway on this machine.
fn own_certificate(settings: &Settings) -> Option<PathBuf> {
    if settings.client.server.is_some() {
        return None;
    }
    let of_settings = settings.http.tls.as_ref();
    running(settings)
        .and_then(|running| running.certificate_file)
        .or_else(|| of_settings.map(|tls| tls.certificate_file.clone()))
}
