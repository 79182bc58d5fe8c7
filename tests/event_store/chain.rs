//! The hash chain and the clock of the log, recomputed from its rows.

use crate::fixtures::{append, id, requested, store, uploaded, withdrawn};
use futures::future::join_all;
use sha2::{Digest, Sha256};
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
    chain: Vec<u8>,
}

impl Row {
    /// RFC 6962 leaf hash over the fields, joined by line feeds.
    fn expected_leaf(&self) -> Vec<u8> {
        let micros = self.recorded_at.unix_timestamp_nanos() / 1_000;
        let entry = format!(
            "{}\n{}\n{}\n{}\n{}\n{}\n{micros}\n{}\n{}",
            self.position,
            self.aggregate_type,
            self.aggregate_id,
            self.sequence,
            self.event_type,
            self.event_version,
            self.payload,
            self.metadata
        );
        Sha256::new()
            .chain_update([0])
            .chain_update(entry)
            .finalize()
            .to_vec()
    }
}

/// Recomputes leaves and chain, and that positions have no hole and time no step back.
pub async fn verify(pool: &PgPool) -> i64 {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, \
         payload::text, metadata::text, recorded_at, leaf, chain FROM events ORDER BY position",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut chain = Sha256::digest("kmrl-gateway log v1").to_vec();
    let mut time = OffsetDateTime::UNIX_EPOCH;
    for (row, position) in rows.iter().zip(1..) {
        assert_eq!(row.position, position, "positions have a hole");
        assert_eq!(row.leaf, row.expected_leaf(), "leaf of {position}");
        chain = Sha256::new()
            .chain_update(&chain)
            .chain_update(&row.leaf)
            .finalize()
            .to_vec();
        assert_eq!(row.chain, chain, "chain at {position}");
        assert!(row.recorded_at >= time, "time runs backwards at {position}");
        time = row.recorded_at;
    }
    let (head, stored): (i64, Vec<u8>) = sqlx::query_as("SELECT position, chain FROM es_head")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(head, rows.len() as i64);
    assert_eq!(stored, chain);
    head
}

#[tokio::test]
async fn the_chain_is_what_the_rows_say() {
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
