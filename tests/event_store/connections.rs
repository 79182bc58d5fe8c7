//! Connections that break in the middle: every command is appended once, and no caller notices.

use crate::fixtures::{append, id, store, uploaded};
use crate::leaves::verify;
use sqlx::PgPool;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const CALLERS: u128 = 8;
const EACH: u128 = 40;

/// Ends whatever runs or has just run the append statement.
async fn terminate_writers(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%FROM es_append%'",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_connection_loses_and_doubles_nothing() {
    let (store, database) = store().await;
    let done = Arc::new(AtomicU32::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (store, done) = (store.clone(), done.clone());
            tokio::spawn(async move {
                for n in 0..EACH {
                    let command = append(id(caller * EACH + n), 0, &[uploaded("a")]);
                    let appended = store.append(command).await.unwrap();
                    assert!(!appended.replayed);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let all = (CALLERS * EACH) as u32;
    let mut terminated = 0;
    while done.load(Ordering::Relaxed) < all
        && !callers
            .iter()
            .any(|c| c.is_finished() && done.load(Ordering::Relaxed) == 0)
    {
        // At most one connection broken for every twenty commands, so that work goes on.
        if i64::from(done.load(Ordering::Relaxed)) / 20 >= terminated {
            terminated += terminate_writers(&database.pool).await;
        }
        tokio::task::yield_now().await;
    }
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(terminated >= 3, "only {terminated} connections were broken");
    assert_eq!(verify(&database.pool).await, i64::from(all));
}

/// `es_append` of one command for a new document, as the writer would send it.
async fn send(
    pool: &PgPool,
    writer: i64,
    batch: i64,
    again: bool,
    names: &[&str],
) -> Result<Vec<(String, Option<i64>)>, sqlx::Error> {
    let numbers: Vec<i32> = (1..=names.len() as i32).collect();
    sqlx::query_as(
        "SELECT outcome, first_position FROM es_append($1, $2, $3, array_fill('document'::text, ARRAY[$4]), $5, \
         array_fill(0::bigint, ARRAY[$4]), array_fill(NULL::text, ARRAY[$4]), array_fill(NULL::bytea, ARRAY[$4]), \
         array_fill(NULL::text, ARRAY[$4]), array_fill(NULL::text, ARRAY[$4]), $6, \
         array_fill('T'::text, ARRAY[$4]), array_fill('1.0'::text, ARRAY[$4]), array_fill('{}'::text, ARRAY[$4]), \
         array_fill('{}'::text, ARRAY[$4]), array_fill('a'::text, ARRAY[$4]), \
         array_fill(NULL::bytea, ARRAY[$4]), array_fill(NULL::text, ARRAY[$4]))",
    )
    .bind(writer)
    .bind(batch)
    .bind(again)
    .bind(names.len() as i32)
    .bind(names)
    .bind(numbers)
    .fetch_all(pool)
    .await
}

#[tokio::test]
async fn a_batch_sent_again_is_answered_and_not_done_twice() {
    let database = crate::support::database().await;
    let pool = &database.pool;
    let writer = "INSERT INTO writers DEFAULT VALUES RETURNING id";
    let writer: i64 = sqlx::query_scalar(writer).fetch_one(pool).await.unwrap();
    let appended = |position| ("appended".to_owned(), Some(position));
    let stale = || ("stale".to_owned(), None);

    let first = send(pool, writer, 1, false, &["x", "x", "y"])
        .await
        .unwrap();
    assert_eq!(first, [appended(1), stale(), appended(2)]);
    let again = send(pool, writer, 1, true, &["x", "x", "y"]).await.unwrap();
    assert_eq!(again, first);

    let next = send(pool, writer, 2, false, &["y", "z"]).await.unwrap();
    assert_eq!(next, [stale(), appended(3)]);
    let late = send(pool, writer, 1, false, &["late"]).await.unwrap_err();
    assert_eq!(
        late.into_database_error().unwrap().code().as_deref(),
        Some("55000")
    );

    // Sent again with nothing to do, it still shuts out what may run of the first sending.
    assert_eq!(
        send(pool, writer, 4, true, &["z"]).await.unwrap(),
        [stale()]
    );
    send(pool, writer, 3, false, &["late"]).await.unwrap_err();
    assert_eq!(verify(pool).await, 3);
}
