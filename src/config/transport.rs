//! TLS of the server, and how commands reach a server. Which files; what is in them is read elsewhere.

use super::reader::Reader;
use super::sections::{absolute, seconds};
use std::path::PathBuf;
use std::time::Duration;

/// The certificate of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM file with the certificate, then those that it is signed by.
    pub certificate_file: PathBuf,
    /// PEM file with its private key.
    pub key_file: PathBuf,
    /// Between looks whether they changed.
    pub look_every: Duration,
}

/// How commands reach a running gateway.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Its address; absent: the one of the data folder or of this machine.
    pub server: Option<String>,
    /// Certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

pub(super) fn tls(r: &mut Reader) -> Option<TlsSettings> {
    const CERTIFICATE: &str = "http.tls_certificate_file";
    const KEY: &str = "http.tls_key_file";
    let look_every = seconds(r, "http.tls_look_every");
    match (r.optional(CERTIFICATE), r.optional(KEY)) {
        (Some(certificate), Some(key)) => Some(TlsSettings {
            certificate_file: absolute(certificate),
            key_file: absolute(key),
            look_every,
        }),
        (None, None) => None,
        (Some(_), None) => {
            r.error(KEY, "is needed beside http.tls_certificate_file");
            None
        }
        (None, Some(_)) => {
            r.error(CERTIFICATE, "is needed beside http.tls_key_file");
            None
        }
    }
}

pub(super) fn client(r: &mut Reader) -> ClientSettings {
    let server: Option<String> = r.optional("server");
    let is_address = |text: &String| {
        let url = url::Url::parse(text).ok();
        let plain = |url: &url::Url| url.username().is_empty() && url.query().is_none();
        url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && plain(&url))
    };
    if server.as_ref().is_some_and(|text| !is_address(text)) {
        r.error("server", "must be such as `https://gateway.example:8443`");
    }
    ClientSettings {
        server: server.map(|text| text.trim_end_matches('/').to_owned()),
        ca_file: r.optional("ca_file").map(absolute),
    }
}
