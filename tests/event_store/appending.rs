//! Versions, idempotency keys, claims, private parts, and one bad command among good ones.

use crate::fixtures::{append, id, key, metadata, private, requested, store, uploaded};
use futures::future::join_all;
use kmrl_gateway::event_store::{AppendError, Claim, NewEvent, PostgresEventStore};
use kmrl_gateway::signals::Signals;
use std::collections::HashMap;

#[tokio::test]
async fn positions_and_versions_count_up() {
    let (store, _database) = store().await;
    let first = store
        .append(append(id(1), 0, &[uploaded("a"), requested(2)]))
        .await
        .unwrap();
    let second = store
        .append(append(id(2), 0, &[uploaded("b")]))
        .await
        .unwrap();
    let third = store
        .append(append(id(1), 2, &[requested(3)]))
        .await
        .unwrap();
    assert_eq!(
        (first.first_position, first.position, first.version),
        (1, 2, 2)
    );
    assert_eq!(
        (second.first_position, second.position, second.version),
        (3, 3, 1)
    );
    assert_eq!((third.position, third.version), (4, 3));
    assert_eq!(store.log().head().await.unwrap(), 4);
}

#[tokio::test]
async fn a_stale_command_learns_the_version() {
    let (store, _database) = store().await;
    store
        .append(append(id(1), 0, &[uploaded("a")]))
        .await
        .unwrap();
    for expected in [0, 2] {
        let stale = store.append(append(id(1), expected, &[requested(2)])).await;
        assert!(
            matches!(stale, Err(AppendError::Stale { actual: 1 })),
            "{stale:?}"
        );
    }
    assert_eq!(store.log().head().await.unwrap(), 1);
}

/// All of them are in the queue before the writer first looks.
#[tokio::test]
async fn of_two_for_one_version_in_a_batch_the_second_is_stale() {
    let (store, _database) = store().await;
    let results = join_all((0..64).map(|_| store.append(append(id(1), 0, &[uploaded("a")])))).await;
    assert!(results[0].is_ok());
    for stale in &results[1..] {
        assert!(matches!(stale, Err(AppendError::Stale { actual: 1 })));
    }
}

#[tokio::test]
async fn a_repetition_gets_the_first_answer() {
    let (store, _database) = store().await;
    let mut command = append(id(1), 0, &[uploaded("a"), requested(2)]);
    command.idempotency = Some(key("k", 1));
    let first = store.append(command.clone()).await.unwrap();
    store
        .append(append(id(1), 2, &[requested(3)]))
        .await
        .unwrap();

    command.aggregate_id = id(2).to_string();
    let again = store.append(command.clone()).await.unwrap();
    assert!(again.replayed && !first.replayed);
    assert_eq!(again.aggregate_id, id(1).to_string());
    assert_eq!(
        (
            again.version,
            again.first_position,
            again.position,
            again.recorded_at
        ),
        (
            first.version,
            first.first_position,
            first.position,
            first.recorded_at
        )
    );
    assert_eq!(store.answered(&key("k", 1)).await.unwrap(), Some(again));

    command.idempotency = Some(key("k", 2));
    assert!(matches!(
        store.append(command).await,
        Err(AppendError::KeyReused)
    ));
    assert!(matches!(
        store.answered(&key("k", 2)).await,
        Err(AppendError::KeyReused)
    ));
    assert_eq!(store.answered(&key("other", 2)).await.unwrap(), None);
    assert_eq!(store.log().head().await.unwrap(), 3);
}

#[tokio::test]
async fn of_many_with_one_key_at_once_one_counts() {
    let (store, _database) = store().await;
    let commands = (0..64).map(|n| {
        let mut command = append(id(n), 0, &[uploaded("a")]);
        command.idempotency = Some(key("k", 1));
        store.append(command)
    });
    let results: Vec<_> = join_all(commands)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(results.iter().filter(|a| !a.replayed).count(), 1);
    assert!(
        results
            .iter()
            .all(|a| a.position == 1 && a.aggregate_id == results[0].aggregate_id)
    );
}

#[tokio::test]
async fn a_key_is_kept_though_nothing_was_decided() {
    let (store, _database) = store().await;
    store
        .append(append(id(1), 0, &[uploaded("a")]))
        .await
        .unwrap();
    let mut command = append(id(1), 1, &[]);
    command.idempotency = Some(key("k", 1));
    let first = store.append(command.clone()).await.unwrap();
    assert_eq!(
        (first.version, first.first_position, first.position),
        (1, 2, 1)
    );
    store
        .append(append(id(1), 1, &[requested(2)]))
        .await
        .unwrap();
    let again = store.append(command).await.unwrap();
    assert!(again.replayed);
    assert_eq!(
        (again.version, again.first_position, again.position),
        (1, 2, 1)
    );
}

