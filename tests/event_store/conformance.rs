//! What every `EventStore` must do, run on ours and on the stock one of postgres-es.

use crate::fixtures::{id, requested, store, uploaded, withdrawn};
use crate::support;
use cqrs_es::persist::{EventStoreAggregateContext, PersistedEventStore};
use cqrs_es::{AggregateError, EventStore};
use kmrl_domain::Document;
use kmrl_domain::values::Status;
use postgres_es::PostgresEventRepository;
use std::collections::HashMap;

type Context = EventStoreAggregateContext<Document>;

/// The stock store on the stock schema, in a database of its own.
async fn stock() -> (
    PersistedEventStore<PostgresEventRepository, Document>,
    support::TestDatabase,
) {
    let database = support::empty_database().await;
    sqlx::raw_sql(include_str!("stock.sql"))
        .execute(&database.pool)
        .await
        .unwrap();
    let repository = PostgresEventRepository::new(database.pool.clone());
    (PersistedEventStore::new_event_store(repository), database)
}

macro_rules! conforms {
    ($($name:ident),* $(,)?) => {
        mod ours { $(#[tokio::test] async fn $name() { super::$name(&super::store().await.0).await; })* }
        mod stock_one { $(#[tokio::test] async fn $name() { super::$name(&super::stock().await.0).await; })* }
    };
}

conforms!(
    an_unknown_aggregate_is_empty,
    what_is_committed_is_loaded,
    sequences_go_on_from_the_context,
    metadata_come_back_as_they_were,
    a_stale_context_conflicts_and_changes_nothing,
    aggregates_do_not_see_each_other,
    committing_nothing_does_nothing,
    an_aggregate_loads_as_the_fold_of_its_events,
);

async fn load<S: EventStore<Document, AC = Context>>(store: &S, n: u128) -> Context {
    store.load_aggregate(&id(n).to_string()).await.unwrap()
}

async fn an_unknown_aggregate_is_empty<S: EventStore<Document, AC = Context>>(store: &S) {
    assert!(store.load_events("nobody").await.unwrap().is_empty());
    let context = store.load_aggregate("nobody").await.unwrap();
    assert_eq!(context.current_sequence, 0);
    assert_eq!(context.aggregate, Document::default());
}

async fn what_is_committed_is_loaded<S: EventStore<Document, AC = Context>>(store: &S) {
    let events = vec![uploaded("ab"), withdrawn("sent \"twice\"\nഅ")];
    let context = load(store, 1).await;
    let committed = store
        .commit(events.clone(), context, HashMap::new())
        .await
        .unwrap();
    let loaded = store.load_events(&id(1).to_string()).await.unwrap();
    for (envelopes, what) in [(committed, "committed"), (loaded, "loaded")] {
        let payloads: Vec<_> = envelopes.iter().map(|e| e.payload.clone()).collect();
        assert_eq!(payloads, events, "{what}");
        let sequences: Vec<_> = envelopes.iter().map(|e| e.sequence).collect();
        assert_eq!(sequences, [1, 2], "{what}");
        assert!(
            envelopes
                .iter()
                .all(|e| e.aggregate_id == id(1).to_string())
        );
    }
}

async fn sequences_go_on_from_the_context<S: EventStore<Document, AC = Context>>(store: &S) {
    for run in 1..=3 {
        let context = load(store, 1).await;
        assert_eq!(context.current_sequence, run as usize - 1);
        let committed = store
            .commit(vec![requested(run)], context, HashMap::new())
            .await
            .unwrap();
        assert_eq!(committed[0].sequence, run as usize);
    }
}

async fn metadata_come_back_as_they_were<S: EventStore<Document, AC = Context>>(store: &S) {
    let metadata: HashMap<String, String> = [("actor", "key:admin"), ("own \"word\"", "ഒന്ന്\n2")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
    let context = load(store, 1).await;
    store
        .commit(vec![uploaded("ab")], context, metadata.clone())
        .await
        .unwrap();
    let loaded = store.load_events(&id(1).to_string()).await.unwrap();
    assert_eq!(loaded[0].metadata, metadata);
}

async fn a_stale_context_conflicts_and_changes_nothing<S: EventStore<Document, AC = Context>>(
    store: &S,
) {
    let (first, second) = (load(store, 1).await, load(store, 1).await);
    store
        .commit(vec![uploaded("ab")], first, HashMap::new())
        .await
        .unwrap();
    let conflict = store
        .commit(vec![uploaded("cd"), requested(2)], second, HashMap::new())
        .await;
    assert!(matches!(conflict, Err(AggregateError::AggregateConflict)));
    assert_eq!(load(store, 1).await.current_sequence, 1);
}

async fn aggregates_do_not_see_each_other<S: EventStore<Document, AC = Context>>(store: &S) {
    for n in 1..=2 {
        let context = load(store, n).await;
        store
            .commit(vec![uploaded(&n.to_string())], context, HashMap::new())
            .await
            .unwrap();
    }
    for n in 1..=2 {
        let events = store.load_events(&id(n).to_string()).await.unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].payload, uploaded(&n.to_string()));
    }
}

async fn committing_nothing_does_nothing<S: EventStore<Document, AC = Context>>(store: &S) {
    let context = load(store, 1).await;
    let committed = store.commit(vec![], context, HashMap::new()).await.unwrap();
    assert!(committed.is_empty());
    assert_eq!(load(store, 1).await.current_sequence, 0);
}

async fn an_aggregate_loads_as_the_fold_of_its_events<S: EventStore<Document, AC = Context>>(
    store: &S,
) {
    let context = load(store, 1).await;
    let events = vec![uploaded("ab"), requested(2), withdrawn("wrong one")];
    store.commit(events, context, HashMap::new()).await.unwrap();
    let document = load(store, 1).await.aggregate;
    assert_eq!(document.status, Status::Queued);
    assert_eq!(document.current.run, 2);
    assert!(document.withdrawn);
}

/// The seven columns of our table are those that the stock repository knows.
#[tokio::test]
async fn the_stock_store_reads_our_log() {
    let (ours, database) = store().await;
    let context = load(&ours, 1).await;
    let metadata: HashMap<String, String> = [("actor".to_owned(), "a".to_owned())].into();
    ours.commit(
        vec![uploaded("ab"), requested(2)],
        context,
        metadata.clone(),
    )
    .await
    .unwrap();
    let repository = PostgresEventRepository::new(database.pool.clone());
    let stock = PersistedEventStore::<_, Document>::new_event_store(repository);
    let loaded = stock.load_events(&id(1).to_string()).await.unwrap();
    assert_eq!(loaded.len(), 2);
    assert_eq!((loaded[1].sequence, &loaded[1].payload), (2, &requested(2)));
    assert_eq!(loaded[1].metadata, metadata);
}
