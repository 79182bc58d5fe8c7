//! Keeps every projection up with the log.
//!
//! Owns the order in which projections go and when they have gone far enough. When to run is the
//! caller's: it calls [`Projector::catch_up`] on every hint and every so often, and again after an
//! error. Any number of projectors may run at once, in any number of processes.

use crate::batch::{Batch, Reader};
use crate::commit::{Committed, commit};
use crate::error::ProjectionError;
use crate::model::{MODELS, Model, apart, awaited};
use crate::registry;
use crate::source::{EventSource, TextSource};
use kmrl_domain::RecordedEvent;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

/// Runs the projections.
#[derive(Clone)]
pub struct Projector {
    pub(crate) pool: PgPool,
    pub(crate) log: Arc<dyn EventSource>,
    pub(crate) texts: Arc<dyn TextSource>,
    watcher: Option<Arc<dyn Watcher>>,
}

/// Is told of every event that the rows shown to readers have taken in, by the projector that
/// committed it: all of them together tell of each once. Not told of rebuilds.
pub trait Watcher: Send + Sync + 'static {
    /// `projection` shows `event` since `delay` after its time.
    fn applied(&self, projection: &'static str, event: &RecordedEvent, delay: Duration);
}

impl Projector {
    /// A projector that writes to the database of `pool`, which is migrated.
    #[must_use]
    pub fn new(pool: PgPool, log: Arc<dyn EventSource>, texts: Arc<dyn TextSource>) -> Self {
        Self {
            pool,
            log,
            texts,
            watcher: None,
        }
    }

    /// The same projector, with somebody who watches it.
    #[must_use]
    pub fn watched_by(self, watcher: Arc<dyn Watcher>) -> Self {
        Self {
            watcher: Some(watcher),
            ..self
        }
    }

    /// Makes the tables that are not there yet. A projection whose live tables have another shape
    /// than this program writes gets a new generation, which [`Self::catch_up`] fills and then
    /// shows; until then readers see the old one, which this program does not write any more.
    ///
    /// # Errors
    /// When the database refuses or does not answer.
    pub async fn prepare(&self) -> Result<(), ProjectionError> {
        for model in MODELS {
            registry::prepare(&self.pool, model).await?;
        }
        Ok(())
    }

    /// Brings every projection that readers of documents wait for to where the log's head was at
    /// the call, and answers the position up to which all of them show the log.
    ///
    /// # Errors
    /// The first thing that stopped a projection; the others were still brought as far as they
    /// can go. Calling it again goes on where it stopped.
    pub async fn catch_up(&self) -> Result<i64, ProjectionError> {
        self.bring(awaited().collect()).await?;
        registry::visible_position(&self.pool)
            .await
            .map_err(ProjectionError::Checkpoints)
    }

    /// As [`Self::catch_up`], for the projections that nobody waits for (the audit trail). It may
    /// run beside it: neither holds the other back.
    ///
    /// # Errors
    /// As [`Self::catch_up`].
    pub async fn catch_up_apart(&self) -> Result<(), ProjectionError> {
        self.bring(apart().collect()).await
    }

    async fn bring(&self, mut pending: Vec<&'static dyn Model>) -> Result<(), ProjectionError> {
        let head = self.log.head().await.map_err(ProjectionError::Head)?;
        let mut reader = Reader::default();
        let mut stopped = None;
        while !pending.is_empty() {
            let mut behind: Vec<&dyn Model> = Vec::new();
            for model in pending {
                // A follower waits for as long as its leader still moves.
                let led = |m: &&dyn Model| Some(m.name()) == model.follows();
                match self.advance(model, head, &mut reader).await {
                    Ok(Reached::Bound) if !behind.iter().any(led) => {}
                    Ok(Reached::Head) => {}
                    Ok(_) => behind.push(model),
                    // The first tells; what stops others too shows up in the next call.
                    Err(error) => stopped = stopped.or(Some(error)),
                }
            }
            pending = behind;
        }
        match stopped {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Makes sure that no table keeps what was shown before a position, such as that of an erasure:
    /// rows kept for rollback that stand before it are dropped. Answers whether all that are left
    /// have passed it; if not, ask again later.
    ///
    /// # Errors
    /// When the database refuses or does not answer.
    pub async fn forget_before(pool: &PgPool, position: i64) -> Result<bool, ProjectionError> {
        let mut passed = true;
        // Those apart show nothing but what stays in the log.
        for model in awaited() {
            passed &= registry::forget_before(pool, model, position).await?;
        }
        Ok(passed)
    }

    fn tell(&self, model: &dyn Model, batch: &Batch, at: OffsetDateTime) {
        let Some(watcher) = &self.watcher else {
            return;
        };
        for event in batch.events().iter().filter(|event| model.concerns(event)) {
            let delay = Duration::try_from(at - event.recorded_at).unwrap_or_default();
            watcher.applied(model.name(), event, delay);
        }
    }

    /// Applies one batch, if there is one.
    async fn advance(
        &self,
        model: &dyn Model,
        head: i64,
        reader: &mut Reader,
    ) -> Result<Reached, ProjectionError> {
        let (mut generation, bound) = registry::current(&self.pool, model).await?;
        let until = head.min(bound);
        if generation.position < until {
            let (log, texts) = (&*self.log, &*self.texts);
            let batch = reader
                .batch(model, log, texts, generation.position, until)
                .await?;
            let Committed::Applied { at } = commit(&self.pool, model, &generation, &batch).await?
            else {
                return Ok(Reached::Somewhere);
            };
            if generation.is_live() {
                self.tell(model, &batch, at);
            }
            generation.position = batch.end();
            trace(model, &batch);
        }
        if generation.position < until {
            return Ok(Reached::Somewhere);
        }
        if !generation.is_live() {
            registry::analyze(&self.pool, model, &generation).await?;
            registry::swap(&self.pool, model, generation.generation).await?;
        }
        Ok(if generation.position < head {
            Reached::Bound
        } else {
            Reached::Head
        })
    }
}

/// The end of an event's trace: the correlation id that its request began with.
fn trace(model: &dyn Model, batch: &Batch) {
    // A rebuild applies tens of thousands of events a second: nothing is formatted in vain.
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    for event in batch.events() {
        tracing::debug!(
            projection = model.name(),
            position = event.position,
            correlation_id = event.metadata.get("correlation_id"),
            "applied"
        );
    }
}

/// How far a projection has come.
enum Reached {
    /// There is more that it may take.
    Somewhere,
    /// As far as it may go before the projection that it follows.
    Bound,
    /// The head of the log.
    Head,
}

/// The read model of a name.
pub(crate) fn model(name: &str) -> Result<&'static dyn Model, ProjectionError> {
    MODELS
        .into_iter()
        .find(|model| model.name() == name)
        .ok_or_else(|| ProjectionError::Unknown {
            name: name.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The program runs a projector in tasks: this need only compile.
    #[expect(dead_code, reason = "checked by the compiler alone")]
    fn a_projector_runs_in_a_task(projector: Projector) {
        tokio::spawn(async move {
            let mut progress = |_, _| {};
            projector.prepare().await?;
            projector.rebuild("texts", &mut progress).await?;
            projector.rollback("texts").await?;
            projector.catch_up().await
        });
    }
}
