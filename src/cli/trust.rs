//! Whom commands take for the gateway: by the system's certificates, those of a file, and on the
//! gateway's own machine the certificate that it serves itself.
//!
//! A gateway is reached on its own machine by an address that its certificate does not name. It is known
//! there by the certificate itself, whose file its settings or its data folder name.

use super::CliError;
use crate::config::Settings;
use crate::tls::provider;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// Whom to take for the gateway.
#[derive(Clone, Debug)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Of the gateway that serves the certificate in a file, and of whoever is vouched for.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(super) fn of(settings: &Settings, own: Option<&Path>) -> Result<Self, CliError> {
        let mut known = Vec::new();
        if let Some(path) = own {
            known.extend(certificates(path)?.into_iter().take(1));
        }
        let mut roots = RootCertStore::empty();
        // What the system has and cannot be used is as if it were not there.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = &settings.client.ca_file {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| {
                    CliError::failed(format!("trusting what {} holds", path.display()), error)
                })?;
            }
        }
        Self::with(Known::new(known, roots)?)
    }

    /// Of whoever answers: good enough to ask whether they are well, and for nothing that is secret.
    pub(super) fn anybody() -> Result<Self, CliError> {
        Self::with(Known {
            anybody: true,
            ..Known::new(Vec::new(), RootCertStore::empty())?
        })
    }

    fn with(known: Known) -> Result<Self, CliError> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| CliError::failed("setting up TLS", error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(known))
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// An HTTP client that takes nobody else for the gateway.
    pub fn http(&self) -> reqwest::ClientBuilder {
        reqwest::Client::builder().use_preconfigured_tls(ClientConfig::clone(&self.0))
    }

    /// The same for a WebSocket.
    #[must_use]
    pub fn websocket(&self) -> tokio_tungstenite::Connector {
        tokio_tungstenite::Connector::Rustls(Arc::clone(&self.0))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CliError> {
    let failed = |error| {
        let operation = format!("reading the certificates in {}", path.display());
        CliError::failed(operation, error)
    };
    let read = CertificateDer::pem_file_iter(path).map_err(failed)?;
    read.collect::<Result<_, _>>().map_err(failed)
}

/// Certificates that are known themselves, and whoever the roots vouch for.
#[derive(Debug)]
struct Known {
    certificates: Vec<CertificateDer<'static>>,
    vouched: Option<Arc<WebPkiServerVerifier>>,
    anybody: bool,
    provider: Arc<CryptoProvider>,
}

impl Known {
    fn new(
        certificates: Vec<CertificateDer<'static>>,
        roots: RootCertStore,
    ) -> Result<Self, CliError> {
        let provider = provider();
        let vouched = if roots.is_empty() {
            None
        } else {
            let (roots, provider) = (Arc::new(roots), Arc::clone(&provider));
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
            Some(verifier.map_err(|error| CliError::failed("setting up TLS", error))?)
        };
        Ok(Self {
            certificates,
            vouched,
            anybody: false,
            provider,
        })
    }
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let known = |one: &CertificateDer<'_>| one.as_ref() == certificate.as_ref();
        if self.anybody || self.certificates.iter().any(known) {
            return Ok(ServerCertVerified::assertion());
        }
        let unknown = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let vouched = self.vouched.as_ref().ok_or_else(unknown)?;
        vouched.verify_server_cert(certificate, between, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
