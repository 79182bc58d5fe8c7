//! Questions to the read models, as the API asks them. Reads the views in the schema `read` only.

mod api_keys;
mod as_of;
mod audit;
mod documents;
mod erasures;
mod search;
mod statistics;
mod validation_errors;
mod visible;

pub use api_keys::ApiKeyRow;
pub use as_of::{as_of, each_version, is_erased};
pub use audit::{AuditFilter, AuditKey, AuditRow, Order};
pub use documents::{DocumentList, DocumentRow, ListFilter, Page, StatusRow};
pub use erasures::{ErasureRow, Kept};
pub use search::{
    BadQuery, Excerpt, FacetCount, Facets, Found, Hit, Piece, ReadAs, SearchFilter, SearchKey,
    SearchPage, SearchQuery,
};
pub use statistics::Statistics;
pub use validation_errors::ValidationErrorRow;
pub use visible::Belonging;

use crate::registry;
use kmrl_domain::authority::Visibility;
use sqlx::PgPool;

/// The read models could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("reading {what} failed")]
pub struct QueryError {
    what: &'static str,
    #[source]
    source: sqlx::Error,
}

impl QueryError {
    fn reading(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self { what, source }
    }
}

/// The read models, as somebody sees them.
#[derive(Clone, Debug)]
pub struct ReadModel {
    pool: PgPool,
    visible: Visibility,
}

impl ReadModel {
    /// The read models in the database of `pool`, all of them.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self {
            pool,
            visible: Visibility::All,
        }
    }

    /// The same with only what somebody sees of documents. The audit trail is whole in any case.
    #[must_use]
    pub fn seen_by(&self, visible: Visibility) -> Self {
        Self {
            pool: self.pool.clone(),
            visible,
        }
    }

    /// The position up to which every projection shows the log, but the audit trail, which has a
    /// position of its own.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn visible_position(&self) -> Result<i64, QueryError> {
        registry::visible_position(&self.pool)
            .await
            .map_err(QueryError::reading("the visible position"))
    }
}
