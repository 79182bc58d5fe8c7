//! Entries as they are hashed, with the leaf that is stored with each: for whoever wants to make
//! the hashes again.

use crate::proof::entry::Entry;
use crate::proof::export::LeafEntry;
use sqlx::PgPool;
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
    let entry = |row: Stored| LeafEntry {
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
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// Microseconds since 1970, as entries are hashed with.
#[must_use]
pub fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}
