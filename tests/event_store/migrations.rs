//! Migrating an empty database, twice and at once, knowing when it is behind, and migrating under a
//! program of the release before.

use crate::fixtures::{append, id, requested, uploaded};
use crate::support::{self, TestDatabase};
use kmrl_gateway::event_store::{PostgresEventStore, SchemaError, check_schema, migrate};
use kmrl_gateway::signals::Signals;
use sqlx::migrate::Migrator;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The newest migration of the release before this one.
const RELEASED: i64 = 3;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
}

/// A database as the release before left it.
async fn released() -> TestDatabase {
    let database = support::empty_database().await;
    let mut migrator = Migrator::new(folder()).await.unwrap();
    let old = migrator.migrations.iter().filter(|m| m.version <= RELEASED);
    migrator.migrations = old.cloned().collect();
    migrator.run(&database.pool).await.unwrap();
    database
}

#[tokio::test]
async fn programs_may_migrate_at_once() {
    let database = support::empty_database().await;
    let behind = check_schema(&database.pool).await;
    assert!(
        matches!(behind, Err(SchemaError::Behind { missing: 1 })),
        "{behind:?}"
    );
    let (a, b) = tokio::join!(migrate(&database.pool), migrate(&database.pool));
    a.unwrap();
    b.unwrap();
    check_schema(&database.pool).await.unwrap();
}

/// A program of this release waits on the schema of the one before; a newer schema is none of its
/// business.
#[tokio::test]
async fn an_old_schema_is_behind_and_a_newer_one_is_not() {
    let database = released().await;
    let behind = check_schema(&database.pool).await;
    let Err(SchemaError::Behind { missing }) = behind else {
        panic!("{behind:?}");
    };
    assert_eq!(missing, RELEASED + 1);
    migrate(&database.pool).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of a later release', true, '\\x00', 0)",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    check_schema(&database.pool).await.unwrap();
}

/// The statement by which the release before appends is the one that works on: a writer that was
/// started on the old schema goes on across the migration, and the log stays whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_at_work_survives_the_migration() {
    let database = released().await;
    let store = PostgresEventStore::start(database.pool.clone(), Signals::local());
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4_u128)
        .map(|n| {
            let (store, stop) = (store.clone(), stop.clone());
            tokio::spawn(async move {
                let document = id(n + 1);
                let mut version = 0;
                while version < 3 || !stop.load(Ordering::Relaxed) {
                    let event = if version == 0 {
                        uploaded("a")
                    } else {
                        requested(2)
                    };
                    let appended = store.append(append(document, version, &[event])).await;
                    version = appended.unwrap().version;
                }
                version
            })
        })
        .collect();
    support::eventually("the writers are at work", || async {
        (store.log().head().await.unwrap() > 20).then_some(())
    })
    .await;
    migrate(&database.pool).await.unwrap();
    let migrated_at = store.log().head().await.unwrap();
    support::eventually("they go on afterwards", || async {
        (store.log().head().await.unwrap() > migrated_at + 20).then_some(())
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = 0;
    for writer in writers {
        acknowledged += writer.await.unwrap();
    }
    store.shutdown().await;
    let stored: Vec<i64> = sqlx::query_scalar("SELECT position FROM events ORDER BY position")
        .fetch_all(&database.pool)
        .await
        .unwrap();
    assert_eq!(stored, (1..=acknowledged).collect::<Vec<i64>>());
}

/// See migrations/README.md.
#[test]
fn migrations_take_nothing_away_unannounced() {
    let mut taken = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let number = name.split('_').next().and_then(|n| n.parse().ok());
        if number.is_none_or(|n: i64| n <= RELEASED) {
            continue;
        }
        taken.extend(takes_away(&text).map(|line| format!("{name}: {line}")));
    }
    assert!(taken.is_empty(), "{taken:#?}");
}

/// Lines that a program of the release before may not survive.
fn takes_away(sql: &str) -> impl Iterator<Item = &str> {
    const WORDS: [&str; 5] = ["DROP ", "RENAME ", "SET NOT NULL", " TYPE ", "TRUNCATE "];
    sql.lines().filter(|line| {
        let code = line.split("--").next().unwrap_or_default().to_uppercase();
        // Loosening a column, refusing in a trigger and comments take nothing away.
        let harmless = code.contains("DROP NOT NULL") || code.contains(" OR TRUNCATE ON ");
        let is_ddl = !code.contains("EVENT_TYPE") && WORDS.iter().any(|word| code.contains(word));
        is_ddl && !harmless && !line.contains("-- contract:")
    })
}

#[test]
fn what_takes_away_is_told_from_what_does_not() {
    let sql = "ALTER TABLE a DROP COLUMN b;\nALTER TABLE a ALTER c DROP NOT NULL;\n\
               DROP INDEX d; -- contract: e, since 0.2\n-- DROP nothing\nCREATE TABLE f (g int);";
    let found: Vec<&str> = takes_away(sql).collect();
    assert_eq!(found, ["ALTER TABLE a DROP COLUMN b;"]);
}
