//! Who is asking: keys of the settings, issued API keys, and tokens of users.
//!
//! Owns how somebody proves who they are, and nothing of what they may do: that is the policy's
//! (`kmrl_domain::authority`). It knows no HTTP: a credential comes in as text.

mod keys;
mod lease;
mod pepper;
mod secret;
mod tickets;
mod token;

pub use keys::{ApiKeys, Issued, KeyError};
pub use pepper::{Pepper, load_or_create as load_pepper};
pub use secret::{KeySecret, prefix};
pub use tickets::{GOOD_FOR as TICKET_GOOD_FOR, Tickets};
pub use token::Tokens;

use crate::config::Secret;
use kmrl_domain::authority::{Authority, Reach, Role};
use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::sync::Arc;
use time::OffsetDateTime;
use uuid::Uuid;

/// Whoever proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Who, as kept with events, such as `key:maximo` or `user:4711`.
    pub actor: String,
    /// Which key; `None` for a user.
    pub key_id: Option<String>,
    /// Name shown as uploader.
    pub name: String,
    /// What they may.
    pub authority: Arc<Authority>,
    /// From then on their credential is not good any more, as far as it says so itself.
    pub good_until: Option<OffsetDateTime>,
}

impl Principal {
    fn new(actor: String, key_id: Option<String>, name: &str, authority: Authority) -> Self {
        Self {
            actor,
            key_id,
            name: name.into(),
            authority: Arc::new(authority),
            good_until: None,
        }
    }

    const fn until(mut self, good_until: Option<OffsetDateTime>) -> Self {
        self.good_until = good_until;
        self
    }

    /// The holder of a key of the settings, who may do everything that a role may.
    #[must_use]
    pub fn of_settings(name: &str, role: Role) -> Self {
        let actor = format!("key:{name}");
        let authority = Authority {
            actor: actor.clone(),
            roles: vec![role],
            scopes: None,
            sources: Reach::All,
            departments: Reach::All,
        };
        Self::new(actor, Some(name.into()), name, authority)
    }

    /// Unlike any other's: what idempotency keys are good within.
    #[must_use]
    pub fn scope(&self) -> &str {
        self.key_id.as_deref().unwrap_or(&self.actor)
    }
}

/// Why nobody was found behind a credential.
#[derive(Debug, thiserror::Error)]
pub enum Unproved {
    /// It proves nothing, or nothing any more.
    #[error("the credential is not good")]
    NotGood,
    /// Nobody can tell now.
    #[error("the credential cannot be checked now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Checks credentials. Cheap to clone.
#[derive(Clone)]
pub struct Identity(Arc<Parts>);

struct Parts {
    administrator: Secret,
    approver: Option<Secret>,
    keys: ApiKeys,
    tokens: Option<Tokens>,
    tickets: Tickets,
}

impl Identity {
    /// By the administrator's key, a second person's, issued keys and tokens of users.
    #[must_use]
    pub fn new(
        administrator: Secret,
        approver: Option<Secret>,
        keys: ApiKeys,
        tokens: Option<Tokens>,
        tickets: Tickets,
    ) -> Self {
        Self(Arc::new(Parts {
            administrator,
            approver,
            keys,
            tokens,
            tickets,
        }))
    }

    /// The issued keys.
    #[must_use]
    pub fn keys(&self) -> &ApiKeys {
        &self.0.keys
    }

    /// Tickets for live connections.
    #[must_use]
    pub fn tickets(&self) -> &Tickets {
        &self.0.tickets
    }

    /// Whoever a ticket was given to. It is used up.
    ///
    /// # Errors
    /// [`Unproved`], also when its holder's credential is not good any more.
    pub async fn redeem(&self, ticket: &str) -> Result<Principal, Unproved> {
        let principal = self.0.tickets.redeem(ticket).await?;
        let good = self.is_still_good(&principal).await;
        good.then_some(principal).ok_or(Unproved::NotGood)
    }

    /// Whether somebody who was let in would be let in again. Who cannot be asked about is.
    pub async fn is_still_good(&self, principal: &Principal) -> bool {
        let now = self.0.keys.now();
        if principal.good_until.is_some_and(|end| end <= now) {
            return false;
        }
        match principal.key_id.as_deref().map(Uuid::try_parse) {
            Some(Ok(id)) => self.0.keys.is_in_force(id).await.unwrap_or(true),
            // A key of the settings, or a user.
            _ => true,
        }
    }

    /// A second person has a key in the settings.
    #[must_use]
    pub fn has_approver(&self) -> bool {
        self.0.approver.is_some()
    }

    /// Finds who is behind a credential: a key or a token.
    ///
    /// # Errors
    /// [`Unproved`], which never says what was wrong with the credential.
    pub async fn prove(&self, credential: &str) -> Result<Principal, Unproved> {
        let parts = &self.0;
        let holds = |key: &Secret| same(credential, key.reveal());
        // Both are compared, so that time does not tell which of them it was.
        let (administrator, approver) = (
            holds(&parts.administrator),
            parts.approver.as_ref().is_some_and(holds),
        );
        if administrator {
            return Ok(Principal::of_settings("admin", Role::Administrator));
        }
        if approver {
            return Ok(Principal::of_settings("approver", Role::Officer));
        }
        if let Some(secret) = KeySecret::parse(credential) {
            return parts.keys.prove(&secret).await;
        }
        match &parts.tokens {
            Some(tokens) if token::looks_like_one(credential) => tokens.prove(credential).await,
            _ => Err(Unproved::NotGood),
        }
    }
}

/// Compares digests, so that not even the length of the key shows.
fn same(given: &str, key: &str) -> bool {
    alike(&Sha256::digest(given), &Sha256::digest(key))
}

/// Compares all bytes, so that time tells nothing of them. Everything that compares secrets does it here
/// (`tests/house.rs`).
fn alike(a: &[u8], b: &[u8]) -> bool {
    // Out of the optimiser's sight: else it may stop at the first difference.
    let differing = a
        .iter()
        .zip(b)
        .fold(0, |diff, (x, y)| black_box(diff | (x ^ y)));
    a.len() == b.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_is_the_same() {
        assert!(same("0123456789abcdef", "0123456789abcdef"));
        assert!(!same("0123456789abcdee", "0123456789abcdef"));
        assert!(!same("", "0123456789abcdef"));
    }
}
