//! Issued API keys: checked against their own streams, issued, rotated and revoked.

use super::lease::{LEASE, Leases};
use super::pepper::Pepper;
use super::secret::KeySecret;
use super::{Principal, Unproved};
use crate::event_store::{
    Append, AppendError, Claim, CommandMetadata, NewEvent, PostgresEventStore,
};
use crate::ports::{Clock, Ids};
use cqrs_es::{AggregateError, EventStore};
use kmrl_domain::api_key::{
    self, ApiKey, ApiKeyCommand, ApiKeyRefusal, Grant, IssueKey, RevokeKey, RotateKey,
};
use kmrl_domain::authority::Authority;
use std::sync::Arc;
use time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// The claim that makes a name one key's for ever.
const NAME: &str = "key name";
/// How often a command is decided anew because the stream had moved on.
const TURNS: u32 = 8;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The issued keys. Cheap to clone.
#[derive(Clone)]
pub struct ApiKeys(Arc<Parts>);

struct Parts {
    store: PostgresEventStore,
    pepper: Pepper,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    known: Leases<Arc<ApiKey>>,
}

/// A secret that is shown once.
pub struct Issued {
    /// Which key.
    pub id: Uuid,
    /// The key as its holder has it.
    pub secret: KeySecret,
    /// What it is allowed.
    pub grant: Grant,
    /// Position of the event.
    pub position: i64,
}

