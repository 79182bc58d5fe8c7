//! What can be asked of a key. Time and digests come in with the command.

use super::event::Grant;
use time::{Duration, OffsetDateTime};

/// A command on a key.
#[derive(Clone, Debug)]
pub enum ApiKeyCommand {
    /// Make it.
    Issue(IssueKey),
    /// Give it another secret.
    Rotate(RotateKey),
    /// Make it good for nothing.
    Revoke(RevokeKey),
}

/// Make a key.
#[derive(Clone, Debug)]
pub struct IssueKey {
    /// Its name, and what it is allowed.
    pub grant: Grant,
    /// Keyed hash of its secret.
    pub digest: String,
    /// A mark of the key that the hash is made with.
    pub pepper: String,
    /// Now.
    pub at: OffsetDateTime,
}

/// Give a key another secret.
#[derive(Clone, Debug)]
pub struct RotateKey {
    /// Keyed hash of the new secret.
    pub digest: String,
    /// A mark of the key that the hash is made with.
    pub pepper: String,
    /// How long the secret before stays good.
    pub overlap: Duration,
    /// Now.
    pub at: OffsetDateTime,
}

/// Make a key good for nothing.
#[derive(Clone, Debug)]
pub struct RevokeKey {
    /// Why.
    pub reason: String,
    /// Now.
    pub at: OffsetDateTime,
}
