//! What has happened to a key. Forms follow the rules of [`crate::event`].

use crate::authority::{Permission, Reach, Role};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Everything that can happen to a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ApiKeyEvent {
    /// It was made.
    KeyIssued(KeyIssued),
    /// It got another secret.
    KeyRotated(KeyRotated),
    /// It is good for nothing any more.
    KeyRevoked(KeyRevoked),
}

impl ApiKeyEvent {
    /// The names of all events.
    pub const TYPES: [&'static str; 3] = ["KeyIssued", "KeyRotated", "KeyRevoked"];
}

/// A key's name, and what it is allowed. It never changes: another grant is another key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its name, given once and for ever: the actor of what is done with it is `key:` and this.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// What its holder is.
    pub roles: Vec<Role>,
    /// What the roles are narrowed to.
    pub scopes: Option<Vec<Permission>>,
    /// Sources that it may write.
    pub sources: Reach,
    /// Departments whose documents it may see.
    pub departments: Reach,
    /// From when on it is good for nothing.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
}

/// A key was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyIssued {
    /// Its name, and what it is allowed.
    pub grant: Grant,
    /// Keyed hash of its secret.
    pub digest: String,
    /// Which key the hash is made with: a mark of it.
    pub pepper: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub issued_at: OffsetDateTime,
}

/// A key got another secret; the one before is good for a while longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRotated {
    /// Keyed hash of the new secret.
    pub digest: String,
    /// Which key the hash is made with: a mark of it.
    pub pepper: String,
    /// Until when the one before is good.
    #[serde(with = "time::serde::rfc3339")]
    pub overlap_until: OffsetDateTime,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub rotated_at: OffsetDateTime,
}

/// A key was revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRevoked {
    /// Why.
    pub reason: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub revoked_at: OffsetDateTime,
}

impl DomainEvent for ApiKeyEvent {
    fn event_type(&self) -> String {
        match self {
            Self::KeyIssued(_) => "KeyIssued",
            Self::KeyRotated(_) => "KeyRotated",
            Self::KeyRevoked(_) => "KeyRevoked",
        }
        .into()
    }

    fn event_version(&self) -> String {
        "1.0".into()
    }
}
