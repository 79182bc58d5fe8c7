//! What the tests stand on: a database, a log read by SQL, a shelf of texts, a projector.

use crate::support::{self, TestDatabase};
use async_trait::async_trait;
use kmrl_domain::RecordedEvent;
use kmrl_domain::values::TextArtefact;
use kmrl_projections::query::ReadModel;
use kmrl_projections::{BoxError, EventSource, NAMES, Projector, TextError, TextSource};
use serde_json::{Value, json};
use sqlx::{PgPool, Row};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// An event to be appended.
#[derive(Clone)]
pub struct New {
    pub aggregate_type: &'static str,
    pub id: Uuid,
    /// Place in its stream, from 1.
    pub sequence: i64,
    pub event_type: &'static str,
    pub payload: Value,
    pub private: Option<Value>,
}

impl New {
    /// Who did it: one of two, by the stream.
    pub fn actor(&self) -> &'static str {
        if self.id.as_u128().is_multiple_of(3) {
            "key:one"
        } else {
            "key:two"
        }
    }
}

pub struct World {
    pub pool: PgPool,
    pub log: Arc<TableLog>,
    pub shelf: Arc<Shelf>,
    pub projector: Projector,
    pub read: ReadModel,
}

impl World {
    /// An empty log with prepared projections.
    pub async fn new() -> Self {
        let TestDatabase { pool, .. } = support::database().await;
        let log = Arc::new(TableLog {
            pool: pool.clone(),
            hidden: AtomicI64::new(0),
        });
        let shelf = Arc::new(Shelf::default());
        let projector = Projector::new(pool.clone(), log.clone(), shelf.clone());
        projector.prepare().await.unwrap();
        let read = ReadModel::new(pool.clone());
        Self {
            pool,
            log,
            shelf,
            projector,
            read,
        }
    }

    pub async fn append(&self, events: Vec<New>) {
        append(&self.pool, events).await;
    }

    pub async fn catch_up(&self) -> i64 {
        let visible = self.projector.catch_up().await.unwrap();
        self.projector.catch_up_apart().await.unwrap();
        visible
    }

    /// Position of the live generation of a projection.
    pub async fn position(&self, name: &str) -> i64 {
        sqlx::query_scalar("SELECT position FROM projections WHERE name = $1 AND state = 'live'")
            .bind(name)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Every row of every table of a generation of every projection.
    pub async fn dump(&self, generation: i32) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for name in NAMES {
            all.extend(self.dump_of(name, generation).await);
        }
        all
    }

    /// Every row of every table of a generation.
    pub async fn dump_of(&self, name: &str, generation: i32) -> Vec<(String, String)> {
        let schema = format!("rm_{name}_{generation}");
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT table_name::text FROM information_schema.tables \
             WHERE table_schema = $1 ORDER BY 1",
        )
        .bind(&schema)
        .fetch_all(&self.pool)
        .await
        .unwrap();
        assert!(!tables.is_empty(), "{schema} has tables");
        let mut all = Vec::new();
        for table in tables {
            let rows: Vec<String> = sqlx::query_scalar(&format!(
                "SELECT row_to_json(t)::text FROM {schema}.{table} t ORDER BY 1"
            ))
            .fetch_all(&self.pool)
            .await
            .unwrap();
            all.extend(rows.into_iter().map(|row| (table.clone(), row)));
        }
        all
    }

    /// Projection and position of all parked events of live generations.
    pub async fn parked(&self) -> BTreeSet<(String, i64)> {
        sqlx::query_as("SELECT projection, position FROM read.parked_events")
            .fetch_all(&self.pool)
            .await
            .unwrap()
            .into_iter()
            .collect()
    }
}

