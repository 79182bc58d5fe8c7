//! One batch into one generation, in one transaction with its checkpoint.
//!
//! Owns the fence (a batch is applied at its checkpoint or not at all) and the search for events
//! that the database refuses. It reads nothing but the database: a batch brings what it needs.

use crate::batch::{Batch, Texts};
use crate::error::ProjectionError;
use crate::fault_point;
use crate::fold::{self, Rejected};
use crate::model::Model;
use crate::registry::Generation;
use kmrl_domain::RecordedEvent;
use sqlx::{Acquire, PgConnection, PgPool};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Committed {
    /// It is applied, and the checkpoint stands at its end.
    Applied {
        /// When, by the database's clock: just before the commit.
        at: OffsetDateTime,
    },
    /// The generation is no longer where or what it was when the batch was read: somebody else
    /// applied events to it, or swapped it. Nothing was done.
    Moved,
}

/// Applies a batch to a generation.
pub(crate) async fn commit(
    pool: &PgPool,
    model: &dyn Model,
    generation: &Generation,
    batch: &Batch,
) -> Result<Committed, ProjectionError> {
    let failed = ProjectionError::database(model.name(), "a batch");
    let work = Work {
        pool,
        model,
        generation,
        batch,
    };
    if !batch.events().iter().any(|event| model.concerns(event)) {
        return work.pass_over().await.map_err(failed);
    }
    match work.apply(Care::None).await {
        // Once more from the start, this time finding out which event it is.
        Err(error) if is_data_error(&error) => work.apply(Care::EachEvent).await.map_err(failed),
        other => other.map_err(failed),
    }
}

/// How to apply a batch.
#[derive(Clone, Copy)]
enum Care {
    /// As a whole: a data error ends the transaction.
    None,
    /// In parts with savepoints, parking the events at fault.
    EachEvent,
}

struct Work<'a> {
    pool: &'a PgPool,
    model: &'a dyn Model,
    generation: &'a Generation,
    batch: &'a Batch,
}

