//! Whether the rows that readers see are those that the log gives: a rebuild beside them, compared
//! row by row at one position, and dropped again (or shown in their place).

use crate::error::ProjectionError;
use crate::model::Model;
use crate::registry::{self, Generation};
use crate::runner::{Projector, model};
use sqlx::PgConnection;

/// How many unlike rows of a table are told.
const TOLD: i64 = 20;
/// How often the new generation is brought further because the live one was ahead.
const TURNS: u32 = 100;

/// Live rows against rebuilt ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The projection.
    pub name: &'static str,
    /// The position at which both stood.
    pub position: i64,
    /// Rows that are not the same in both.
    pub unlike: Vec<UnlikeRow>,
    /// The rebuilt rows are shown now.
    pub shown: bool,
}

/// A row that is in one of the two alone, or differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnlikeRow {
    /// Its table.
    pub table: &'static str,
    /// Value of the table's first column, which is (part of) its key.
    pub key: String,
}

impl Projector {
    /// Rebuilds a projection beside the live one and compares them. With `repair`, the rebuilt rows
    /// are shown if any differ, unless they lack an event that the live ones have (its text is
    /// missing, say); else they are dropped.
    ///
    /// # Errors
    /// When there is no such projection, or what it reads or writes fails.
    pub async fn compare(
        &self,
        name: &str,
        repair: bool,
        progress: &mut (dyn FnMut(i64, i64) + Send),
    ) -> Result<Comparison, ProjectionError> {
        let model = model(name)?;
        let mut generation = registry::build(&self.pool, model).await?;
        for _ in 0..TURNS {
            // Not beyond the live one, which may have nobody who brings it further.
            let live = self.live_position(model).await?;
            self.fill(model, &mut generation, live, progress).await?;
            let Some(unlike) = self.unlike(model, &mut generation).await? else {
                continue;
            };
            let is_poorer = self.is_poorer(model, &generation).await?;
            let mut comparison = Comparison {
                name: model.name(),
                position: generation.position,
                shown: repair && !unlike.is_empty() && !is_poorer,
                unlike,
            };
            if comparison.shown {
                let report = self.fill_and_show(model, generation, progress).await?;
                comparison.position = report.position;
            } else {
                registry::drop_unshown(&self.pool, model, generation.generation).await?;
            }
            return Ok(comparison);
        }
        Err(ProjectionError::NeverLevel {
            projection: model.name(),
        })
    }

    /// Whether an event could not be applied to the rebuilt rows that was applied to the live ones.
    async fn is_poorer(
        &self,
        model: &dyn Model,
        built: &Generation,
    ) -> Result<bool, ProjectionError> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM parked_events b WHERE b.projection = $1 AND b.generation = $2 \
             AND NOT EXISTS (SELECT 1 FROM read.parked_events l \
                             WHERE l.projection = b.projection AND l.position = b.position))",
        )
        .bind(model.name())
        .bind(built.generation)
        .fetch_one(&self.pool)
        .await
        .map_err(ProjectionError::database(model.name(), "comparing"))
    }

    async fn live_position(&self, model: &dyn Model) -> Result<i64, ProjectionError> {
        sqlx::query_scalar("SELECT position FROM projections WHERE name = $1 AND state = 'live'")
            .bind(model.name())
            .fetch_optional(&self.pool)
            .await
            .map_err(ProjectionError::database(model.name(), "comparing"))?
            .ok_or(ProjectionError::NotPrepared {
                projection: model.name(),
            })
    }

    /// The rows that differ while both stand at one position, or `None` when they do not. The live
    /// one is held only until the snapshot is taken that is compared afterwards.
    async fn unlike(
        &self,
        model: &dyn Model,
        generation: &mut Generation,
    ) -> Result<Option<Vec<UnlikeRow>>, ProjectionError> {
        let failed = |operation| ProjectionError::database(model.name(), operation);
        let mut hold = self.pool.begin().await.map_err(failed("comparing"))?;
        let all = registry::generations(&mut hold, model, true).await?;
        let number = generation.generation;
        let (Some(built), Some(live)) = (
            all.iter().find(|g| g.generation == number && !g.is_live()),
            all.iter().find(|g| g.is_live()),
        ) else {
            return Err(ProjectionError::Dropped {
                projection: model.name(),
                generation: number,
            });
        };
        generation.position = built.position;
        if built.position != live.position {
            return Ok(None);
        }
        let mut snapshot = self.pool.begin().await.map_err(failed("comparing"))?;
        for begin in [
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "SELECT 1",
        ] {
            let begun = sqlx::query(begin).execute(&mut *snapshot).await;
            begun.map_err(failed("comparing"))?;
        }
        hold.rollback().await.map_err(failed("comparing"))?;
        let mut unlike = Vec::new();
        for table in model.tables() {
            let rows = rows(&mut snapshot, table, &live.schema(), &built.schema()).await;
            unlike.extend(rows.map_err(failed("comparing"))?);
        }
        unlike.sort();
        unlike.dedup();
        Ok(Some(unlike))
    }
}

async fn rows(
    connection: &mut PgConnection,
    table: &'static str,
    live: &str,
    built: &str,
) -> Result<Vec<UnlikeRow>, sqlx::Error> {
    let key: String = sqlx::query_scalar(
        "SELECT column_name::text FROM information_schema.columns \
         WHERE table_schema = $1 AND table_name = $2 AND ordinal_position = 1",
    )
    .bind(live)
    .bind(table)
    .fetch_one(&mut *connection)
    .await?;
    // As text: a column of JSON knows no equality.
    let all =
        |schema: &str| format!("SELECT t.{key}::text AS key, t::text FROM {schema}.{table} t");
    let (live, built) = (all(live), all(built));
    let sql = format!(
        "SELECT key FROM (({live} EXCEPT {built}) UNION ALL ({built} EXCEPT {live})) u \
         ORDER BY key LIMIT {TOLD}"
    );
    let keys: Vec<Option<String>> = sqlx::query_scalar(&sql).fetch_all(connection).await?;
    let unlike = |key: Option<String>| UnlikeRow {
        table,
        key: key.unwrap_or_default(),
    };
    Ok(keys.into_iter().map(unlike).collect())
}
