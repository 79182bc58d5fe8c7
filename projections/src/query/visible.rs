//! Which documents somebody sees, as a condition of a query.
//!
//! Says in SQL what [`Visibility::sees`] says of one document; a test compares the two.

use super::{QueryError, ReadModel};
use kmrl_domain::authority::Visibility;
use sqlx::{FromRow, Postgres, QueryBuilder};
use uuid::Uuid;

/// What of a document says who sees it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Belonging {
    /// The document.
    pub id: Uuid,
    /// The department it belongs to.
    pub department: Option<String>,
    /// Who uploaded it, as kept with the event.
    pub uploader: String,
}

/// Departments (`None`: all) and uploader, as [`condition`] takes them.
pub(super) fn parts(visible: &Visibility) -> (Option<&[String]>, &str) {
    match visible {
        Visibility::All => (None, ""),
        Visibility::Some {
            departments,
            uploader,
        } => (Some(departments), uploader),
    }
}

/// Whether a row of documents is seen; `{t}` is the table, `{d}` and `{u}` the places of [`parts`].
pub(super) fn condition(table: &str, departments: u8, uploader: u8) -> String {
    format!(
        "(${departments}::text[] IS NULL OR {table}.department = ANY(${departments}) \
         OR {table}.uploader = ${uploader})"
    )
}

/// Leaves out what is not seen.
pub(super) fn push<'a>(
    query: &mut QueryBuilder<'a, Postgres>,
    table: &str,
    visible: &'a Visibility,
) {
    if let Visibility::Some {
        departments,
        uploader,
    } = visible
    {
        query
            .push(format_args!(" AND ({table}.department = ANY("))
            .push_bind(departments)
            .push(format_args!(") OR {table}.uploader = "))
            .push_bind(uploader)
            .push(")");
    }
}

impl ReadModel {
    /// Of those of the documents that there are: what says who sees them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn belonging(&self, ids: &[Uuid]) -> Result<Vec<Belonging>, QueryError> {
        sqlx::query_as("SELECT id, department, uploader FROM read.documents WHERE id = ANY($1)")
            .bind(ids)
            .fetch_all(&self.pool)
            .await
            .map_err(QueryError::reading("who sees documents"))
    }
}