#[tokio::test]
async fn a_refused_command_leaves_its_key_free() {
    let (store, _database) = store().await;
    let mut command = append(id(1), 5, &[requested(2)]);
    command.idempotency = Some(key("k", 1));
    assert!(matches!(
        store.append(command.clone()).await,
        Err(AppendError::Stale { .. })
    ));
    command.expected_version = 0;
    assert!(!store.append(command).await.unwrap().replayed);
}

#[tokio::test]
async fn a_claim_belongs_to_the_first() {
    let (store, _database) = store().await;
    let claiming = |n| {
        let mut command = append(id(n), 0, &[uploaded("a")]);
        command.claim = Some(Claim {
            kind: "blob",
            value: "a".into(),
        });
        command
    };
    let results = join_all((1..=32).map(|n| store.append(claiming(n)))).await;
    assert!(results[0].is_ok());
    for claimed in &results[1..] {
        let Err(AppendError::Claimed { owner }) = claimed else {
            panic!("{claimed:?}")
        };
        assert_eq!(*owner, id(1).to_string());
    }
    let mut own = claiming(1);
    own.expected_version = 1;
    store.append(own).await.unwrap();
    let mut other_kind = claiming(2);
    other_kind.claim = Some(Claim {
        kind: "name",
        value: "a".into(),
    });
    store.append(other_kind).await.unwrap();
}

#[tokio::test]
async fn metadata_and_actor_are_kept() {
    let (store, database) = store().await;
    store
        .append(append(id(1), 0, &[uploaded("a")]))
        .await
        .unwrap();
    let event = store.log().read(0, 1).await.unwrap().remove(0);
    assert_eq!(event.metadata, HashMap::from(metadata()));
    assert!(!event.metadata.contains_key("causation_id"));
    let actor: String = sqlx::query_scalar("SELECT actor FROM events")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(actor, "key:admin");
}

#[tokio::test]
async fn a_private_part_is_read_until_it_is_erased() {
    let (store, database) = store().await;
    let mut command = append(id(1), 0, &[]);
    let part = private();
    command.events = vec![
        NewEvent::new(&uploaded("a"), Some(part.clone())).unwrap(),
        NewEvent::new(&requested(2), None).unwrap(),
    ];
    store.append(command).await.unwrap();
    let events = store.log().read(0, 10).await.unwrap();
    assert_eq!(
        events[0].private,
        Some(serde_json::from_str(&part.content).unwrap())
    );
    assert_eq!(events[1].private, None);
    let (salt, content): (Vec<u8>, String) =
        sqlx::query_as("SELECT salt, content FROM private_parts WHERE aggregate_id = $1")
            .bind(id(1).to_string())
            .fetch_one(&database.pool)
            .await
            .unwrap();
    assert_eq!((salt, content), (part.salt.to_vec(), part.content));

    sqlx::query("DELETE FROM private_parts WHERE position = 1")
        .execute(&database.pool)
        .await
        .unwrap();
    let erased = store.log().read(0, 10).await.unwrap();
    assert_eq!(erased[0].private, None);
    assert_eq!(erased[0].payload, events[0].payload);
}

#[tokio::test]
async fn one_bad_command_fails_alone() {
    let (store, _database) = store().await;
    let commands = (0..100).map(|n| {
        let mut command = append(id(n), 0, &[uploaded("a")]);
        match n {
            13 => command.events[0].payload = "{not json".into(),
            77 => command.metadata.actor = "nul\0".into(),
            _ => {}
        }
        store.append(command)
    });
    let results = join_all(commands).await;
    for (n, result) in results.iter().enumerate() {
        match n {
            13 | 77 => assert!(
                matches!(result, Err(AppendError::Payload { .. })),
                "{n}: {result:?}"
            ),
            _ => assert!(result.is_ok(), "{n}: {result:?}"),
        }
    }
    assert_eq!(store.log().read(0, 1_000).await.unwrap().len(), 98);
}

#[tokio::test]
async fn readers_are_woken() {
    let database = crate::support::database().await;
    let signals = Signals::local();
    let mut appended = signals.on_appended();
    let store = PostgresEventStore::start(database.pool.clone(), signals);
    store
        .append(append(id(1), 0, &[uploaded("a")]))
        .await
        .unwrap();
    assert!(appended.has_changed().unwrap());
    appended.mark_unchanged();
    store
        .append(append(id(1), 0, &[uploaded("a")]))
        .await
        .unwrap_err();
    assert!(!appended.has_changed().unwrap(), "nothing was appended");
}

#[tokio::test]
async fn a_shutdown_answers_what_waits_and_takes_no_more() {
    let (store, _database) = store().await;
    let waiting: Vec<_> = (0..50)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.append(append(id(n), 0, &[uploaded("a")])).await })
        })
        .collect();
    // Each of the tasks runs once before this one goes on: one thread, in order.
    tokio::task::yield_now().await;
    store.shutdown().await;
    for result in join_all(waiting).await {
        result.unwrap().unwrap();
    }
    let late = store.append(append(id(99), 0, &[uploaded("a")])).await;
    assert!(matches!(late, Err(AppendError::Stopped)));
    assert_eq!(store.log().head().await.unwrap(), 50);
}