/// Appends events, each as a command of its own, and demands that all are taken.
pub async fn append(pool: &PgPool, events: Vec<New>) {
    let n = events.len();
    let numbers: Vec<i32> = (1..).take(n).collect();
    let column = |f: &dyn Fn(&New) -> String| events.iter().map(f).collect::<Vec<String>>();
    let salts: Vec<Vec<u8>> = vec![vec![7; 32]; n];
    let private: Vec<Option<String>> = events
        .iter()
        .map(|e| e.private.as_ref().map(Value::to_string))
        .collect();
    let writer: i64 = sqlx::query_scalar("INSERT INTO writers DEFAULT VALUES RETURNING id")
        .fetch_one(pool)
        .await
        .unwrap();
    let outcomes: Vec<String> = sqlx::query(
        "SELECT outcome FROM es_append($16, 1, false, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(column(&|e| e.aggregate_type.into()))
    .bind(column(&|e| e.id.to_string()))
    .bind(events.iter().map(|e| e.sequence - 1).collect::<Vec<i64>>())
    .bind(vec![None::<String>; n])
    .bind(vec![None::<Vec<u8>>; n])
    .bind(vec![None::<String>; n])
    .bind(vec![None::<String>; n])
    .bind(numbers)
    .bind(column(&|e| e.event_type.into()))
    .bind(vec!["1.0"; n])
    .bind(column(&|e| e.payload.to_string()))
    .bind(column(&|e| json!({"actor": e.actor()}).to_string()))
    .bind(vec!["key:admin"; n])
    .bind(salts)
    .bind(private)
    .bind(writer)
    .fetch_all(pool)
    .await
    .unwrap()
    .into_iter()
    .map(|row| row.get(0))
    .collect();
    assert!(outcomes.iter().all(|o| o == "appended"), "{outcomes:?}");
}

/// The log, read by SQL.
pub struct TableLog {
    pub pool: PgPool,
    /// A position that is left out of what is read; 0 for none.
    pub hidden: AtomicI64,
}

#[async_trait]
impl EventSource for TableLog {
    async fn read(&self, after: i64, limit: i64) -> Result<Vec<RecordedEvent>, BoxError> {
        let rows = sqlx::query(
            "SELECT e.*, e.payload::text AS body, e.metadata::text AS meta, p.content FROM events e \
             LEFT JOIN private_parts p USING (position) \
             WHERE e.position > $1 AND e.position <> $3 ORDER BY e.position LIMIT $2",
        )
        .bind(after)
        .bind(limit)
        .bind(self.hidden.load(Ordering::Relaxed))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let private: Option<String> = row.get("content");
                Ok(RecordedEvent {
                    position: row.get("position"),
                    aggregate_type: row.get("aggregate_type"),
                    aggregate_id: row.get("aggregate_id"),
                    sequence: row.get("sequence"),
                    event_type: row.get("event_type"),
                    event_version: row.get("event_version"),
                    payload: serde_json::from_str(row.get("body"))?,
                    metadata: serde_json::from_str(row.get("meta"))?,
                    recorded_at: row.get("recorded_at"),
                    private: private.map(|p| serde_json::from_str(&p)).transpose()?,
                })
            })
            .collect()
    }

    async fn head(&self) -> Result<i64, BoxError> {
        Ok(sqlx::query_scalar("SELECT position FROM es_head")
            .fetch_one(&self.pool)
            .await?)
    }
}

/// Texts by key: two pages that name their key, unless said otherwise.
#[derive(Default)]
pub struct Shelf {
    pub away: AtomicBool,
    pub missing: Mutex<BTreeSet<String>>,
    /// Pages by key.
    pub said: Mutex<HashMap<String, Vec<String>>>,
}

impl Shelf {
    /// Says what stands under a key.
    pub fn say(&self, key: String, pages: &[&str]) {
        let pages = pages.iter().map(|page| (*page).to_owned()).collect();
        self.said.lock().unwrap().insert(key, pages);
    }
}

#[async_trait]
impl TextSource for Shelf {
    async fn text(&self, key: &str) -> Result<TextArtefact, TextError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(TextError::Unreachable {
                source: "the store is away".into(),
            });
        }
        if self.missing.lock().unwrap().contains(key) {
            return Err(TextError::Missing { key: key.into() });
        }
        let said = self.said.lock().unwrap().get(key).cloned();
        Ok(TextArtefact {
            pages: said
                .unwrap_or_else(|| vec![format!("first page of {key}"), "second\0page".into()]),
            title: Some("Title".into()),
            producer: None,
        })
    }
}
