//! The leaves and the clock of the log, recomputed from its rows.

use crate::fixtures::{append, id, requested, store, uploaded, withdrawn};
use futures::future::join_all;
use kmrl_gateway::proof::entry::Entry;
use sqlx::PgPool;
use time::OffsetDateTime;

#[derive(sqlx::FromRow)]
struct Row {
    position: i64,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    payload: String,
    metadata: String,
    recorded_at: OffsetDateTime,
    leaf: Vec<u8>,
}

impl Row {
    fn entry(self) -> Entry {
        Entry {
            position: self.position,
            aggregate_type: self.aggregate_type,
            aggregate_id: self.aggregate_id,
            sequence: self.sequence,
            event_type: self.event_type,
            event_version: self.event_version,
            recorded_at: (self.recorded_at.unix_timestamp_nanos() / 1_000) as i64,
            payload: self.payload,
            metadata: self.metadata,
        }
    }
}

/// Recomputes leaves, and that positions have no hole and time no step back.
pub async fn verify(pool: &PgPool) -> i64 {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, \
         payload::text, metadata::text, recorded_at, leaf FROM events ORDER BY position",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let (mut time, mut last) = (OffsetDateTime::UNIX_EPOCH, 0);
    for (row, position) in rows.into_iter().zip(1..) {
        assert_eq!(row.position, position, "positions have a hole");
        assert!(row.recorded_at >= time, "time runs backwards at {position}");
        (time, last) = (row.recorded_at, position);
        let leaf = row.leaf.clone();
        assert_eq!(leaf, row.entry().leaf(), "leaf of {position}");
    }
    let head: i64 = sqlx::query_scalar("SELECT position FROM es_head")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(head, last);
    head
}

#[tokio::test]
async fn the_leaves_are_what_the_rows_say() {
    let (store, database) = store().await;
    assert_eq!(verify(&database.pool).await, 0);
    store
        .append(append(
            id(1),
            0,
            &[uploaded("a"), requested(2), withdrawn("\"മലയാളം\"\\\n\u{0}")],
        ))
        .await
        .unwrap();
    let mut spaced = append(id(2), 0, &[uploaded("b")]);
    spaced.events[0].payload = "{ \"kept\" :\n1.50, \"kept\":2 }".into();
    store.append(spaced).await.unwrap();
    join_all((10..200).map(|n| store.append(append(id(n), 0, &[uploaded("c")])))).await;
    assert_eq!(verify(&database.pool).await, 194);
}

#[tokio::test]
async fn time_never_runs_backwards() {
    let (store, database) = store().await;
    store
        .append(append(id(1), 0, &[uploaded("a")]))
        .await
        .unwrap();
    // As after a clock that was an hour ahead was set right.
    let ahead: OffsetDateTime = sqlx::query_scalar(
        "UPDATE es_head SET recorded_at = recorded_at + interval '1 hour' RETURNING recorded_at",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    let appended = store
        .append(append(id(1), 1, &[requested(2)]))
        .await
        .unwrap();
    assert_eq!(appended.recorded_at, ahead);
    verify(&database.pool).await;
}
