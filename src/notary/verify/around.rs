//! What lies around the entries: streams and their versions, entries beyond the head, and which
//! checkpoints have rows and copies.

use super::{Finding, Kind, VerifyError};
use sqlx::PgPool;

/// Checks streams, and that nothing was put in behind the head.
pub(super) async fn look(
    pool: &PgPool,
    head: u64,
    findings: &mut Vec<Finding>,
) -> Result<(), VerifyError> {
    let position = |p: i64| u64::try_from(p).unwrap_or(0);
    let beyond: Option<i64> = sqlx::query_scalar(
        "SELECT min(position) FROM events WHERE position > (SELECT position FROM es_head WHERE id = 0)",
    )
    .fetch_one(pool)
    .await?;
    if let Some(beyond) = beyond {
        let what = "it lies beyond the head, so nobody appended it, or the head was moved back";
        findings.push(Finding::new(Kind::Inserted, position(beyond), what));
    }
    let broken: Option<(i64, String, String)> = sqlx::query_as(
        "SELECT e.first, e.aggregate_type, e.aggregate_id FROM \
         (SELECT aggregate_type, aggregate_id, min(position) AS first, count(*) AS events, \
          min(sequence) AS lowest, max(sequence) AS highest FROM events WHERE position <= $1 \
          GROUP BY aggregate_type, aggregate_id) e \
         LEFT JOIN streams s USING (aggregate_type, aggregate_id) \
         WHERE e.lowest <> 1 OR e.highest <> e.events OR s.version IS NULL OR s.version < e.highest \
         ORDER BY e.first LIMIT 1",
    )
    .bind(i64::try_from(head).unwrap_or(i64::MAX))
    .fetch_optional(pool)
    .await?;
    if let Some((first, kind, id)) = broken {
        let what = format!("the stream {kind} {id} that begins here has holes, or another version");
        findings.push(Finding::new(Kind::StreamBroken, position(first), what));
    }
    Ok(())
}

/// Of checkpoints with sizes after `from` up to `to`: the copies without a row, and the first row
/// without a copy.
pub(super) async fn compare_sizes(
    pool: &PgPool,
    from: u64,
    to: u64,
    copied: &[u64],
) -> Result<(Vec<u64>, Option<u64>), VerifyError> {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let sizes: Vec<i64> = copied.iter().map(|s| signed(*s)).collect();
    let unknown: Vec<i64> = sqlx::query_scalar(
        "SELECT s FROM unnest($1::bigint[]) s \
         WHERE NOT EXISTS (SELECT 1 FROM log_checkpoints c WHERE c.size = s) ORDER BY s",
    )
    .bind(&sizes)
    .fetch_all(pool)
    .await?;
    let uncopied: Option<i64> = sqlx::query_scalar(
        "SELECT min(size) FROM log_checkpoints WHERE size > $1 AND size <= $2 AND size <> ALL ($3)",
    )
    .bind(signed(from))
    .bind(signed(to))
    .bind(&sizes)
    .fetch_one(pool)
    .await?;
    let unsigned = |s: i64| u64::try_from(s).ok();
    Ok((
        unknown.into_iter().filter_map(unsigned).collect(),
        uncopied.and_then(unsigned),
    ))
}
