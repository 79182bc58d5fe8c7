//! Entries as they are hashed, with the leaf that is stored with each: for whoever wants to make
//! the hashes again.

use crate::proof::entry::Entry;
use crate::proof::export::LeafEntry;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgPool, Row};
use time::OffsetDateTime;

type Stored = (
    i64,
    String,
    String,
    i64,
    String,
    String,
    String,
    String,
    OffsetDateTime,
    Vec<u8>,
);

const SELECT: &str = "SELECT position, aggregate_type, aggregate_id, sequence, event_type, \
     event_version, payload::text, metadata::text, recorded_at, leaf FROM events \
     WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3";

const AT: &str = "SELECT position, aggregate_type, aggregate_id, sequence, event_type, \
     event_version, payload::text, metadata::text, recorded_at, leaf FROM events \
     WHERE position = ANY($1) ORDER BY position";

const STREAM: &str = "SELECT e.position, e.aggregate_type, e.aggregate_id, e.sequence, \
     e.event_type, e.event_version, e.payload::text, e.metadata::text, e.recorded_at, e.leaf, \
     p.salt, p.content FROM events e LEFT JOIN private_parts p ON p.position = e.position \
     WHERE e.aggregate_type = $1 AND e.aggregate_id = $2 AND e.position <= $3 ORDER BY e.sequence";

/// At most `limit` entries after a position, none beyond `to`. What is stored as a leaf is given
/// as it is, also when it is none.
///
/// # Errors
/// When the database does not answer.
pub async fn page(
    pool: &PgPool,
    after: i64,
    to: i64,
    limit: i64,
) -> Result<Vec<LeafEntry>, sqlx::Error> {
    let rows: Vec<Stored> = sqlx::query_as(SELECT)
        .bind(after)
        .bind(to)
        .bind(limit)
        .fetch_all(pool)
        .await?;
    Ok(rows.into_iter().map(entry).collect())
}

/// The entries at some positions, in their order; those that are not there are left out.
///
/// # Errors
/// When the database does not answer.
pub async fn at(pool: &PgPool, positions: &[i64]) -> Result<Vec<Entry>, sqlx::Error> {
    let rows: Vec<Stored> = sqlx::query_as(AT).bind(positions).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| entry(row).entry).collect())
}

/// A private part: salt and content.
pub type Part = (Vec<u8>, String);

/// The entries of a stream up to a position, with their private parts where these were not erased:
/// all as they were at one moment.
///
/// # Errors
/// When the database does not answer.
pub async fn stream(
    pool: &PgPool,
    aggregate_type: &str,
    aggregate_id: &str,
    to: i64,
) -> Result<Vec<(Entry, Option<Part>)>, sqlx::Error> {
    let rows = sqlx::query(STREAM)
        .bind(aggregate_type)
        .bind(aggregate_id)
        .bind(to)
        .fetch_all(pool)
        .await?;
    let read = |row: PgRow| {
        let (salt, content): (Option<_>, Option<_>) = (row.try_get(10)?, row.try_get(11)?);
        Ok((entry(Stored::from_row(&row)?).entry, salt.zip(content)))
    };
    rows.into_iter().map(read).collect()
}

fn entry(row: Stored) -> LeafEntry {
    LeafEntry {
        entry: Entry {
            position: row.0,
            aggregate_type: row.1,
            aggregate_id: row.2,
            sequence: row.3,
            event_type: row.4,
            event_version: row.5,
            payload: row.6,
            metadata: row.7,
            recorded_at: micros(row.8),
        },
        leaf: kmrl_domain::private::hex(&row.9),
    }
}

/// Microseconds since 1970, as entries are hashed with.
#[must_use]
pub fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}
