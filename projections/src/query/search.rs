//! Search: which documents hold what was asked for, in order, with where it stands in them.

mod excerpt;
mod highlight;
mod parse;
mod resolve;
mod statement;

pub use excerpt::Excerpt;
pub use highlight::Piece;
pub use parse::{BadQuery, SearchQuery};
pub use resolve::ReadAs;

use super::{DocumentRow, QueryError, ReadModel, visible};
use kmrl_domain::authority::Visibility;
use kmrl_domain::values::Status;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{Executor, FromRow, PgConnection};
use statement::{Ask, MOST_WEIGHED};
use time::OffsetDateTime;
use uuid::Uuid;

/// Which documents are searched. `None` means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchFilter {
    /// Where they came from.
    pub source: Option<String>,
    /// The department they belong to.
    pub department: Option<String>,
    /// The language they are in.
    pub language: Option<String>,
    /// Where they are on their way.
    pub status: Option<Status>,
    /// Taken in then or later.
    pub from: Option<OffsetDateTime>,
    /// Taken in before.
    pub to: Option<OffsetDateTime>,
    /// Withdrawn ones too.
    pub include_withdrawn: bool,
}

/// Where a page of hits ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchKey {
    /// The hits are in order of time, not of relevance.
    pub newest: bool,
    /// Relevance of the last hit.
    pub rank: f32,
    /// When the last hit was taken in.
    pub uploaded_at: OffsetDateTime,
    /// Its id.
    pub id: Uuid,
}

/// Which hits, and in which order.
#[derive(Clone, Copy, Debug)]
pub struct SearchPage {
    /// The newest first; else the most relevant first, unless there are too many to be weighed.
    pub newest: bool,
    /// Only what follows; says the order, too.
    pub after: Option<SearchKey>,
    /// Most hits.
    pub limit: i64,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// A page of hits.
    pub hits: Vec<Hit>,
    /// Where the page ended; `None` on the last.
    pub next: Option<SearchKey>,
    /// How many hits there are in all pages.
    pub total: i64,
    /// The hits are in order of time, not of relevance.
    pub newest: bool,
    /// How many there are of each kind.
    pub facets: Facets,
    /// Words that no document has, and what they were read as.
    pub read_as: Vec<ReadAs>,
    /// Position of the log that this was read at.
    pub shown_at: i64,
}

/// A document that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The document, without its text.
    pub document: DocumentRow,
    /// Relevance; comparable within one search only. 0 in order of time.
    pub rank: f32,
    /// Pages that hold what was searched for, of those that were looked at.
    pub pages: Vec<u32>,
    /// Where it stands.
    pub excerpts: Vec<Excerpt>,
}

/// How many hits have each value, the most frequent first. Each counts as if the search were not
/// filtered by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Facets {
    /// By where they came from.
    pub source: Vec<FacetCount>,
    /// By the department they belong to.
    pub department: Vec<FacetCount>,
    /// By language.
    pub language: Vec<FacetCount>,
    /// By where they are on their way.
    pub status: Vec<FacetCount>,
}

/// How many hits have a value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct FacetCount {
    /// The value; `None`: they have none.
    pub value: Option<String>,
    /// How many.
    pub count: i64,
}

#[derive(FromRow)]
struct Answer {
    hits: Json<Vec<Place>>,
    total: i64,
    facets: Json<Facets>,
    shown_at: i64,
}

/// A hit's place in the order.
#[derive(Clone, Copy, Deserialize)]
struct Place {
    document_id: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    uploaded_at: OffsetDateTime,
    rank: f32,
}

/// Nothing of what a search does may go on for ever, compile plans for seconds, or spill.
const BOUNDS: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; \
    SET LOCAL statement_timeout = '15s'; SET LOCAL jit = off; SET LOCAL work_mem = '32MB'";

impl ReadModel {
    /// A page of what a search finds of the documents that somebody sees.
    ///
    /// # Errors
    /// When the database does not answer, or not in time.
    pub async fn search(
        &self,
        query: &SearchQuery,
        filter: &SearchFilter,
        page: SearchPage,
    ) -> Result<Found, QueryError> {
        let mut tx = self
            .pool
            .begin()
            .await
            .map_err(QueryError::reading("a search"))?;
        let found = found(&mut tx, &self.visible, query, filter, page)
            .await
            .map_err(QueryError::reading("a search"))?;
        tx.rollback()
            .await
            .map_err(QueryError::reading("a search"))?;
        Ok(found)
    }
}

async fn found(
    connection: &mut PgConnection,
    visible: &Visibility,
    query: &SearchQuery,
    filter: &SearchFilter,
    page: SearchPage,
) -> Result<Found, sqlx::Error> {
    // A text alone, without arguments, may hold several statements.
    connection.execute(BOUNDS).await?;
    let plan = resolve::resolve(&mut *connection, query, *visible == Visibility::All).await?;
    let ask = Ask {
        visible,
        plan: &plan,
        filter,
        newest: page.after.map_or(page.newest, |key| key.newest),
        after: page.after,
        limit: page.limit.saturating_add(1),
    };
    // Planned for these very words: how frequent they are decides how they are best found.
    let mut statement = ask.statement();
    let answer: Answer = statement
        .build_query_as()
        .persistent(false)
        .fetch_one(&mut *connection)
        .await?;
    let by_relevance = page.after.is_some_and(|key| !key.newest);
    let newest = ask.newest || (!by_relevance && answer.total > MOST_WEIGHED);
    let Json(mut places) = answer.hits;
    let size = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = places.len() > size;
    places.truncate(size);
    let next = places.last().filter(|_| more).map(|last| SearchKey {
        newest,
        rank: last.rank,
        uploaded_at: last.uploaded_at,
        id: last.document_id,
    });
    Ok(Found {
        hits: excerpt::hits(connection, &plan, &places).await?,
        next,
        total: answer.total,
        newest,
        facets: answer.facets.0,
        read_as: plan.read_as,
        shown_at: answer.shown_at,
    })
}
