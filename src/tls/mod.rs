//! TLS of the server: the certificate in use, and connections that are opened with it.
//!
//! Owns how files become a certificate, how long a handshake may take, and that a certificate is replaced
//! without a connection being lost. Cryptography is rustls's, on ring: TLS 1.2 and 1.3 with the suites
//! that it thinks good.

mod follow;
mod pair;

pub use pair::PairError;

use crate::config::{Current, TlsSettings};
use pair::Pair;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// A client that has not shaken hands by then is let go.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// What connections are opened with. Cheap to clone; clones are one and the same.
#[derive(Clone)]
pub struct Tls {
    settings: TlsSettings,
    /// A connection goes on with what it was opened with.
    current: Current<ServerConfig>,
}

impl Tls {
    /// Of the files as they are now.
    ///
    /// # Errors
    /// When they cannot be used, or do not belong together.
    pub fn load(settings: TlsSettings) -> Result<Self, PairError> {
        let (config, _) = Pair::read(&settings)?.usable()?;
        let current = Current::from(config);
        Ok(Self { settings, current })
    }

    /// Shakes hands.
    ///
    /// # Errors
    /// When the client speaks no TLS that is good enough, or takes too long.
    pub async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(self.current.now());
        timeout(HANDSHAKE_LIMIT, acceptor.accept(socket)).await?
    }
}

/// What is known of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// When it ends, in seconds since 1970.
    pub expires: i64,
    /// Its key can be read by every user of this machine.
    pub open_key: bool,
}

/// Whether the files can be used.
///
/// # Errors
/// When they cannot, or do not belong together.
pub fn check(settings: &TlsSettings) -> Result<(), PairError> {
    Pair::read(settings)?.usable().map(|_| ())
}

/// Shared, so that everything that shakes hands has the same suites.
pub(crate) fn provider() -> Arc<tokio_rustls::rustls::crypto::CryptoProvider> {
    Arc::new(tokio_rustls::rustls::crypto::ring::default_provider())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_shakes_no_hands_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let settings = TlsSettings {
            certificate_file: folder.path().join("chain.pem"),
            key_file: folder.path().join("key.pem"),
            look_every: Duration::from_secs(1),
        };
        let certificate = parameters.self_signed(&key).unwrap().pem();
        std::fs::write(&settings.certificate_file, certificate).unwrap();
        std::fs::write(&settings.key_file, key.serialize_pem()).unwrap();
        let tls = Tls::load(settings).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let _silent = TcpStream::connect(address).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        let begun = Instant::now();
        let error = tls.accept(socket).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed(), HANDSHAKE_LIMIT);
    }
}
