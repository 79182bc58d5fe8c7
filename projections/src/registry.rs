//! The table `projections`: which generations of a read model there are, and how far each has come.
//!
//! Owns the making, showing and dropping of generations. What goes into their tables is the
//! models' business.

use crate::error::ProjectionError;
use crate::model::Model;
use sqlx::{Executor, PgConnection, PgPool};

/// Held while generations are made, so that two programs that start at once make one.
const MAKING: i64 = 0x6b6d_726c_0003;

/// One generation of a read model.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub(crate) struct Generation {
    pub name: String,
    pub generation: i32,
    pub shape: i32,
    pub state: String,
    pub position: i64,
}

impl Generation {
    /// The schema that its tables are in.
    pub fn schema(&self) -> String {
        format!("rm_{}_{}", self.name, self.generation)
    }

    pub fn is_live(&self) -> bool {
        self.state == "live"
    }
}

const COLUMNS: &str = "name, generation, shape, state, position";

/// All generations of a model, oldest first.
pub(crate) async fn generations(
    connection: &mut PgConnection,
    model: &dyn Model,
    lock: bool,
) -> Result<Vec<Generation>, ProjectionError> {
    let lock = if lock { "FOR UPDATE" } else { "" };
    let sql =
        format!("SELECT {COLUMNS} FROM projections WHERE name = $1 ORDER BY generation {lock}");
    sqlx::query_as(&sql)
        .bind(model.name())
        .fetch_all(connection)
        .await
        .map_err(ProjectionError::database(
            model.name(),
            "finding generations",
        ))
}

/// The generation that the runner keeps up (the live one, or, while that has another shape than
/// the model's, the one being built), and the position that it must not pass.
pub(crate) async fn current(
    pool: &PgPool,
    model: &dyn Model,
) -> Result<(Generation, i64), ProjectionError> {
    #[derive(sqlx::FromRow)]
    struct Found {
        #[sqlx(flatten)]
        generation: Generation,
        bound: i64,
    }
    let found: Option<Found> = sqlx::query_as(
        "SELECT name, generation, shape, state, position, \
         CASE WHEN $3::text IS NULL THEN 9223372036854775807 ELSE coalesce( \
            (SELECT f.position FROM projections f WHERE f.name = $3 AND f.state = 'live'), 0) \
         END AS bound \
         FROM projections WHERE name = $1 AND shape = $2 AND state IN ('live', 'building') \
         ORDER BY state DESC, generation DESC LIMIT 1",
    )
    .bind(model.name())
    .bind(model.shape())
    .bind(model.follows())
    .fetch_optional(pool)
    .await
    .map_err(ProjectionError::database(
        model.name(),
        "finding the generation",
    ))?;
    found
        .map(|f| (f.generation, f.bound))
        .ok_or(ProjectionError::NotPrepared {
            projection: model.name(),
        })
}

/// The position that `model` must not pass: where the projection that it follows stands.
pub(crate) async fn bound(pool: &PgPool, model: &dyn Model) -> Result<i64, ProjectionError> {
    let Some(leader) = model.follows() else {
        return Ok(i64::MAX);
    };
    sqlx::query_scalar("SELECT position FROM projections WHERE name = $1 AND state = 'live'")
        .bind(leader)
        .fetch_optional(pool)
        .await
        .map(Option::unwrap_or_default)
        .map_err(ProjectionError::database(model.name(), "finding its bound"))
}

/// The position up to which every projection has come that somebody waits for.
pub(crate) async fn visible_position(pool: &PgPool) -> Result<i64, sqlx::Error> {
    let apart: Vec<&str> = crate::model::apart().map(Model::name).collect();
    sqlx::query_scalar(
        "SELECT coalesce(min(position), 0) FROM projections \
         WHERE state = 'live' AND name <> ALL($1)",
    )
    .bind(apart)
    .fetch_one(pool)
    .await
}

/// The position up to which one projection has come; 0 when it has no tables yet.
pub(crate) async fn position(pool: &PgPool, name: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT position FROM projections WHERE state = 'live' AND name = $1")
        .bind(name)
        .fetch_optional(pool)
        .await
        .map(Option::unwrap_or_default)
}