/// Why a command on a key was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The rules forbid it.
    #[error(transparent)]
    Refused(#[from] ApiKeyRefusal),
    /// Another key has the name, or had it.
    #[error("the name belongs to another key, and names of keys are given once")]
    NameTaken,
    /// Others kept being faster, or the log cannot be written.
    #[error("the event store is unavailable")]
    Unavailable(#[source] BoxError),
}

/// Ids of version 7 would tell when a key was made, and be alike at their beginnings.
fn random_id(salt: &[u8; 32]) -> Uuid {
    let bytes = salt.first_chunk().copied().unwrap_or_default();
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

impl ApiKeys {
    /// Keys in this store, hashed with this pepper.
    #[must_use]
    pub fn new(
        store: PostgresEventStore,
        pepper: Pepper,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self(Arc::new(Parts {
            store,
            pepper,
            clock,
            ids,
            known: Leases::new(),
        }))
    }

    /// Whose a key is.
    pub(super) async fn prove(&self, secret: &KeySecret) -> Result<Principal, Unproved> {
        let key = self.known(secret.id()).await?;
        let is_of = |digest: &str| self.0.pepper.is_digest(digest, secret.bytes());
        let grant = key.grants(self.0.clock.now(), is_of);
        let Some(grant) = grant else {
            if key.grant.is_some() && key.pepper != self.0.pepper.mark() {
                let key = secret.prefix();
                tracing::warn!(
                    key,
                    "a key was issued with another keys.pepper than this process has"
                );
            }
            return Err(Unproved::NotGood);
        };
        let actor = format!("key:{}", grant.name);
        let authority = Authority {
            actor: actor.clone(),
            roles: grant.roles.clone(),
            scopes: grant.scopes.clone(),
            sources: grant.sources.clone(),
            departments: grant.departments.clone(),
        };
        let id = secret.id().to_string();
        let principal = Principal::new(actor, Some(id), &grant.name, authority);
        Ok(principal.until(grant.expires_at))
    }

    pub(super) fn now(&self) -> time::OffsetDateTime {
        self.0.clock.now()
    }

    /// The key was neither revoked nor has it expired.
    pub(super) async fn is_in_force(&self, id: Uuid) -> Result<bool, Unproved> {
        Ok(self.known(id).await?.is_in_force(self.now()))
    }

    /// What a key is, as it was read at most a lease ago.
    async fn known(&self, id: Uuid) -> Result<Arc<ApiKey>, Unproved> {
        if let Some(key) = self.0.known.get(id) {
            return Ok(key);
        }
        let begun = Instant::now();
        let (key, _) = self.load(id).await.map_err(Unproved::Unavailable)?;
        let key = Arc::new(key);
        self.0.known.put(id, begun, Arc::clone(&key));
        Ok(key)
    }

    async fn load(&self, id: Uuid) -> Result<(ApiKey, i64), BoxError> {
        let context = EventStore::<ApiKey>::load_aggregate(&self.0.store, &id.to_string())
            .await
            .map_err(|error: AggregateError<ApiKeyRefusal>| Box::new(error) as BoxError)?;
        let version = i64::try_from(context.current_sequence)?;
        Ok((context.aggregate, version))
    }

    /// Makes a key. The secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub async fn issue(
        &self,
        mut grant: Grant,
        metadata: CommandMetadata,
    ) -> Result<Issued, KeyError> {
        grant.owner = grant.owner.trim().to_owned();
        let id = random_id(&self.0.ids.salt());
        let secret = KeySecret::new(id, self.0.ids.salt());
        let claim = Claim {
            kind: NAME,
            value: grant.name.clone(),
        };
        let command = ApiKeyCommand::Issue(IssueKey {
            digest: self.0.pepper.digest(secret.bytes()),
            pepper: self.0.pepper.mark(),
            grant: grant.clone(),
            at: self.0.clock.now(),
        });
        let position = self.carry_out(id, command, Some(claim), metadata).await?;
        // It may have been asked for before it was made.
        self.0.known.forget(id);
        Ok(Issued {
            id,
            secret,
            grant,
            position,
        })
    }

    /// Gives a key another secret; the one before is good for the overlap.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub async fn rotate(
        &self,
        id: Uuid,
        overlap: Duration,
        metadata: CommandMetadata,
    ) -> Result<Issued, KeyError> {
        let secret = KeySecret::new(id, self.0.ids.salt());
        let command = ApiKeyCommand::Rotate(RotateKey {
            digest: self.0.pepper.digest(secret.bytes()),
            pepper: self.0.pepper.mark(),
            overlap,
            at: self.0.clock.now(),
        });
        let position = self.carry_out(id, command, None, metadata).await?;
        self.expire(id).await;
        let (key, _) = self.load(id).await.map_err(KeyError::Unavailable)?;
        let grant = key.grant.ok_or(ApiKeyRefusal::Unknown)?;
        Ok(Issued {
            id,
            secret,
            grant,
            position,
        })
    }

    /// Makes a key good for nothing, everywhere, before it returns.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub async fn revoke(
        &self,
        id: Uuid,
        reason: String,
        metadata: CommandMetadata,
    ) -> Result<i64, KeyError> {
        let command = ApiKeyCommand::Revoke(RevokeKey {
            reason,
            at: self.0.clock.now(),
        });
        let position = self.carry_out(id, command, None, metadata).await?;
        self.expire(id).await;
        Ok(position)
    }

    /// Until no process uses any more what it read of a key before now.
    async fn expire(&self, id: Uuid) {
        let far = Instant::now() + LEASE;
        self.0.known.forget(id);
        tokio::time::sleep_until(far).await;
        // A look-up that was under way when it changed may have been remembered since.
        self.0.known.forget(id);
    }

    async fn carry_out(
        &self,
        id: Uuid,
        command: ApiKeyCommand,
        claim: Option<Claim>,
        metadata: CommandMetadata,
    ) -> Result<i64, KeyError> {
        for _ in 0..TURNS {
            let (key, version) = self.load(id).await.map_err(KeyError::Unavailable)?;
            let Some(event) = key.decide(command.clone())? else {
                let head = self.0.store.log().head().await;
                return head.map_err(|error| KeyError::Unavailable(error.into()));
            };
            let event = NewEvent::new(&event, None);
            let append = Append {
                aggregate_type: api_key::TYPE,
                aggregate_id: id.to_string(),
                expected_version: version,
                events: vec![event.map_err(|error| KeyError::Unavailable(error.into()))?],
                metadata: metadata.clone(),
                idempotency: None,
                claim: claim.clone(),
            };
            match self.0.store.append(append).await {
                Ok(appended) => return Ok(appended.position),
                Err(AppendError::Stale { .. }) => {}
                Err(AppendError::Claimed { .. }) => return Err(KeyError::NameTaken),
                Err(error) => return Err(KeyError::Unavailable(error.into())),
            }
        }
        Err(KeyError::Unavailable("the key kept changing".into()))
    }
}
