//! Workers when nothing goes wrong but the document itself.

use crate::reader::Reader;
use crate::scene::{Scene, TRACEPARENT};
use kmrl_domain::DocumentCommand;
use kmrl_domain::command::Withdraw;
use kmrl_domain::document::TYPE;
use kmrl_domain::event::DocumentEvent;
use kmrl_domain::values::Priority;
use kmrl_gateway::adapters::system::SystemClock;
use kmrl_gateway::ports::Clock;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn an_upload_becomes_text_and_its_traces_go_with_it() {
    let scene = Scene::new().await;
    let mut progress = scene.signals.progress();
    let relay = scene.run_relay();
    let worker = scene.run_worker(&Arc::new(Reader::open()));
    let text = "Brake pads of coach 4 were changed.\nകൊച്ചി മെട്രോ";
    let id = scene.upload(text, Priority::High).await;
    scene.until(id, "Extracted", "done").await;
    assert_eq!(scene.text(id).await.trim(), text);
    let report = progress.recv().await.unwrap();
    assert_eq!((report.document_id, report.percent), (id, 100));
    let events = scene.log.stream(TYPE, &id.to_string()).await.unwrap();
    assert_eq!(events.len(), 3);
    for event in &events[1..] {
        let of = |name: &str| event.metadata.get(name).cloned().unwrap_or_default();
        assert_eq!(of("actor"), "system:worker");
        assert_eq!(of("correlation_id"), format!("c-{id}"));
        assert_eq!(of("causation_id"), events[0].position.to_string());
        assert_eq!(of("traceparent"), TRACEPARENT);
    }
    worker.stop().await;
    relay.stop().await;
    let left = crate::support::eventually("an empty stream", || async {
        (scene.messages().await.0 == 0).then_some(0)
    });
    assert_eq!(left.await, 0);
}

#[tokio::test]
async fn what_the_document_is_to_blame_for_is_not_tried_again() {
    let scene = Scene::new().await;
    let relay = scene.run_relay();
    let worker = scene.run_worker(&Arc::new(Reader::open()));
    let id = scene
        .upload("\u{0}\u{1}\u{2}PK\u{3}", Priority::Normal)
        .await;
    scene.until(id, "Failed", "failed").await;
    assert_eq!(
        scene.names(id).await,
        ["Uploaded", "ProcessingStarted", "Failed"]
    );
    worker.stop().await;
    relay.stop().await;
}

#[tokio::test]
async fn a_crash_is_tried_again_when_its_wait_is_over() {
    let scene = Scene::new().await;
    let relay = scene.run_relay();
    let worker = scene.run_worker(&Arc::new(Reader::crashing(1)));
    let id = scene.upload("text", Priority::Normal).await;
    scene.until(id, "Extracted", "done").await;
    let mut due = None;
    for event in scene.events(id).await {
        match event {
            DocumentEvent::Failed(e) => {
                assert_eq!(e.reason.code, "crashed");
                due = e.retry_at;
            }
            DocumentEvent::ProcessingStarted(e) => {
                assert!(due.is_none_or(|due| e.started_at >= due), "{due:?}");
            }
            _ => {}
        }
    }
    assert!(due.is_some());
    let job = scene.job(id).await.unwrap();
    assert_eq!((job.attempt, job.excused), (2, 0));
    worker.stop().await;
    relay.stop().await;
}

#[tokio::test]
async fn what_breaks_the_reader_twice_is_parked() {
    let scene = Scene::new().await;
    let relay = scene.run_relay();
    let reader = Arc::new(Reader::crashing(u32::MAX));
    let worker = scene.run_worker(&reader);
    let id = scene.upload("text", Priority::Normal).await;
    scene.until(id, "Failed", "failed").await;
    let names = scene.names(id).await;
    assert_eq!(names.iter().filter(|n| **n == "Failed").count(), 2);
    assert_eq!(reader.reads.load(Ordering::SeqCst), 2);
    worker.stop().await;
    relay.stop().await;
}

#[tokio::test]
async fn work_on_a_document_withdrawn_meanwhile_is_dropped() {
    let scene = Scene::new().await;
    let relay = scene.run_relay();
    let reader = Arc::new(Reader::closed());
    let worker = scene.run_worker(&reader);
    let id = scene.upload("text", Priority::Normal).await;
    scene.until_started(id, 1).await;
    let withdraw = DocumentCommand::Withdraw(Withdraw {
        reason: "sent twice".into(),
        at: SystemClock.now(),
    });
    scene.execute(id, withdraw).await.unwrap();
    reader.open_gate();
    scene.until(id, "Withdrawn", "cancelled").await;
    worker.stop().await;
    assert_eq!(
        scene.names(id).await,
        ["Uploaded", "ProcessingStarted", "Withdrawn"]
    );
    relay.stop().await;
}

#[tokio::test]
async fn a_backlog_is_worked_off_once_each_by_two_workers() {
    let scene = Scene::new().await;
    let relay = scene.run_relay();
    let mut ids = Vec::new();
    for n in 0..40 {
        let priority = Priority::ALL[n % 3];
        ids.push(scene.upload(&format!("text {n}"), priority).await);
    }
    let reader = Arc::new(Reader::open());
    let workers = [scene.run_worker(&reader), scene.run_worker(&reader)];
    for id in &ids {
        scene.until(*id, "Extracted", "done").await;
        assert_eq!(scene.names(*id).await.len(), 3);
    }
    assert_eq!(reader.reads.load(Ordering::SeqCst), 40);
    for worker in workers {
        worker.stop().await;
    }
    relay.stop().await;
}
