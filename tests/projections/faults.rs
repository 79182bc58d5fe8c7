//! Faulty events, gaps, texts that are away, several projectors.

use crate::history::{self, id};
use crate::world::World;
use kmrl_projections::{NAMES, ProjectionError, Projector};
use serde_json::json;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn an_event_that_cannot_be_read_is_parked_and_the_rest_goes_on() {
    let world = World::new().await;
    let mut events = history::interleaved(0..20);
    let number = 2;
    let bad = events
        .iter()
        .position(|e| e.id == id(number) && e.event_type == "ProcessingStarted")
        .unwrap();
    events[bad].payload = json!({"type": "ProcessingStarted", "run": "one"});
    let head = events.len() as i64;
    world.append(events).await;
    assert_eq!(world.catch_up().await, head);
    let position = bad as i64 + 1;
    let all = ["documents", "search", "statistics"].map(|name| (name.to_owned(), position));
    assert_eq!(world.parked().await, all.into());
    let row = world.read.document(id(number)).await.unwrap().unwrap();
    assert_eq!((row.status.as_str(), row.incomplete), ("processed", true));
    assert!(
        world
            .read
            .status(id(number))
            .await
            .unwrap()
            .unwrap()
            .incomplete
    );
    let other = world.read.document(id(number + 7)).await.unwrap().unwrap();
    assert!(!other.incomplete);
}

#[tokio::test]
async fn events_that_the_database_refuses_are_found_and_parked() {
    let world = World::new().await;
    let mut events = history::interleaved(0..60);
    let mut bad = Vec::new();
    for (index, event) in events.iter_mut().enumerate() {
        if [id(5), id(33)].contains(&event.id) && event.event_type == "Uploaded" {
            event.payload["source"] = json!("no\0source");
            bad.push(index as i64 + 1);
        }
    }
    let head = events.len() as i64;
    world.append(events).await;
    assert_eq!(world.catch_up().await, head);
    let parked = world.parked().await;
    for position in bad {
        assert!(parked.contains(&("documents".into(), position)));
        assert!(parked.contains(&("statistics".into(), position)));
    }
    assert!(world.read.document(id(5)).await.unwrap().is_none());
    let statistics = world.read.statistics().await.unwrap();
    assert_eq!(statistics.total + statistics.withdrawn, 58);
    let live = world.dump(1).await;
    for name in NAMES {
        world.projector.rebuild(name, &mut |_, _| {}).await.unwrap();
    }
    assert_eq!(world.dump(2).await, live);
    assert_eq!(world.parked().await, parked);
}

#[tokio::test]
async fn a_missing_text_marks_its_document_until_a_rebuild_finds_it() {
    let world = World::new().await;
    world
        .shelf
        .missing
        .lock()
        .unwrap()
        .insert(history::text_key(1, 1));
    world.append(history::processed(1)).await;
    world.append(history::processed(2)).await;
    assert_eq!(world.catch_up().await, 6);
    let row = world.read.document(id(1)).await.unwrap().unwrap();
    assert_eq!((row.incomplete, row.extracted_text), (true, None));
    let other = world.read.document(id(2)).await.unwrap().unwrap();
    assert!(!other.incomplete && other.extracted_text.is_some());

    world.shelf.missing.lock().unwrap().clear();
    for name in ["texts", "search"] {
        world.projector.rebuild(name, &mut |_, _| {}).await.unwrap();
    }
    let row = world.read.document(id(1)).await.unwrap().unwrap();
    assert!(!row.incomplete && row.extracted_text.is_some());
}

#[tokio::test]
async fn documents_wait_for_texts_that_are_away() {
    let world = World::new().await;
    world
        .append(vec![history::uploaded(1), history::refused(1)])
        .await;
    world.catch_up().await;
    world.shelf.away.store(true, Ordering::Relaxed);
    world
        .append(vec![
            history::started(1, 2, 1, 1),
            history::extracted(1, 3, 1, 1),
        ])
        .await;
    assert!(matches!(
        world.projector.catch_up().await,
        Err(ProjectionError::Text {
            projection: "texts",
            ..
        })
    ));
    assert_eq!(world.position("statistics").await, 4);
    assert_eq!(world.position("validation_errors").await, 4);
    assert_eq!(world.position("texts").await, 2);
    assert_eq!(world.position("documents").await, 2);
    assert_eq!(world.read.visible_position().await.unwrap(), 2);
    assert_eq!(
        world.read.status(id(1)).await.unwrap().unwrap().status,
        "queued"
    );
    assert!(world.parked().await.is_empty());

    world.shelf.away.store(false, Ordering::Relaxed);
    assert_eq!(world.catch_up().await, 4);
    let row = world.read.document(id(1)).await.unwrap().unwrap();
    assert!(row.status == "processed" && row.extracted_text.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reader_sees_a_processed_document_without_its_text() {
    let world = World::new().await;
    let projector = world.projector.clone();
    let pool = world.pool.clone();
    let writer = tokio::spawn(async move {
        for number in 0..60 {
            crate::world::append(&pool, history::processed(number)).await;
            projector.catch_up().await.unwrap();
        }
    });
    while !writer.is_finished() {
        let bare: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM read.documents d LEFT JOIN read.texts t ON t.document_id = d.id \
             WHERE d.status = 'processed' AND t.document_id IS NULL",
        )
        .fetch_one(&world.pool)
        .await
        .unwrap();
        assert_eq!(bare, 0);
    }
    writer.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_projectors_at_once_apply_each_event_once() {
    let world = World::new().await;
    let projectors: Vec<_> = (0..3)
        .map(|_| Projector::new(world.pool.clone(), world.log.clone(), world.shelf.clone()))
        .collect();
    for round in 0..10 {
        world
            .append(history::interleaved(round * 20..round * 20 + 20))
            .await;
        let running: Vec<_> = projectors
            .iter()
            .cloned()
            .map(|projector| tokio::spawn(async move { projector.catch_up().await }))
            .collect();
        for running in running {
            running.await.unwrap().unwrap();
        }
    }
    let all_apart = projectors.iter().map(Projector::catch_up_apart);
    for apart in futures::future::join_all(all_apart).await {
        apart.unwrap();
    }
    let live = world.dump(1).await;
    for name in NAMES {
        world.projector.rebuild(name, &mut |_, _| {}).await.unwrap();
    }
    assert_eq!(world.dump(2).await, live);
    let statistics = world.read.statistics().await.unwrap();
    assert_eq!(statistics.total + statistics.withdrawn, 200);
}

#[tokio::test]
async fn a_gap_stops_and_is_never_passed_over() {
    let world = World::new().await;
    world.append(history::processed(1)).await;
    world.log.hidden.store(2, Ordering::Relaxed);
    assert!(matches!(
        world.projector.catch_up().await,
        Err(ProjectionError::Gap {
            expected: 2,
            found: Some(3)
        })
    ));
    assert_eq!(world.read.visible_position().await.unwrap(), 0);
    world.log.hidden.store(0, Ordering::Relaxed);
    assert_eq!(world.catch_up().await, 3);
}

#[tokio::test]
async fn an_unknown_name_is_said_to_be_unknown() {
    let world = World::new().await;
    assert!(matches!(
        world.projector.rebuild("texts; --", &mut |_, _| {}).await,
        Err(ProjectionError::Unknown { .. })
    ));
}
