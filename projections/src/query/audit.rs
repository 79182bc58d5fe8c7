//! The audit trail: who did, saw or tried what, by key.

use super::{QueryError, ReadModel};
use crate::models::audit::NAME;
use crate::registry;
use kmrl_domain::access::Outcome;
use serde::Serialize;
use serde_json::Value;
use sqlx::{FromRow, Postgres, QueryBuilder};
use time::OffsetDateTime;
use uuid::Uuid;

/// One entry of the trail.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct AuditRow {
    /// Position of its event.
    pub position: i64,
    /// Place in its event, from 0.
    pub index: i32,
    /// `access` or `change`.
    pub kind: String,
    /// When it was answered.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// When its event was recorded.
    #[serde(with = "time::serde::rfc3339")]
    pub recorded_at: OffsetDateTime,
    /// Who.
    pub actor: String,
    /// Which key.
    pub key_id: Option<String>,
    /// What.
    pub action: String,
    /// How it ended.
    pub outcome: String,
    /// Which document.
    pub document_id: Option<Uuid>,
    /// Which version of it.
    pub version: Option<i64>,
    /// Position of the log that the answer was made at.
    pub shown_at: Option<i64>,
    /// How many things were shown.
    pub count: Option<i64>,
    /// The HTTP status.
    pub status: Option<i32>,
    /// Stable word of the problem.
    pub problem: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The HTTP request.
    pub request_id: Option<String>,
    /// The same for everything that one request set off.
    pub correlation_id: Option<String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// What was asked for: a JSON object of texts.
    pub parameters: Value,
}

impl AuditRow {
    /// Its place in the trail.
    #[must_use]
    pub const fn key(&self) -> AuditKey {
        AuditKey {
            position: self.position,
            index: self.index,
        }
    }
}

/// Place of an entry in the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditKey {
    /// Position of its event.
    pub position: i64,
    /// Place in its event.
    pub index: i32,
}

/// Which entries; `None` takes all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditFilter {
    /// Of this document.
    pub document_id: Option<Uuid>,
    /// By this actor.
    pub actor: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// Recorded then or later.
    pub since: Option<OffsetDateTime>,
    /// Recorded before.
    pub until: Option<OffsetDateTime>,
    /// Only after this position.
    pub after: Option<i64>,
    /// Only before this position.
    pub before: Option<i64>,
}

/// In which order entries come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
}

impl ReadModel {
    /// At most `limit` entries that pass the filter, after the one with a key if there is one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audit(
        &self,
        filter: &AuditFilter,
        order: Order,
        after: Option<AuditKey>,
        limit: i64,
    ) -> Result<Vec<AuditRow>, QueryError> {
        audit_query(filter, order, after, limit)
            .build_query_as()
            .fetch_all(&self.pool)
            .await
            .map_err(QueryError::reading("the audit trail"))
    }

    /// Positions up to one, in their order, of the entries of the log that hold records of access
    /// to a document. Those that the trail does not show yet are looked for in the log itself,
    /// where one may be given that only mentions the document.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn access_positions(
        &self,
        document_id: Uuid,
        to: i64,
    ) -> Result<Vec<i64>, QueryError> {
        let shown = self.audit_position().await?;
        sqlx::query_scalar(
            "SELECT a.position FROM read.audit a \
             WHERE a.document_id = $1 AND a.kind = 'access' AND a.position <= least($2, $3) \
             UNION SELECT e.position FROM events e \
             WHERE e.position > $3 AND e.position <= $2 AND e.aggregate_type = $4 \
               AND strpos(e.payload::text, $5) > 0 ORDER BY 1",
        )
        .bind(document_id)
        .bind(to)
        .bind(shown)
        .bind(kmrl_domain::access::TYPE)
        .bind(document_id.to_string())
        .fetch_all(&self.pool)
        .await
        .map_err(QueryError::reading("the records of access to a document"))
    }

    /// The position up to which the audit trail shows the log.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audit_position(&self) -> Result<i64, QueryError> {
        registry::position(&self.pool, NAME)
            .await
            .map_err(QueryError::reading("the position of the audit trail"))
    }
}

fn audit_query(
    filter: &AuditFilter,
    order: Order,
    after: Option<AuditKey>,
    limit: i64,
) -> QueryBuilder<'_, Postgres> {
    let mut query = QueryBuilder::new("SELECT * FROM read.audit a WHERE true");
    if let Some(id) = filter.document_id {
        query.push(" AND a.document_id = ").push_bind(id);
    }
    for (column, word) in [
        ("actor", filter.actor.as_deref()),
        ("action", filter.action.as_deref()),
        ("outcome", filter.outcome.map(Outcome::as_str)),
    ] {
        if let Some(word) = word {
            query.push(format_args!(" AND a.{column} = "));
            query.push_bind(word);
        }
    }
    // Time never decreases along positions: a bound in time is one in position, which the order
    // of the page can use.
    if let Some(since) = filter.since {
        query.push(" AND a.position >= ");
        push_first_at(&mut query, since);
    }
    if let Some(until) = filter.until {
        query.push(" AND a.position < coalesce(");
        push_first_at(&mut query, until);
        query.push(", 9223372036854775807)");
    }
    if let Some(position) = filter.after {
        query.push(" AND a.position > ").push_bind(position);
    }
    if let Some(position) = filter.before {
        query.push(" AND a.position < ").push_bind(position);
    }
    let (direction, word) = match order {
        Order::Newest => ("<", "DESC"),
        Order::Oldest => (">", "ASC"),
    };
    if let Some(key) = after {
        query.push(format_args!(" AND (a.position, a.index) {direction} ("));
        query.push_bind(key.position).push(", ");
        query.push_bind(key.index).push(")");
    }
    query.push(format_args!(
        " ORDER BY a.position {word}, a.index {word} LIMIT "
    ));
    query.push_bind(limit);
    query
}

/// The position of the first entry recorded at a time or later, as a subquery.
fn push_first_at(query: &mut QueryBuilder<'_, Postgres>, at: OffsetDateTime) {
    query.push("(SELECT f.position FROM read.audit f WHERE f.recorded_at >= ");
    query.push_bind(at);
    query.push(" ORDER BY f.recorded_at, f.position LIMIT 1)");
}
