//! Reading the log by position: for projections, the relay, live subscribers and people.
//!
//! Positions become visible in their order and without a gap, because whoever appends holds the
//! head row until its commit: a reader may go on from the last position it saw. Read only.

use super::types::Upcasters;
use cqrs_es::persist::SerializedEvent;
use kmrl_domain::RecordedEvent;
use kmrl_domain::upcast::upcast;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgPool, Postgres, QueryBuilder};
use std::collections::HashMap;
use time::OffsetDateTime;
use uuid::Uuid;

const SELECT: &str = "SELECT e.position, e.aggregate_type, e.aggregate_id, e.sequence, \
     e.event_type, e.event_version, e.payload, e.metadata, e.recorded_at, p.content AS private \
     FROM events e LEFT JOIN private_parts p ON p.position = e.position WHERE ";

/// As [`SELECT`], but what only the audit trail reads stays in the database.
const SELECT_WITHOUT_ACCESS: &str = "SELECT e.position, e.aggregate_type, e.aggregate_id, \
     e.sequence, e.event_type, e.event_version, \
     CASE WHEN e.aggregate_type = 'access' THEN 'null'::json ELSE e.payload END AS payload, \
     e.metadata, e.recorded_at, p.content AS private \
     FROM events e LEFT JOIN private_parts p ON p.position = e.position WHERE ";

/// Reads the log. Cheap to clone.
#[derive(Clone)]
pub struct EventLog {
    pool: PgPool,
    upcasters: Upcasters,
}

/// Which events a page is to hold; `None` takes all.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Only events after this position.
    pub after: i64,
    /// At most so many.
    pub limit: i64,
    /// Of this document.
    pub document_id: Option<Uuid>,
    /// Of this type.
    pub event_type: Option<String>,
    /// By this actor.
    pub actor: Option<String>,
    /// Recorded then or later.
    pub since: Option<OffsetDateTime>,
    /// Recorded before.
    pub until: Option<OffsetDateTime>,
    /// Also records of access, which are left out otherwise.
    pub access: bool,
}

/// Why the log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The database did not answer.
    #[error("reading the log")]
    Database(#[from] sqlx::Error),
    /// A position is missing: the log was tampered with.
    #[error("the log has position {found} where {expected} belongs")]
    Gap {
        /// The position that belongs there.
        expected: i64,
        /// The one that is there.
        found: i64,
    },
    /// A private part is no JSON.
    #[error("reading the private part of event {position}")]
    Private {
        /// Position of its event.
        position: i64,
        /// What the parser found.
        #[source]
        source: serde_json::Error,
    },
    /// An upcaster made metadata that are no map of texts.
    #[error("reading the metadata of event {position}")]
    Metadata {
        /// Position of its event.
        position: i64,
        /// What the parser found.
        #[source]
        source: serde_json::Error,
    },
}

/// The first event of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First {
    /// Its position.
    pub position: i64,
    /// Who did it, as kept with it.
    pub actor: String,
}

