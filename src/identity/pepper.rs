//! The key that the secrets of API keys are hashed with (HMAC-SHA256, RFC 2104): whoever reads the
//! log or the database alone can check no guess.

use crate::config::Secret;
use kmrl_domain::private::hex;
use ring::hmac;
use std::io;
use std::path::Path;

/// Hashes secrets.
#[derive(Clone)]
pub struct Pepper(hmac::Key);

impl Pepper {
    /// Of a text that nobody can guess.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self(hmac::Key::new(
            hmac::HMAC_SHA256,
            secret.reveal().as_bytes(),
        ))
    }

    /// The digest of a secret, in lower-case hexadecimal.
    #[must_use]
    pub fn digest(&self, secret: &[u8]) -> String {
        hex(hmac::sign(&self.0, secret).as_ref())
    }

    /// Whether a digest is that of a secret, in a time that tells nothing of either.
    #[must_use]
    pub fn is_digest(&self, digest: &str, secret: &[u8]) -> bool {
        super::alike(self.digest(secret).as_bytes(), digest.as_bytes())
    }

    /// Tells peppers apart without telling them.
    #[must_use]
    pub fn mark(&self) -> String {
        let digest = self.digest(b"which pepper is this");
        digest.chars().take(16).collect()
    }
}

/// The pepper of the settings, else the one kept in the data folder, else a new one of 256 bits,
/// kept with mode 0600.
///
/// # Errors
/// When the file cannot be read or written.
pub fn load_or_create(configured: Option<&Secret>, data_dir: &Path) -> io::Result<Pepper> {
    let kept = crate::admin_key::load_or_create_at(configured, &data_dir.join("keys.pepper"))?;
    Ok(Pepper::new(&kept.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_one_secret_and_one_pepper() {
        let (one, two) = (
            Pepper::new(&Secret::new("one".into())),
            Pepper::new(&Secret::new("two".into())),
        );
        let digest = one.digest(b"secret");
        assert!(one.is_digest(&digest, b"secret"));
        assert!(!one.is_digest(&digest, b"Secret") && !two.is_digest(&digest, b"secret"));
        assert!(!one.is_digest("", b"secret") && !one.is_digest(&digest[1..], b"secret"));
        assert_ne!(one.mark(), two.mark());
    }
}
