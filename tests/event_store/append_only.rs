//! The database itself refuses to change the log, even for the owner of its tables.

use crate::fixtures::{append, id, store, uploaded};

#[tokio::test]
async fn the_owner_cannot_change_the_log() {
    let (store, database) = store().await;
    let appended = store
        .append(append(id(1), 0, &[uploaded("ab")]))
        .await
        .unwrap();
    let owner: bool = sqlx::query_scalar(
        "SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'events'",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    assert!(owner, "the refusals below would prove less");
    for statement in [
        "UPDATE events SET payload = '{}'",
        "UPDATE events SET payload = '{}' WHERE false",
        "DELETE FROM events",
        "DELETE FROM events WHERE position = 1",
        "TRUNCATE events",
        "TRUNCATE events CASCADE",
        "INSERT INTO events SELECT position + 1, aggregate_type, aggregate_id, sequence + 1, event_type, \
         event_version, payload, metadata, actor, recorded_at, leaf FROM events",
        "UPDATE log_checkpoints SET size = 1",
        "DELETE FROM log_checkpoints",
        "TRUNCATE log_checkpoints",
        "UPDATE log_nodes SET index = 1",
        "DELETE FROM log_nodes",
        "UPDATE log_keys SET vkey = ''",
        "DELETE FROM log_keys",
        "WITH w AS (DELETE FROM events RETURNING 1) SELECT * FROM w",
    ] {
        let refused = sqlx::query(statement)
            .execute(&database.pool)
            .await
            .unwrap_err();
        let refused = refused.into_database_error().unwrap();
        assert_eq!(refused.code().as_deref(), Some("42501"), "{statement}");
        assert!(refused.message().contains("append-only"), "{statement}");
    }
    let events = store.log().read(0, 10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].position, appended.position);
}

/// Appending opens the door for its own insert alone, not for the rest of the transaction.
#[tokio::test]
async fn the_door_is_shut_after_an_append() {
    let (store, database) = store().await;
    store
        .append(append(id(1), 0, &[uploaded("ab")]))
        .await
        .unwrap();
    let mut transaction = database.pool.begin().await.unwrap();
    sqlx::query(
        "SELECT * FROM es_append((SELECT max(id) FROM writers), 1000, false, ARRAY['document'], ARRAY['x'], \
         ARRAY[0], ARRAY[NULL], ARRAY[NULL]::bytea[], ARRAY[NULL], ARRAY[NULL], ARRAY[1], ARRAY['T'], \
         ARRAY['1.0'], ARRAY['{}'], ARRAY['{}'], ARRAY['a'], ARRAY[NULL]::bytea[], ARRAY[NULL])",
    )
    .execute(&mut *transaction)
    .await
    .unwrap();
    let refused = sqlx::query("INSERT INTO events SELECT * FROM events WHERE false")
        .execute(&mut *transaction)
        .await;
    assert!(refused.is_err());
}
