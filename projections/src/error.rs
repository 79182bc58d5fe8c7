//! What can go wrong while projections run. A single event's fault is none of these: it is parked.

use crate::source::{BoxError, TextError};

/// A projection could not go on. Nothing of the batch was kept; trying again is safe.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// The database refused or did not answer.
    #[error("{operation} of projection `{projection}` failed")]
    Database {
        /// Which projection.
        projection: &'static str,
        /// What was being done.
        operation: &'static str,
        /// What the database driver says.
        #[source]
        source: sqlx::Error,
    },
    /// The positions that are visible could not be read.
    #[error("reading the checkpoints of the projections failed")]
    Checkpoints(#[source] sqlx::Error),
    /// The log could not be read.
    #[error("reading the log after position {after} failed")]
    Log {
        /// The position after which it was read.
        after: i64,
        /// What the log says.
        #[source]
        source: BoxError,
    },
    /// The log's newest position could not be read.
    #[error("reading the newest position of the log failed")]
    Head(#[source] BoxError),
    /// The log came with a hole. Passing over it would lose events for ever.
    #[error("the log has a gap: event {expected} was due and {found:?} came")]
    Gap {
        /// The position that was due.
        expected: i64,
        /// The position that came, if any did.
        found: Option<i64>,
    },
    /// The store of text artefacts is away.
    #[error("fetching text artefacts of projection `{projection}` failed")]
    Text {
        /// Which projection.
        projection: &'static str,
        /// What the store says.
        #[source]
        source: TextError,
    },
    /// No projection has that name.
    #[error("there is no projection `{name}`")]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// It has no tables of the form that this program writes.
    #[error("projection `{projection}` has no tables of this program's shape: prepare it first")]
    NotPrepared {
        /// Which projection.
        projection: &'static str,
    },
    /// The generation being filled was dropped by somebody else.
    #[error("generation {generation} of projection `{projection}` is no more")]
    Dropped {
        /// Which projection.
        projection: &'static str,
        /// Which generation.
        generation: i32,
    },
    /// The log grew faster than a rebuild beside the live rows could follow.
    #[error("projection `{projection}` and its rebuild never stood at one position")]
    NeverLevel {
        /// Which projection.
        projection: &'static str,
    },
    /// There is no earlier generation that this program can write.
    #[error("projection `{projection}` has no earlier generation to go back to")]
    NothingToRollBackTo {
        /// Which projection.
        projection: &'static str,
    },
}

impl ProjectionError {
    /// For `map_err`: names the projection and the operation that failed.
    pub(crate) fn database(
        projection: &'static str,
        operation: &'static str,
    ) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database {
            projection,
            operation,
            source,
        }
    }
}
