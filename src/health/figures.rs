//! What is counted in the database: how far everybody is behind, and what waits.
//!
//! The same for every process that asks, in the database's own time.

use super::disk::Disk;
use kmrl_projections::query::ReadModel;
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// Most events that are counted one by one.
const COUNTED: i64 = 10_000;

/// What was counted and measured. What could not be had is absent.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Figures {
    /// How far the relay is behind the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay: Option<Lag>,
    /// How far each projection is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projections: Option<Vec<Lag>>,
    /// How far signed checkpoints are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notary: Option<Lag>,
    /// Seconds since the newest checkpoint was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_age_seconds: Option<f64>,
    /// Jobs by priority and state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Vec<QueueFigure>>,
    /// Events that projections could not apply, by projection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parked: Option<Vec<(String, i64)>>,
    /// The disk of the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<Disk>,
    /// How far this machine's clock is ahead of the database's, in seconds; the half of the round
    /// trip that cannot be told is taken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ahead_seconds: Option<f64>,
}

/// How far somebody is behind the log.
#[derive(Clone, Debug, Serialize, ToSchema, sqlx::FromRow)]
pub struct Lag {
    /// Who.
    pub name: String,
    /// Up to which position it has come.
    pub position: i64,
    /// Events that wait for it; of the relay at most 10,000 are counted.
    pub events: i64,
    /// How long the oldest of them has waited, in seconds.
    pub seconds: f64,
}

/// Jobs of a priority.
#[derive(Clone, Debug, Serialize, ToSchema, sqlx::FromRow)]
pub struct QueueFigure {
    /// high, normal or low.
    pub priority: String,
    /// waiting (a worker may take it), delayed (until its next attempt) or running.
    pub state: String,
    /// How many.
    pub jobs: i64,
    /// How long the oldest of them could have been worked on, in seconds.
    pub oldest_seconds: f64,
}

/// The database's clock.
pub(super) async fn clock(c: &mut PgConnection) -> Result<OffsetDateTime, sqlx::Error> {
    sqlx::query_scalar("SELECT clock_timestamp()")
        .fetch_one(c)
        .await
}

// Positions of others' streams are passed over by the relay without moving its cursor, so the
// events that wait are counted, by the index of those.
pub(super) async fn relay(c: &mut PgConnection) -> Result<Lag, sqlx::Error> {
    sqlx::query_as(
        "SELECT c.name, c.position, w.events, w.seconds FROM log_cursors c, LATERAL (
            SELECT count(*) AS events,
                   greatest(coalesce(extract(epoch FROM clock_timestamp() - min(e.recorded_at)), 0), 0)::float8
                   AS seconds
            FROM (SELECT recorded_at FROM events
                  WHERE position > c.position AND aggregate_type <> 'access'
                  ORDER BY position LIMIT $1) e) w
         WHERE c.name = 'relay'",
    )
    .bind(COUNTED)
    .fetch_one(c)
    .await
}

/// How far a list of positions is behind the head; `$1` is what names and positions come from.
macro_rules! behind_the_head {
    ($from:literal) => {
        concat!(
            "SELECT p.name, p.position, greatest(h.position - p.position, 0) AS events,
                    greatest(coalesce(extract(epoch FROM clock_timestamp() - (
                        SELECT e.recorded_at FROM events e WHERE e.position > p.position
                        ORDER BY e.position LIMIT 1)), 0), 0)::float8 AS seconds
             FROM es_head h, (",
            $from,
            ") p WHERE h.id = 0 ORDER BY p.name"
        )
    };
}

pub(super) async fn projections(c: &mut PgConnection) -> Result<Vec<Lag>, sqlx::Error> {
    sqlx::query_as(behind_the_head!(
        "SELECT name, position FROM projections WHERE state = 'live'"
    ))
    .fetch_all(c)
    .await
}

/// How far checkpoints are, and the age of the newest.
pub(super) async fn notary(c: &mut PgConnection) -> Result<(Lag, Option<f64>), sqlx::Error> {
    let lag = sqlx::query_as(behind_the_head!(
        "SELECT 'notary' AS name, coalesce(max(size), 0) AS position FROM log_checkpoints"
    ))
    .fetch_one(&mut *c)
    .await?;
    let age = sqlx::query_scalar(
        "SELECT greatest(extract(epoch FROM clock_timestamp() - time), 0)::float8
         FROM log_checkpoints ORDER BY size DESC LIMIT 1",
    )
    .fetch_optional(c)
    .await?;
    Ok((lag, age))
}

pub(super) async fn queue(c: &mut PgConnection) -> Result<Vec<QueueFigure>, sqlx::Error> {
    sqlx::query_as(
        "SELECT p.priority, s.state, coalesce(n.jobs, 0) AS jobs, coalesce(n.oldest, 0) AS oldest_seconds
         FROM unnest(ARRAY['high', 'normal', 'low']) AS p (priority)
         CROSS JOIN unnest(ARRAY['waiting', 'delayed', 'running']) AS s (state)
         LEFT JOIN (
            SELECT priority,
                   CASE WHEN status = 'running' THEN 'running' WHEN due_at > now() THEN 'delayed'
                        ELSE 'waiting' END AS state,
                   count(*) AS jobs,
                   greatest(extract(epoch FROM clock_timestamp() - min(due_at)), 0)::float8 AS oldest
            FROM jobs WHERE status IN ('queued', 'running') GROUP BY 1, 2) n
         ON n.priority = p.priority AND n.state = s.state
         ORDER BY 1, 2",
    )
    .fetch_all(c)
    .await
}

/// Parked events of each projection.
pub(super) async fn parked(c: &mut PgConnection) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT p.name, count(e.position) FROM projections p
         LEFT JOIN parked_events e ON e.projection = p.name AND e.generation = p.generation
         WHERE p.state = 'live' GROUP BY 1 ORDER BY 1",
    )
    .fetch_all(c)
    .await
}

/// Position that can be read: asks the read models themselves.
pub(super) async fn visible(read: &ReadModel) -> Result<i64, kmrl_projections::query::QueryError> {
    read.visible_position().await
}