// Commits here do not wait for the disk (`synchronous_commit` off): rows and checkpoint are lost
// or kept together, and what is lost in a crash of the database is applied again from the log.
impl Work<'_> {
    /// Moves the checkpoint past events that do not concern the model.
    async fn pass_over(&self) -> Result<Committed, sqlx::Error> {
        let moved = sqlx::query_scalar(
            "WITH quick AS (SELECT set_config('synchronous_commit', 'off', true)) \
             UPDATE projections SET position = $5, updated_at = now() FROM quick \
             WHERE name = $1 AND generation = $2 AND state = $3 AND position = $4 \
             RETURNING clock_timestamp()",
        )
        .bind(&self.generation.name)
        .bind(self.generation.generation)
        .bind(&self.generation.state)
        .bind(self.batch.after())
        .bind(self.batch.end())
        .fetch_optional(self.pool)
        .await?;
        Ok(moved.map_or(Committed::Moved, |at| Committed::Applied { at }))
    }

    async fn apply(&self, care: Care) -> Result<Committed, sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        if !self.lock(&mut tx).await? {
            return Ok(Committed::Moved);
        }
        let events = self.batch.events();
        let texts = &self.batch.texts;
        let schema = self.generation.schema();
        let rejected = match care {
            Care::None => self.model.apply(&mut tx, &schema, events, texts).await?,
            Care::EachEvent => apply_in_parts(&mut tx, self.model, &schema, events, texts).await?,
        };
        let rejected = self.forget(&mut tx, rejected).await?;
        self.park(&mut tx, rejected).await?;
        let at = sqlx::query_scalar(
            "UPDATE projections SET position = $3, updated_at = now() \
             WHERE name = $1 AND generation = $2 RETURNING clock_timestamp()",
        )
        .bind(&self.generation.name)
        .bind(self.generation.generation)
        .bind(self.batch.end())
        .fetch_one(&mut *tx)
        .await?;
        let is_live = self.generation.is_live();
        fault_point::reach(match is_live {
            true => "projector.in_batch",
            false => "rebuild.in_batch",
        });
        tx.commit().await?;
        if is_live {
            fault_point::reach("projector.after_commit");
        }
        Ok(Committed::Applied { at })
    }

    /// Locks the checkpoint; false when it is not where the batch begins.
    async fn lock(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let found: Option<(i64, String, String)> = sqlx::query_as(
            "SELECT position, state, set_config('synchronous_commit', 'off', true) \
             FROM projections WHERE name = $1 AND generation = $2 FOR UPDATE",
        )
        .bind(&self.generation.name)
        .bind(self.generation.generation)
        .fetch_optional(connection)
        .await?;
        Ok(found.is_some_and(|(position, state, _)| {
            position == self.batch.after() && state == self.generation.state
        }))
    }

    /// What could not be applied of a document before its erasure counts no more: its content, or
    /// the text that it lacks, is gone for good.
    async fn forget(
        &self,
        connection: &mut PgConnection,
        rejected: Vec<Rejected>,
    ) -> Result<Vec<Rejected>, sqlx::Error> {
        let erasures = self.batch.events().iter().filter(|e| fold::is_erasure(e));
        let erased: BTreeMap<Uuid, i64> = erasures
            .filter_map(|event| Some((event.id().ok()?, event.position)))
            .collect();
        if erased.is_empty() {
            return Ok(rejected);
        }
        let (ids, positions): (Vec<Uuid>, Vec<i64>) = erased.iter().unzip();
        sqlx::query(
            "DELETE FROM parked_events p USING unnest($3::uuid[], $4::bigint[]) AS e (id, position) \
             WHERE p.projection = $1 AND p.generation = $2 \
               AND p.document_id = e.id AND p.position < e.position",
        )
        .bind(&self.generation.name)
        .bind(self.generation.generation)
        .bind(ids)
        .bind(positions)
        .execute(connection)
        .await?;
        let before_erasure = |r: &Rejected| {
            let erased_at = r.document_id.and_then(|id| erased.get(&id));
            erased_at.is_some_and(|position| r.position < *position)
        };
        Ok(rejected
            .into_iter()
            .filter(|r| !before_erasure(r))
            .collect())
    }

    async fn park(
        &self,
        connection: &mut PgConnection,
        rejected: Vec<Rejected>,
    ) -> Result<(), sqlx::Error> {
        if rejected.is_empty() {
            return Ok(());
        }
        let (mut positions, mut ids, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for event in rejected {
            tracing::warn!(
                projection = self.model.name(),
                position = event.position,
                document_id = ?event.document_id,
                error = event.error,
                "event parked: it cannot be applied"
            );
            positions.push(event.position);
            ids.push(event.document_id);
            errors.push(event.error);
        }
        sqlx::query(
            "INSERT INTO parked_events (projection, generation, position, document_id, error) \
             SELECT $1, $2, * FROM unnest($3::bigint[], $4::uuid[], $5::text[]) \
             ON CONFLICT DO NOTHING",
        )
        .bind(&self.generation.name)
        .bind(self.generation.generation)
        .bind(positions)
        .bind(ids)
        .bind(errors)
        .execute(connection)
        .await
        .map(drop)
    }
}

/// Applies events in order, halving what the database refuses until the events at fault are alone.
async fn apply_in_parts(
    connection: &mut PgConnection,
    model: &dyn Model,
    schema: &str,
    events: &[RecordedEvent],
    texts: &Texts,
) -> Result<Vec<Rejected>, sqlx::Error> {
    let mut rejected = Vec::new();
    let mut parts = vec![events];
    while let Some(part) = parts.pop() {
        let mut savepoint = connection.begin().await?;
        match model.apply(&mut savepoint, schema, part, texts).await {
            Ok(found) => {
                savepoint.commit().await?;
                rejected.extend(found);
            }
            Err(error) if is_data_error(&error) => {
                savepoint.rollback().await?;
                if let [event] = part {
                    rejected.push(Rejected::new(event, &error));
                } else {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(rejected)
}

/// The database refuses what it was given, and would again: a data exception (SQLSTATE class 22),
/// a broken constraint (23), or a limit passed (54, such as a value too long to be indexed).
fn is_data_error(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| {
            ["22", "23", "54"]
                .iter()
                .any(|class| code.starts_with(class))
        })
}
