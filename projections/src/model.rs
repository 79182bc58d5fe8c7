//! What a read model is to the runner, and the list of them.
//!
//! A model knows its tables and how events change them. It knows nothing of checkpoints,
//! generations or retries.

use crate::batch::Texts;
use crate::fold::Rejected;
use crate::models::{api_keys, audit, documents, search, statistics, texts, validation_errors};
use async_trait::async_trait;
use kmrl_domain::RecordedEvent;
use kmrl_domain::values::TextRef;
use sqlx::PgConnection;

/// The names of all projections, in the order in which they are brought up to date.
pub const NAMES: [&str; 7] = [
    texts::NAME,
    statistics::NAME,
    validation_errors::NAME,
    documents::NAME,
    search::NAME,
    audit::NAME,
    api_keys::NAME,
];

/// All read models, in the order of [`NAMES`].
pub(crate) const MODELS: [&dyn Model; 7] = [
    &texts::Texts,
    &statistics::Statistics,
    &validation_errors::ValidationErrors,
    &documents::Documents,
    &search::Search,
    &audit::Audit,
    &api_keys::ApiKeys,
];

/// The models that readers of documents wait for: all but those that are [apart](Model::is_apart).
pub(crate) fn awaited() -> impl Iterator<Item = &'static dyn Model> {
    MODELS.into_iter().filter(|model| !model.is_apart())
}

/// The models that nobody waits for.
pub(crate) fn apart() -> impl Iterator<Item = &'static dyn Model> {
    MODELS.into_iter().filter(|model| model.is_apart())
}

/// A read model.
#[async_trait]
pub(crate) trait Model: Send + Sync {
    /// Its name: part of schema names, so lower-case letters and underscores.
    fn name(&self) -> &'static str;

    /// Version of its tables' form and of its folding: raised with every change of either, which
    /// makes the next start of the program rebuild it.
    fn shape(&self) -> i32;

    /// SQL that makes its tables; `{schema}` stands for their schema.
    fn definition(&self) -> &'static str;

    /// Its tables. Each is shown to readers as a view of the same name in the schema `read`.
    fn tables(&self) -> &'static [&'static str];

    /// A projection that this one never passes.
    fn follows(&self) -> Option<&'static str> {
        None
    }

    /// Nobody waits for it: it is kept up by itself, holds back no visible position, and it alone
    /// reads records of access.
    fn is_apart(&self) -> bool {
        false
    }

    /// How many rows an event makes, about: bounds a batch.
    fn rows_of(&self, _event: &RecordedEvent) -> usize {
        1
    }

    /// The event may change its rows.
    fn concerns(&self, event: &RecordedEvent) -> bool;

    /// The text artefact without which the event cannot be applied.
    fn text_of(&self, _event: &RecordedEvent) -> Option<TextRef> {
        None
    }

    /// Applies events in order, in a transaction that the caller owns, with a number of statements
    /// that does not depend on the number of events. Answers the events that it cannot apply.
    async fn apply(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        events: &[RecordedEvent],
        texts: &Texts,
    ) -> Result<Vec<Rejected>, sqlx::Error>;
}