/// Makes what a model lacks: the first generation, or one to be built when the live one has
/// another shape.
pub(crate) async fn prepare(pool: &PgPool, model: &dyn Model) -> Result<(), ProjectionError> {
    let failed = |operation| ProjectionError::database(model.name(), operation);
    let mut tx = pool.begin().await.map_err(failed("preparation"))?;
    lock_making(&mut tx, model).await?;
    let all = generations(&mut tx, model, false).await?;
    match all.iter().find(|g| g.is_live()) {
        None => {
            let made = make(&mut tx, model, &all, "live").await?;
            show(&mut tx, model, &made).await?;
        }
        Some(live) if live.shape != model.shape() && building(&all, model).is_none() => {
            make(&mut tx, model, &all, "building").await?;
        }
        Some(_) => {}
    }
    tx.commit().await.map_err(failed("preparation"))
}

/// The generation being built, taken up where it stands, or a new one.
pub(crate) async fn build(pool: &PgPool, model: &dyn Model) -> Result<Generation, ProjectionError> {
    let failed = |operation| ProjectionError::database(model.name(), operation);
    let mut tx = pool.begin().await.map_err(failed("rebuilding"))?;
    lock_making(&mut tx, model).await?;
    let all = generations(&mut tx, model, false).await?;
    let generation = match building(&all, model) {
        Some(generation) => generation.clone(),
        None => make(&mut tx, model, &all, "building").await?,
    };
    tx.commit().await.map_err(failed("rebuilding"))?;
    Ok(generation)
}

fn building<'a>(all: &'a [Generation], model: &dyn Model) -> Option<&'a Generation> {
    all.iter()
        .rev()
        .find(|g| g.state == "building" && g.shape == model.shape())
}

async fn lock_making(
    connection: &mut PgConnection,
    model: &dyn Model,
) -> Result<(), ProjectionError> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(MAKING)
        .execute(connection)
        .await
        .map(drop)
        .map_err(ProjectionError::database(model.name(), "locking"))
}

async fn make(
    connection: &mut PgConnection,
    model: &dyn Model,
    all: &[Generation],
    state: &str,
) -> Result<Generation, ProjectionError> {
    let made = Generation {
        name: model.name().to_owned(),
        generation: all.iter().map(|g| g.generation).max().unwrap_or(0) + 1,
        shape: model.shape(),
        state: state.to_owned(),
        position: 0,
    };
    let schema = made.schema();
    let tables = model.definition().replace("{schema}", &schema);
    execute(
        connection,
        model,
        &format!("CREATE SCHEMA {schema};\n{tables}"),
    )
    .await?;
    sqlx::query("INSERT INTO projections (name, generation, shape, state) VALUES ($1, $2, $3, $4)")
        .bind(&made.name)
        .bind(made.generation)
        .bind(made.shape)
        .bind(&made.state)
        .execute(connection)
        .await
        .map_err(ProjectionError::database(
            model.name(),
            "making a generation",
        ))?;
    Ok(made)
}

/// Shows a generation's tables to readers.
async fn show(
    connection: &mut PgConnection,
    model: &dyn Model,
    generation: &Generation,
) -> Result<(), ProjectionError> {
    let schema = generation.schema();
    for table in model.tables() {
        let sql = format!(
            "DROP VIEW IF EXISTS read.{table}; \
             CREATE VIEW read.{table} AS SELECT * FROM {schema}.{table};"
        );
        execute(connection, model, &sql).await?;
    }
    Ok(())
}

/// Makes a generation the live one if it has come as far as the live one, under the lock of both.
/// The one that was live is kept as retired; those retired before it are dropped.
/// Answers the one that was live, or `None` when it was too early.
pub(crate) async fn swap(
    pool: &PgPool,
    model: &dyn Model,
    generation: i32,
) -> Result<Option<Generation>, ProjectionError> {
    let failed = |operation| ProjectionError::database(model.name(), operation);
    let mut tx = pool.begin().await.map_err(failed("swapping"))?;
    let all = generations(&mut tx, model, true).await?;
    let (Some(new), Some(old)) = (
        all.iter().find(|g| g.generation == generation),
        all.iter().find(|g| g.is_live()),
    ) else {
        return Err(ProjectionError::Dropped {
            projection: model.name(),
            generation,
        });
    };
    if new.is_live() {
        // Somebody else has shown it already.
        let retired = all.iter().find(|g| g.state == "retired");
        return Ok(Some(retired.unwrap_or(new).clone()));
    }
    if new.position < old.position {
        return Ok(None);
    }
    set_state(&mut tx, model, old, "retired").await?;
    set_state(&mut tx, model, new, "live").await?;
    show(&mut tx, model, new).await?;
    let others = all.iter().filter(|g| *g != new && *g != old);
    for other in others.filter(|g| g.state == "retired" || g.generation < generation) {
        discard(&mut tx, model, other).await?;
    }
    tx.commit().await.map_err(failed("swapping"))?;
    Ok(Some(old.clone()))
}

