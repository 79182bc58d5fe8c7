//! A certificate and its key, from two files.
//!
//! What is wrong with a key is told without what the parser says of it, which may quote the file.

use super::{Certificate, provider};
use crate::config::TlsSettings;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::{self, ServerConfig};
use x509_cert::der::{self, Decode as _};

/// Largest file, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// Mode bit of files that every user of the machine can read.
const READ_BY_ALL: u32 = 0o004;
/// What is spoken inside.
const HTTP_1_1: &[u8] = b"http/1.1";

/// Why files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// A file cannot be read.
    #[error("reading {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The certificate is none.
    #[error("{path} holds no certificate in PEM")]
    NoCertificate {
        /// Which.
        path: PathBuf,
        /// What is wrong with it, where there is something.
        #[source]
        source: Option<pem::Error>,
    },
    /// The certificate cannot be read.
    #[error("the certificate in {path} cannot be understood")]
    Certificate {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: der::Error,
    },
    /// The key is none.
    #[error("{0} holds no private key in PEM (PKCS#8, PKCS#1 or SEC1)")]
    NoKey(PathBuf),
    /// They are not of each other, or of a kind that is not spoken.
    #[error("the certificate in {certificate} cannot be used with the key in {key}")]
    Mismatch {
        /// The one.
        certificate: PathBuf,
        /// The other.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

/// Both files as they are.
pub(super) struct Pair<'a> {
    settings: &'a TlsSettings,
    certificate: Vec<u8>,
    key: Vec<u8>,
    open_key: bool,
}

impl<'a> Pair<'a> {
    pub(super) fn read(settings: &'a TlsSettings) -> Result<Self, PairError> {
        let (certificate, _) = read(&settings.certificate_file)?;
        let (key, mode) = read(&settings.key_file)?;
        Ok(Self {
            settings,
            certificate,
            key,
            open_key: mode & READ_BY_ALL != 0,
        })
    }

    /// The same for what holds the same.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.certificate.len().to_be_bytes());
        hash.update(&self.certificate);
        hash.update(&self.key);
        hash.finalize().into()
    }

    /// The server's side of TLS with this pair.
    pub(super) fn usable(&self) -> Result<(ServerConfig, Certificate), PairError> {
        let (path, key_path) = (&self.settings.certificate_file, &self.settings.key_file);
        let none = |source| PairError::NoCertificate {
            path: path.clone(),
            source,
        };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| none(Some(error)))?;
        let expires = expires(chain.first().ok_or_else(|| none(None))?);
        let expires = expires.map_err(|source| PairError::Certificate {
            path: path.clone(),
            source,
        })?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| PairError::NoKey(key_path.clone()))?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                let builder = builder.with_no_client_auth();
                builder.with_single_cert(chain, key)
            });
        let mut config = config.map_err(|source| PairError::Mismatch {
            certificate: path.clone(),
            key: key_path.clone(),
            source,
        })?;
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        let certificate = Certificate {
            expires,
            open_key: self.open_key,
        };
        Ok((config, certificate))
    }
}

fn read(path: &Path) -> Result<(Vec<u8>, u32), PairError> {
    let read = || {
        let file = File::open(path)?;
        let mode = file.metadata()?.permissions().mode();
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes)?;
        Ok((bytes, mode))
    };
    read().map_err(|source| PairError::Read {
        path: path.into(),
        source,
    })
}

fn expires(certificate: &CertificateDer<'_>) -> Result<i64, der::Error> {
    let certificate = x509_cert::Certificate::from_der(certificate)?;
    let not_after = certificate.tbs_certificate.validity.not_after;
    let seconds = not_after.to_unix_duration().as_secs();
    Ok(i64::try_from(seconds).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::{Tls, check};
    use super::*;
    use std::error::Error as _;
    use std::time::Duration;

    struct Scene {
        folder: tempfile::TempDir,
        settings: TlsSettings,
    }

    fn made(name: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(2031, 2, 3);
        let certificate = parameters.self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    impl Scene {
        fn new((certificate, key): (&str, &str)) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let settings = TlsSettings {
                certificate_file: folder.path().join("chain.pem"),
                key_file: folder.path().join("key.pem"),
                look_every: Duration::from_secs(1),
            };
            std::fs::write(&settings.certificate_file, certificate).unwrap();
            std::fs::write(&settings.key_file, key).unwrap();
            Self { folder, settings }
        }

        fn error(&self) -> PairError {
            check(&self.settings).unwrap_err()
        }
    }

    #[test]
    fn a_pair_is_used_and_its_end_is_known() {
        let (certificate, key) = made("localhost");
        let scene = Scene::new((&certificate, &key));
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&scene.settings.key_file, open).unwrap();
        let (_, certificate) = Pair::read(&scene.settings).unwrap().usable().unwrap();
        assert_eq!(certificate.expires, 1_927_843_200);
        assert!(certificate.open_key);
        let tls = Tls::load(scene.settings.clone()).unwrap();
        assert_eq!(tls.current.now().alpn_protocols, [b"http/1.1"]);
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_file() {
        let (certificate, key) = made("localhost");
        let (_, other) = made("localhost");
        let chain = "chain.pem";
        for (files, told, file) in [
            (("", &*key), "holds no certificate", chain),
            (("words", &key), "holds no certificate", chain),
            ((&certificate, ""), "holds no private key", "key.pem"),
            (
                (&certificate, &certificate),
                "holds no private key",
                "key.pem",
            ),
            (
                (&certificate, &other),
                "cannot be used with the key",
                "key.pem",
            ),
        ] {
            let error = Scene::new(files).error().to_string();
            assert!(error.contains(told) && error.contains(file), "{error}");
        }
        let scene = Scene::new((&certificate, &key));
        std::fs::remove_file(&scene.settings.key_file).unwrap();
        let error = scene.error();
        assert!(error.to_string().contains("key.pem"), "{error}");
        assert!(error.source().is_some());
        drop(scene.folder);
    }

    #[test]
    fn a_broken_key_is_not_quoted() {
        let (certificate, key) = made("localhost");
        let broken = key.replace("-----END", "!!!!-END");
        let error = Scene::new((&certificate, &broken)).error();
        let secret = key.lines().nth(1).unwrap();
        assert!(!format!("{error} {error:?}").contains(secret));
    }
}
