//! Rebuilding a projection while it is in use, and going back to what was before.
//!
//! A new generation is filled beside the live one, with its own checkpoint, and shown in its place
//! once it has come as far. The one before is kept until the next rebuild.

use crate::batch::{Batch, Reader};
use crate::commit::{Committed, commit};
use crate::error::ProjectionError;
use crate::fault_point;
use crate::model::Model;
use crate::registry::{self, Generation};
use crate::runner::{Projector, model};

/// What a rebuild or a rollback has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebuildReport {
    /// The projection.
    pub name: &'static str,
    /// The generation shown now.
    pub generation: i32,
    /// The generation shown before, kept for rollback.
    pub previous: i32,
    /// The position that the new generation had reached when it was shown, or a later one.
    pub position: i64,
    /// Events parked in the new generation.
    pub parked: i64,
}

impl Projector {
    /// Rebuilds a projection from the whole log. Readers see the old rows until the new ones have
    /// come as far, and then those, at one stroke. `progress` is told the position reached and the
    /// log's head. A rebuild that was interrupted is taken up where it stopped.
    ///
    /// # Errors
    /// When there is no such projection, or what it reads or writes fails; the old rows stay.
    pub async fn rebuild(
        &self,
        name: &str,
        progress: &mut (dyn FnMut(i64, i64) + Send),
    ) -> Result<RebuildReport, ProjectionError> {
        let model = model(name)?;
        let generation = registry::build(&self.pool, model).await?;
        self.fill_and_show(model, generation, progress).await
    }

    /// Shows the generation before the live one again, once it has caught up with the log.
    ///
    /// # Errors
    /// When there is no earlier one that this program can write, or what it reads or writes fails.
    pub async fn rollback(&self, name: &str) -> Result<RebuildReport, ProjectionError> {
        let model = model(name)?;
        let failed = ProjectionError::database(model.name(), "going back");
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        let all = registry::generations(&mut connection, model, false).await?;
        drop(connection);
        let earlier = all
            .into_iter()
            .rev()
            .find(|g| g.state == "retired" && g.shape == model.shape())
            .ok_or(ProjectionError::NothingToRollBackTo {
                projection: model.name(),
            })?;
        self.fill_and_show(model, earlier, &mut |_, _| {}).await
    }

    pub(crate) async fn fill_and_show(
        &self,
        model: &dyn Model,
        mut generation: Generation,
        progress: &mut (dyn FnMut(i64, i64) + Send),
    ) -> Result<RebuildReport, ProjectionError> {
        loop {
            self.fill(model, &mut generation, i64::MAX, progress)
                .await?;
            registry::analyze(&self.pool, model, &generation).await?;
            fault_point::reach("rebuild.before_swap");
            let shown = registry::swap(&self.pool, model, generation.generation).await?;
            if let Some(previous) = shown {
                return Ok(RebuildReport {
                    name: model.name(),
                    generation: generation.generation,
                    previous: previous.generation,
                    position: generation.position,
                    parked: self.parked(model, &generation).await?,
                });
            }
            generation = self.found(model, generation.generation).await?;
        }
    }

    /// Applies the log to a generation up to its head, or to `most`, reading the next batch while the database
    /// takes the one before.
    pub(crate) async fn fill(
        &self,
        model: &dyn Model,
        generation: &mut Generation,
        most: i64,
        progress: &mut (dyn FnMut(i64, i64) + Send),
    ) -> Result<(), ProjectionError> {
        let head = self
            .log
            .head()
            .await
            .map_err(ProjectionError::Head)?
            .min(most);
        let until = head.min(registry::bound(&self.pool, model).await?);
        let mut next = self.read(model, generation.position, until).await?;
        progress(generation.position.min(head), head);
        while let Some(batch) = next {
            let (committed, ahead) = futures::join!(
                commit(&self.pool, model, generation, &batch),
                self.read(model, batch.end(), until),
            );
            next = match committed? {
                Committed::Applied { .. } => {
                    generation.position = batch.end();
                    ahead?
                }
                Committed::Moved => {
                    *generation = self.found(model, generation.generation).await?;
                    if generation.is_live() {
                        return Ok(()); // Somebody else has filled and shown it.
                    }
                    self.read(model, generation.position, until).await?
                }
            };
            progress(generation.position.min(head), head);
        }
        Ok(())
    }

    async fn read(
        &self,
        model: &dyn Model,
        after: i64,
        until: i64,
    ) -> Result<Option<Batch>, ProjectionError> {
        if after >= until {
            return Ok(None);
        }
        let (log, texts) = (&*self.log, &*self.texts);
        let mut reader = Reader::default();
        reader
            .batch(model, log, texts, after, until)
            .await
            .map(Some)
    }

    async fn found(
        &self,
        model: &dyn Model,
        generation: i32,
    ) -> Result<Generation, ProjectionError> {
        let failed = ProjectionError::database(model.name(), "finding the generation");
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        registry::generations(&mut connection, model, false)
            .await?
            .into_iter()
            .find(|g| g.generation == generation)
            .ok_or(ProjectionError::Dropped {
                projection: model.name(),
                generation,
            })
    }

    async fn parked(
        &self,
        model: &dyn Model,
        generation: &Generation,
    ) -> Result<i64, ProjectionError> {
        sqlx::query_scalar(
            "SELECT count(*) FROM parked_events WHERE projection = $1 AND generation = $2",
        )
        .bind(model.name())
        .bind(generation.generation)
        .fetch_one(&self.pool)
        .await
        .map_err(ProjectionError::database(
            model.name(),
            "counting parked events",
        ))
    }
}
