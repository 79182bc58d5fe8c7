//! Where projections get what they read: the log, and the texts that events only name.
//!
//! Traits and their errors. The program implements them over its event store and blob store.

use async_trait::async_trait;
use kmrl_domain::RecordedEvent;
use kmrl_domain::values::TextArtefact;

/// Any error that can cross tasks.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The log, as projections read it.
#[async_trait]
pub trait EventSource: Send + Sync {
    /// Up to `limit` events after position `after`, in order, of their current form and with
    /// their private parts. Empty only when there is none after `after`.
    async fn read(&self, after: i64, limit: i64) -> Result<Vec<RecordedEvent>, BoxError>;

    /// As [`Self::read`], where records of access may come without their payload.
    async fn read_without_access(
        &self,
        after: i64,
        limit: i64,
    ) -> Result<Vec<RecordedEvent>, BoxError> {
        self.read(after, limit).await
    }

    /// Position of the newest event; 0 for an empty log.
    async fn head(&self) -> Result<i64, BoxError>;
}

/// The text artefacts that `Extracted` events name.
#[async_trait]
pub trait TextSource: Send + Sync {
    /// The artefact under a key.
    async fn text(&self, key: &str) -> Result<TextArtefact, TextError>;
}

/// Why a text cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// The store answers that it has none. Its event is parked.
    #[error("there is no text artefact `{key}`")]
    Missing {
        /// The key looked for.
        key: String,
    },
    /// There is something, but no text artefact. Its event is parked.
    #[error("the text artefact `{key}` cannot be read")]
    Damaged {
        /// The key looked for.
        key: String,
        /// What the reader found.
        #[source]
        source: BoxError,
    },
    /// The store does not answer. The batch is tried again later.
    #[error("the store of text artefacts cannot be reached")]
    Unreachable {
        /// What went wrong.
        #[source]
        source: BoxError,
    },
}
