//! Reading the log: by position, by filter, by stream.

use crate::fixtures::{append, id, requested, store, uploaded};
use kmrl_domain::RecordedEvent;
use kmrl_gateway::event_store::{EventFilter, PostgresEventStore};

fn positions(events: &[RecordedEvent]) -> Vec<i64> {
    events.iter().map(|e| e.position).collect()
}

/// Positions 1, 3, 5 are uploads of documents 1, 2, 3; 2, 4, 6 are what a worker asked of them.
async fn six_events(store: &PostgresEventStore) {
    for n in 1..=3 {
        store
            .append(append(id(n), 0, &[uploaded("a")]))
            .await
            .unwrap();
        let mut command = append(id(n), 1, &[requested(2)]);
        command.metadata.actor = "worker:1".into();
        store.append(command).await.unwrap();
    }
}

#[tokio::test]
async fn reading_goes_on_from_a_position() {
    let (store, _database) = store().await;
    let log = store.log();
    assert_eq!(log.head().await.unwrap(), 0);
    assert!(log.read(0, 10).await.unwrap().is_empty());
    assert_eq!(log.head_with_time().await.unwrap().0, 0);
    six_events(&store).await;
    assert_eq!(positions(&log.read(0, 4).await.unwrap()), [1, 2, 3, 4]);
    assert_eq!(positions(&log.read(4, 4).await.unwrap()), [5, 6]);
    assert!(log.read(6, 4).await.unwrap().is_empty());
    let event = &log.read(4, 1).await.unwrap()[0];
    assert_eq!(event.document().unwrap(), Some(uploaded("a")));
    assert_eq!((event.id().unwrap(), event.sequence), (id(3), 1));
    assert_eq!(
        (event.event_type.as_str(), event.event_version.as_str()),
        ("Uploaded", "1.1")
    );
    assert_eq!(log.head_with_time().await.unwrap().0, 6);
}

#[tokio::test]
async fn pages_pass_filters() {
    let (store, _database) = store().await;
    six_events(&store).await;
    let log = store.log();
    let all = log.read(0, 10).await.unwrap();
    let page = async |filter: EventFilter| positions(&log.page(&filter).await.unwrap());
    let any = EventFilter {
        limit: 100,
        ..EventFilter::default()
    };
    assert_eq!(page(any.clone()).await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(
        page(EventFilter {
            after: 2,
            limit: 3,
            ..any.clone()
        })
        .await,
        [3, 4, 5]
    );
    assert_eq!(
        page(EventFilter {
            document_id: Some(id(2)),
            ..any.clone()
        })
        .await,
        [3, 4]
    );
    let uploads = EventFilter {
        event_type: Some("Uploaded".into()),
        ..any.clone()
    };
    assert_eq!(page(uploads.clone()).await, [1, 3, 5]);
    assert_eq!(
        page(EventFilter {
            after: 1,
            limit: 1,
            ..uploads
        })
        .await,
        [3]
    );
    let worker = EventFilter {
        actor: Some("worker:1".into()),
        ..any.clone()
    };
    assert_eq!(
        page(EventFilter {
            document_id: Some(id(3)),
            ..worker.clone()
        })
        .await,
        [6]
    );
    assert_eq!(page(worker).await, [2, 4, 6]);

    // Each was appended by itself, so each has a time of its own.
    let since = EventFilter {
        since: Some(all[3].recorded_at),
        ..any.clone()
    };
    assert_eq!(page(since.clone()).await, [4, 5, 6]);
    assert_eq!(
        page(EventFilter {
            until: Some(all[4].recorded_at),
            ..since
        })
        .await,
        [4]
    );
    let later = all[5].recorded_at + time::Duration::seconds(1);
    assert!(
        page(EventFilter {
            since: Some(later),
            ..any.clone()
        })
        .await
        .is_empty()
    );
    assert_eq!(
        page(EventFilter {
            until: Some(later),
            ..any
        })
        .await
        .len(),
        6
    );
}

#[tokio::test]
async fn a_stream_is_read_by_its_id() {
    let (store, _database) = store().await;
    six_events(&store).await;
    let stream = store
        .log()
        .stream("document", &id(2).to_string())
        .await
        .unwrap();
    assert_eq!(positions(&stream), [3, 4]);
    assert!(
        store
            .log()
            .stream("intake", &id(2).to_string())
            .await
            .unwrap()
            .is_empty()
    );
}
