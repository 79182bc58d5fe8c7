//! An old version in the log is read as the current one, by every way of reading.

use crate::fixtures::{append, id, uploaded, withdrawn};
use crate::support;
use cqrs_es::EventStore;
use cqrs_es::persist::{EventUpcaster, SemanticVersionEventUpcaster};
use kmrl_domain::Document;
use kmrl_gateway::event_store::{EventFilter, NewEvent, PostgresEventStore};
use kmrl_gateway::signals::Signals;

/// In 0.9 the reason was called `why`.
fn rename() -> Box<dyn EventUpcaster> {
    Box::new(SemanticVersionEventUpcaster::new(
        "Withdrawn",
        "1.0",
        Box::new(|mut payload| {
            if let Some(why) = payload.as_object_mut().and_then(|o| o.remove("why")) {
                payload["reason"] = why;
            }
            payload
        }),
    ))
}

#[tokio::test]
async fn an_old_version_is_read_as_the_current_one() {
    let database = support::database().await;
    let upcasters = vec![rename()].into();
    let store = PostgresEventStore::start_with(database.pool.clone(), Signals::local(), upcasters);
    let mut command = append(id(1), 0, &[uploaded("a")]);
    command.events.push(NewEvent {
        event_type: "Withdrawn".into(),
        event_version: "0.9".into(),
        payload: r#"{"type":"Withdrawn","why":"sent twice","withdrawn_at":"2026-01-02T03:04:05.678901Z"}"#.into(),
        private: None,
    });
    store.append(command).await.unwrap();

    let expected = withdrawn("sent twice");
    let name = id(1).to_string();
    let loaded = EventStore::<Document>::load_events(&store, &name)
        .await
        .unwrap();
    assert_eq!(loaded[1].payload, expected);
    let context = EventStore::<Document>::load_aggregate(&store, &name)
        .await
        .unwrap();
    assert!(context.aggregate.withdrawn);

    let log = store.log();
    let filter = EventFilter {
        after: 1,
        limit: 1,
        ..EventFilter::default()
    };
    for event in [
        log.read(1, 1).await.unwrap().remove(0),
        log.page(&filter).await.unwrap().remove(0),
        log.stream("document", &name).await.unwrap().remove(1),
    ] {
        assert_eq!((event.event_version.as_str(), event.sequence), ("1.0.0", 2));
        assert_eq!(event.document().unwrap(), Some(expected.clone()));
        assert_eq!(event.metadata["actor"], "key:admin");
    }
    let stored: String = sqlx::query_scalar("SELECT event_version FROM events WHERE position = 2")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(stored, "0.9", "the log is never rewritten");
}
