//! Many tasks in two processes on few aggregates: what was acknowledged is what is stored.

use crate::fixtures::{append, id, requested};
use crate::leaves::verify;
use crate::support;
use cqrs_es::EventStore;
use kmrl_domain::Document;
use kmrl_gateway::event_store::{AppendError, PostgresEventStore};
use kmrl_gateway::signals::Signals;
use sqlx::PgPool;
use std::process::{Command, Stdio};

/// Set in the second process: the database that both work on.
const DATABASE: &str = "KMRL_CONTENTION_DATABASE";
const TASKS: u32 = 16;
const EACH: u32 = 40;
const HOT: u32 = 5;

/// Appends from many tasks, and writes down what was acknowledged.
async fn work(pool: PgPool) {
    let store = PostgresEventStore::start(pool.clone(), Signals::local());
    sqlx::query("INSERT INTO ready DEFAULT VALUES")
        .execute(&pool)
        .await
        .unwrap();
    support::eventually("both processes are ready", || async {
        let ready: i64 = sqlx::query_scalar("SELECT count(*) FROM ready")
            .fetch_one(&pool)
            .await
            .unwrap();
        (ready == 2).then_some(())
    })
    .await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| tokio::spawn(append_many(store.clone(), task)))
        .collect();
    for task in tasks {
        let (acknowledged, stale) = task.await.unwrap();
        for (id, version, position) in acknowledged {
            sqlx::query("INSERT INTO acknowledged VALUES ($1, $2, $3)")
                .bind(id)
                .bind(version)
                .bind(position)
                .execute(&pool)
                .await
                .unwrap();
        }
        sqlx::query("UPDATE stale SET n = n + $1")
            .bind(stale)
            .execute(&pool)
            .await
            .unwrap();
    }
    store.shutdown().await;
}

async fn append_many(store: PostgresEventStore, task: u32) -> (Vec<(String, i64, i64)>, i64) {
    let (mut acknowledged, mut stale) = (Vec::new(), 0);
    for n in 0..EACH {
        let document = id(u128::from((task + n) % HOT));
        let name = document.to_string();
        let context = EventStore::<Document>::load_aggregate(&store, &name)
            .await
            .unwrap();
        let mut version = context.current_sequence as i64;
        loop {
            match store
                .append(append(document, version, &[requested(n)]))
                .await
            {
                Ok(appended) => {
                    acknowledged.push((name, appended.version, appended.position));
                    break;
                }
                Err(AppendError::Stale { actual }) => {
                    assert_ne!(actual, version, "refused though it was not stale");
                    stale += 1;
                    version = actual;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    (acknowledged, stale)
}

/// The second process: this test program, told to run this test alone. Without its setting, as
/// among the other tests, there is nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_process() {
    if let Ok(url) = std::env::var(DATABASE) {
        work(PgPool::connect(&url).await.unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_is_stored() {
    let database = support::database().await;
    let pool = &database.pool;
    sqlx::raw_sql(
        "CREATE TABLE ready (at timestamptz DEFAULT now());
         CREATE TABLE acknowledged (aggregate_id text, version bigint, position bigint);
         CREATE TABLE stale (n bigint); INSERT INTO stale VALUES (0);",
    )
    .execute(pool)
    .await
    .unwrap();
    let mut second = Command::new(std::env::current_exe().unwrap())
        .args(["contention::second_process", "--exact"])
        .env(DATABASE, &database.url)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    work(pool.clone()).await;
    let status = tokio::task::spawn_blocking(move || second.wait())
        .await
        .unwrap()
        .unwrap();
    assert!(status.success());

    let all = i64::from(2 * TASKS * EACH);
    assert_eq!(verify(pool).await, all, "positions 1 to n and nothing else");
    let count =
        async |query: &str| -> i64 { sqlx::query_scalar(query).fetch_one(pool).await.unwrap() };
    assert_eq!(count("SELECT count(*) FROM acknowledged").await, all);
    let unlike = "SELECT count(*) FROM events e FULL JOIN acknowledged a ON a.position = e.position \
         AND a.aggregate_id = e.aggregate_id AND a.version = e.sequence \
         WHERE e.position IS NULL OR a.position IS NULL";
    assert_eq!(
        count(unlike).await,
        0,
        "acknowledged and stored are the same"
    );
    let holes = "SELECT count(*) FROM (SELECT aggregate_id, max(sequence) AS m, count(*) AS n, \
         min(sequence) AS f FROM events GROUP BY 1) t WHERE m <> n OR f <> 1";
    assert_eq!(count(holes).await, 0, "versions have a hole");
    let streams = "SELECT count(*) FROM streams s WHERE s.version <> \
         (SELECT count(*) FROM events e WHERE e.aggregate_id = s.aggregate_id)";
    assert_eq!(count(streams).await, 0, "versions of the streams");
    assert_eq!(count("SELECT count(*) FROM writers").await, 2);
    assert!(
        count("SELECT n FROM stale").await > 0,
        "nobody got in another's way"
    );
}
