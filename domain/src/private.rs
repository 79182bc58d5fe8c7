//! Content that may be personal, held beside the log so that the law can have it erased.
//!
//! An event carries only a salted digest (a commitment); the content and its 256-bit salt are a
//! [`PrivatePart`] in a table of their own, written in the same transaction. While the part is
//! there, anyone can check it against the log; once content and salt are deleted, nothing in the
//! log, its exports or its messages tells what it was, and no hash in the log changes.
//! The salt keeps short contents, such as a file name, from being guessed by trial.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Salted SHA-256 of a private part: `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PrivateDigest(pub String);

/// The content of a private part with its salt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivatePart {
    /// 32 random bytes.
    pub salt: [u8; 32],
    /// JSON text, kept to the letter because the digest is over its bytes.
    pub content: String,
}

impl PrivatePart {
    /// Seals a content under a salt.
    ///
    /// # Errors
    /// When the content cannot be written as JSON.
    pub fn seal(salt: [u8; 32], content: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self {
            salt,
            content: serde_json::to_string(content)?,
        })
    }

    /// SHA-256 over salt and content, the commitment that goes into the event.
    #[must_use]
    pub fn digest(&self) -> PrivateDigest {
        let mut hasher = Sha256::new();
        hasher.update(self.salt);
        hasher.update(self.content.as_bytes());
        PrivateDigest(format!("sha256:{}", hex(&hasher.finalize())))
    }
}

/// Private part of `Uploaded`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UploadedPrivate {
    /// Name of the file as the sender gave it, made safe to show.
    pub file_name: String,
    /// What the sender says of the document.
    pub metadata: Map<String, Value>,
    /// Name of whoever uploaded it.
    pub uploaded_by: String,
}

/// Private part of `Corrected`, when the metadata was corrected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CorrectedPrivate {
    /// The metadata as a whole, in place of what was there.
    pub metadata: Map<String, Value>,
}

/// Private part of `UploadRefused`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RefusedPrivate {
    /// Name of the file that was refused, when one was given.
    pub file_name: Option<String>,
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut s, b| {
            // Writing to a String cannot fail.
            let _ = write!(s, "{b:02x}");
            s
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_depends_on_salt_and_content() {
        let a = PrivatePart::seal([1; 32], &"name").unwrap().digest();
        assert_eq!(a, PrivatePart::seal([1; 32], &"name").unwrap().digest());
        assert_ne!(a, PrivatePart::seal([2; 32], &"name").unwrap().digest());
        assert_ne!(a, PrivatePart::seal([1; 32], &"Name").unwrap().digest());
        assert!(a.0.starts_with("sha256:") && a.0.len() == 7 + 64);
    }
}