async fn set_state(
    connection: &mut PgConnection,
    model: &dyn Model,
    generation: &Generation,
    state: &str,
) -> Result<(), ProjectionError> {
    sqlx::query(
        "UPDATE projections SET state = $3, updated_at = now() WHERE name = $1 AND generation = $2",
    )
    .bind(&generation.name)
    .bind(generation.generation)
    .bind(state)
    .execute(connection)
    .await
    .map(drop)
    .map_err(ProjectionError::database(model.name(), "swapping"))
}

async fn discard(
    connection: &mut PgConnection,
    model: &dyn Model,
    generation: &Generation,
) -> Result<(), ProjectionError> {
    let (name, number) = (&generation.name, generation.generation);
    let sql = format!(
        "DROP SCHEMA IF EXISTS {} CASCADE; \
         DELETE FROM parked_events WHERE projection = '{name}' AND generation = {number}; \
         DELETE FROM projections WHERE name = '{name}' AND generation = {number};",
        generation.schema(),
    );
    execute(connection, model, &sql).await
}

/// Drops a generation that was never shown.
pub(crate) async fn drop_unshown(
    pool: &PgPool,
    model: &dyn Model,
    generation: i32,
) -> Result<(), ProjectionError> {
    let failed = |operation| ProjectionError::database(model.name(), operation);
    let mut tx = pool.begin().await.map_err(failed("dropping"))?;
    let all = generations(&mut tx, model, true).await?;
    let is_it = |g: &&Generation| g.generation == generation && g.state == "building";
    if let Some(found) = all.iter().find(is_it) {
        discard(&mut tx, model, found).await?;
    }
    tx.commit().await.map_err(failed("dropping"))
}

/// Gathers what the planner needs to know of a generation's tables.
pub(crate) async fn analyze(
    pool: &PgPool,
    model: &dyn Model,
    generation: &Generation,
) -> Result<(), ProjectionError> {
    for table in model.tables() {
        sqlx::query(&format!("ANALYZE {}.{table}", generation.schema()))
            .execute(pool)
            .await
            .map_err(ProjectionError::database(model.name(), "analysing"))?;
    }
    Ok(())
}

async fn execute(
    connection: &mut PgConnection,
    model: &dyn Model,
    sql: &str,
) -> Result<(), ProjectionError> {
    // A text alone, without arguments, may hold several statements.
    connection
        .execute(sql)
        .await
        .map(drop)
        .map_err(ProjectionError::database(
            model.name(),
            "changing the tables",
        ))
}

/// A generation that nobody has filled for this long is left behind.
const LEFT_BEHIND: &str = "10 minutes";

/// Makes sure that no generation shows rows from before a position: drops those that are kept for
/// rollback, or were left behind while they were built, and stand before it. Answers whether the
/// others have passed it.
pub(crate) async fn forget_before(
    pool: &PgPool,
    model: &dyn Model,
    position: i64,
) -> Result<bool, ProjectionError> {
    let failed = |operation| ProjectionError::database(model.name(), operation);
    let mut tx = pool.begin().await.map_err(failed("forgetting"))?;
    let all = generations(&mut tx, model, true).await?;
    let left: Vec<i32> = sqlx::query_scalar(&format!(
        "SELECT generation FROM projections WHERE name = $1 AND state <> 'live' \
         AND (state = 'retired' OR updated_at < now() - interval '{LEFT_BEHIND}')"
    ))
    .bind(model.name())
    .fetch_all(&mut *tx)
    .await
    .map_err(failed("forgetting"))?;
    let mut passed = true;
    for generation in all.iter().filter(|g| g.position < position) {
        if left.contains(&generation.generation) {
            discard(&mut tx, model, generation).await?;
        } else {
            passed = false;
        }
    }
    tx.commit().await.map_err(failed("forgetting"))?;
    Ok(passed)
}
