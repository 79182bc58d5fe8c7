//! The database's schema: made by the migrations that are built into the program.

use sqlx::PgPool;
use sqlx::migrate::{MigrateError, Migrator};

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// Why the schema is not what this program needs.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It could not be read.
    #[error("reading which migrations the database has")]
    Read(#[source] sqlx::Error),
    /// A migration has not been applied yet.
    #[error("the database lacks migration {missing}")]
    Behind {
        /// Number of the first one missing.
        missing: i64,
    },
}

/// Applies the migrations that the database lacks. Several programs may do so at once: one does
/// it, the others wait.
///
/// # Errors
/// When a migration fails, or the database has one that differs from ours.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    MIGRATOR.run(pool).await
}

/// Checks that all migrations of this program are applied. More may be: a newer program expands
/// the schema before the older ones have gone.
///
/// # Errors
/// When one is missing or the database does not answer.
pub async fn check_schema(pool: &PgPool) -> Result<(), SchemaError> {
    let applied: Vec<i64> =
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
            .fetch_all(pool)
            .await
            .or_else(|error| {
                if is_undefined_table(&error) {
                    Ok(Vec::new())
                } else {
                    Err(error)
                }
            })
            .map_err(SchemaError::Read)?;
    match MIGRATOR.iter().find(|m| !applied.contains(&m.version)) {
        Some(missing) => Err(SchemaError::Behind {
            missing: missing.version,
        }),
        None => Ok(()),
    }
}

fn is_undefined_table(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code());
    code.is_some_and(|code| code == "42P01")
}