impl EventLog {
    /// A reader with the domain's upcasters.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self::with_upcasters(pool, kmrl_domain::upcast::upcasters().into())
    }

    /// A reader with other upcasters.
    #[must_use]
    pub fn with_upcasters(pool: PgPool, upcasters: Upcasters) -> Self {
        Self { pool, upcasters }
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) fn upcasters(&self) -> &Upcasters {
        &self.upcasters
    }

    /// Position of the newest event; 0 while there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn head(&self) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("SELECT position FROM es_head WHERE id = 0")
            .fetch_one(&self.pool)
            .await
    }

    /// Position and time of the newest event; of an empty log, 0 and now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn head_with_time(&self) -> Result<(i64, OffsetDateTime), sqlx::Error> {
        sqlx::query_as(
            "SELECT position, CASE WHEN isfinite(recorded_at) THEN recorded_at \
             ELSE clock_timestamp() END FROM es_head WHERE id = 0",
        )
        .fetch_one(&self.pool)
        .await
    }

    /// What a document begins with; `None` when there is no such document.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn first_of(&self, document_id: Uuid) -> Result<Option<First>, LogError> {
        let first: Option<(i64, Option<String>)> = sqlx::query_as(
            "SELECT position, metadata->>'actor' FROM events \
             WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence = 1",
        )
        .bind(kmrl_domain::document::TYPE)
        .bind(document_id.to_string())
        .fetch_optional(&self.pool)
        .await?;
        Ok(first.map(|(position, actor)| First {
            position,
            actor: actor.unwrap_or_default(),
        }))
    }

    /// At most `limit` events after a position: the very next ones, without a gap.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn read(&self, after: i64, limit: i64) -> Result<Vec<RecordedEvent>, LogError> {
        self.next(SELECT, after, limit).await
    }

    /// As [`Self::read`], with records of access in their places but without their payload: for
    /// readers that pass over them.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn read_without_access(
        &self,
        after: i64,
        limit: i64,
    ) -> Result<Vec<RecordedEvent>, LogError> {
        self.next(SELECT_WITHOUT_ACCESS, after, limit).await
    }

    async fn next(
        &self,
        select: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<RecordedEvent>, LogError> {
        let mut query = QueryBuilder::new(select);
        query.push("e.position > ").push_bind(after);
        query.push(" ORDER BY e.position LIMIT ").push_bind(limit);
        let events = self.fetch(query).await?;
        for (event, expected) in events.iter().zip(after + 1..) {
            if event.position != expected {
                let found = event.position;
                return Err(LogError::Gap { expected, found });
            }
        }
        Ok(events)
    }

    /// The next events after a position that pass the filter.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn page(&self, filter: &EventFilter) -> Result<Vec<RecordedEvent>, LogError> {
        let mut query = QueryBuilder::new(SELECT);
        query.push("e.position > ").push_bind(filter.after);
        if let Some(id) = filter.document_id {
            query.push(" AND e.aggregate_type = ");
            query.push_bind(kmrl_domain::document::TYPE);
            query
                .push(" AND e.aggregate_id = ")
                .push_bind(id.to_string());
        } else if !filter.access {
            // To the letter, as in the index that has all but these.
            query.push(" AND e.aggregate_type <> 'access'");
        }
        if let Some(event_type) = &filter.event_type {
            query.push(" AND e.event_type = ").push_bind(event_type);
        }
        if let Some(actor) = &filter.actor {
            query.push(" AND e.actor = ").push_bind(actor);
        }
        // Time never decreases along positions, so a bound in time is one in position: the first
        // event that is not before it.
        if let Some(since) = filter.since {
            query.push(" AND e.position >= ");
            push_first_at(&mut query, since);
        }
        if let Some(until) = filter.until {
            query.push(" AND e.position < coalesce(");
            push_first_at(&mut query, until);
            query.push(", 9223372036854775807)");
        }
        query
            .push(" ORDER BY e.position LIMIT ")
            .push_bind(filter.limit);
        self.fetch(query).await
    }

    /// The event at a position.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn at(&self, position: i64) -> Result<Option<RecordedEvent>, LogError> {
        let mut query = QueryBuilder::new(SELECT);
        query.push("e.position = ").push_bind(position);
        Ok(self.fetch(query).await?.into_iter().next())
    }

    /// All events of one stream, in order.
    ///
    /// # Errors
    /// See [`LogError`].
    pub async fn stream(
        &self,
        aggregate_type: &str,
        aggregate_id: &str,
    ) -> Result<Vec<RecordedEvent>, LogError> {
        let mut query = QueryBuilder::new(SELECT);
        query.push("e.aggregate_type = ").push_bind(aggregate_type);
        query.push(" AND e.aggregate_id = ").push_bind(aggregate_id);
        query.push(" ORDER BY e.sequence");
        self.fetch(query).await
    }

    async fn fetch(
        &self,
        mut query: QueryBuilder<'_, Postgres>,
    ) -> Result<Vec<RecordedEvent>, LogError> {
        let rows: Vec<Row> = query.build_query_as().fetch_all(&self.pool).await?;
        rows.into_iter()
            .map(|row| self.current(row.recorded()?))
            .collect()
    }

    /// The event in its current form.
    fn current(&self, mut event: RecordedEvent) -> Result<RecordedEvent, LogError> {
        let (name, version) = (&event.event_type, &event.event_version);
        if !self.upcasters.iter().any(|u| u.can_upcast(name, version)) {
            return Ok(event);
        }
        let position = event.position;
        let wrong = |source| LogError::Metadata { position, source };
        let new = upcast(
            SerializedEvent::new(
                event.aggregate_id.clone(),
                usize::try_from(event.sequence).unwrap_or_default(),
                event.aggregate_type.clone(),
                event.event_type,
                event.event_version,
                event.payload,
                serde_json::to_value(event.metadata).map_err(wrong)?,
            ),
            &self.upcasters,
        );
        event.event_type = new.event_type;
        event.event_version = new.event_version;
        event.payload = new.payload;
        event.metadata = serde_json::from_value(new.metadata).map_err(wrong)?;
        Ok(event)
    }
}

/// The position of the first event recorded at a time or later, as a subquery.
fn push_first_at(query: &mut QueryBuilder<'_, Postgres>, at: OffsetDateTime) {
    query.push("(SELECT f.position FROM events f WHERE f.recorded_at >= ");
    query.push_bind(at);
    query.push(" ORDER BY f.recorded_at, f.position LIMIT 1)");
}

#[derive(sqlx::FromRow)]
struct Row {
    position: i64,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    payload: Value,
    metadata: Json<HashMap<String, String>>,
    recorded_at: OffsetDateTime,
    private: Option<String>,
}

impl Row {
    fn recorded(self) -> Result<RecordedEvent, LogError> {
        let position = self.position;
        let private = self.private.as_deref().map(serde_json::from_str);
        Ok(RecordedEvent {
            position,
            aggregate_type: self.aggregate_type,
            aggregate_id: self.aggregate_id,
            sequence: self.sequence,
            event_type: self.event_type,
            event_version: self.event_version,
            payload: self.payload,
            metadata: self.metadata.0,
            recorded_at: self.recorded_at,
            private: private
                .transpose()
                .map_err(|source| LogError::Private { position, source })?,
        })
    }
}
