//! What handlers share. Handlers take from it only what they use.

use super::live::LiveHub;
use crate::audit::AccessRecorder;
use crate::commands::Commands;
use crate::config::{Current, Networks, UploadSettings};
use crate::dead_letters::DeadLetters;
use crate::door::Door;
use crate::event_store::EventLog;
use crate::evidence::Evidence;
use crate::health::Health;
use crate::identity::Identity;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::notary::LogTree;
use crate::ports::{BlobStore, Clock, Ids};
use crate::removal::Removals;
use crate::signals::Signals;
use crate::spool::Spool;
use crate::traces::Traces;
use kmrl_projections::query::ReadModel;
use sqlx::PgPool;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// The shared state; cheap to clone.
#[derive(Clone)]
pub struct ApiState(Arc<Parts>);

/// What is in it.
pub struct Parts {
    /// Carries out commands.
    pub commands: Commands,
    /// Makes records of access durable before their answers.
    pub access: AccessRecorder,
    /// Reads the log.
    pub log: EventLog,
    /// The read models whole: for what shows nothing of documents, and for what was asked of the policy
    /// before. Handlers take `Seen`.
    pub everything: ReadModel,
    /// Proofs of the log.
    pub tree: LogTree,
    /// Makes evidence packs.
    pub evidence: Evidence,
    /// Documents' bytes.
    pub blobs: Arc<dyn BlobStore>,
    /// Lets removed bytes in again.
    pub removals: Removals,
    /// What was given up on.
    pub dead_letters: DeadLetters,
    /// Where uploads are hashed while they stream.
    pub spool: Spool,
    /// Wake-ups.
    pub signals: Signals,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// New ids and salts.
    pub ids: Arc<dyn Ids>,
    /// Origins whose pages may ask, read and open connections.
    pub origins: Current<Vec<String>>,
    /// Clients come over TLS, to this process or to what is in front of it.
    pub encrypted: bool,
    /// Live subscribers.
    pub live: LiveHub,
    /// Probes of everything.
    pub health: Health,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Who is asking.
    pub identity: Identity,
    /// How much clients may take.
    pub limits: Limits,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Networks,
    /// How long a body may stand still.
    pub patience: Duration,
    /// Traces.
    pub traces: Traces,
    /// Connections to PostgreSQL, to tell how many are in use.
    pub pool: PgPool,
    /// What may be uploaded.
    pub upload: Current<UploadSettings>,
    /// Whether a file is let in.
    pub door: Arc<Door>,
    /// Longest wait for `min_position`.
    pub min_position_wait: Duration,
}

impl ApiState {
    /// Shares the parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for ApiState {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}
