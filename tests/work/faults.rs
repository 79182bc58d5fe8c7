//! Workers, NATS and the blob store failing in the middle: every document ends, once.

use crate::reader::Reader;
use crate::scene::Scene;
use crate::support::eventually;
use kmrl_domain::command::{RecordExtraction, RecordFailure, RetryPolicy};
use kmrl_domain::decide::{OutcomeRefusal, Refusal};
use kmrl_domain::event::DocumentEvent;
use kmrl_domain::values::{Attempt, FailureReason, Priority, TextRef};
use kmrl_domain::{Document, DocumentCommand};
use kmrl_gateway::adapters::system::SystemClock;
use kmrl_gateway::commands::CommandError;
use kmrl_gateway::ports::Clock;
use kmrl_gateway::work::WorkSettings;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const FIRST: Attempt = Attempt { run: 1, attempt: 1 };

fn late_extraction() -> DocumentCommand {
    DocumentCommand::RecordExtraction(RecordExtraction {
        attempt: FIRST,
        text: TextRef {
            key: "text/late".into(),
            sha256: "late".into(),
            characters: 4,
            pages: 1,
        },
        language: "en".into(),
        confidence: 1.0,
        department: None,
        judgement: kmrl_domain::judged::Judgement::default(),
        findings: None,
        at: SystemClock.now(),
    })
}

fn late_failure() -> DocumentCommand {
    DocumentCommand::RecordFailure(RecordFailure {
        attempt: FIRST,
        reason: FailureReason {
            code: "crashed".into(),
            detail: "late".into(),
        },
        retry: RetryPolicy::Never,
        at: SystemClock.now(),
    })
}

#[tokio::test]
async fn a_killed_workers_job_is_claimed_anew_and_its_late_outcome_decides_nothing() {
    let scene = Scene::new().await;
    let relay = scene.run_relay();
    let killed = scene.run_worker(&Arc::new(Reader::closed()));
    let id = scene.upload("text", Priority::Normal).await;
    scene.until_started(id, 1).await;
    killed.kill().await;
    let reader = Arc::new(Reader::closed());
    let worker = scene.run_worker(&reader);
    scene.until_started(id, 2).await;
    // Attempt 2 is under way: the outcome of attempt 1 is refused.
    let refused = scene.execute(id, late_extraction()).await.unwrap_err();
    assert!(matches!(
        refused,
        CommandError::Refused(Refusal::Outcome(OutcomeRefusal::Superseded { .. }))
    ));
    reader.open_gate();
    scene.until(id, "Extracted", "done").await;
    // Attempt 2 is settled: the outcome of attempt 1 decides nothing.
    assert!(!scene.execute(id, late_failure()).await.unwrap().changed);
    assert_eq!(
        scene.names(id).await,
        [
            "Uploaded",
            "ProcessingStarted",
            "ProcessingStarted",
            "Extracted"
        ]
    );
    worker.stop().await;
    relay.stop().await;
}

#[tokio::test]
async fn a_job_whose_workers_are_lost_each_time_ends_as_failed() {
    let scene = Scene::new().await;
    let relay = scene.run_relay();
    let id = scene.upload("text", Priority::Normal).await;
    let twice = || WorkSettings {
        max_attempts: 2,
        ..scene.settings()
    };
    for attempt in 1..=2 {
        let killed = scene.run_worker_with(&Arc::new(Reader::closed()), twice());
        scene.until_started(id, attempt).await;
        killed.kill().await;
    }
    let worker = scene.run_worker_with(&Arc::new(Reader::open()), twice());
    scene.until(id, "Failed", "failed").await;
    let events = scene.events(id).await;
    let Some(DocumentEvent::Failed(failed)) = events.last() else {
        panic!("{events:?}");
    };
    assert_eq!(failed.reason.code, "worker_lost");
    assert_eq!(failed.attempt, Attempt { run: 1, attempt: 2 });
    assert_eq!(failed.retry_at, None);
    worker.stop().await;
    relay.stop().await;
}

#[tokio::test]
async fn a_worker_that_stops_gives_back_what_it_cannot_finish() {
    let scene = Scene::new().await;
    let relay = scene.run_relay();
    let once = |grace| WorkSettings {
        max_attempts: 1,
        grace,
        ..scene.settings()
    };
    let hasty = once(Duration::from_millis(10));
    let worker = scene.run_worker_with(&Arc::new(Reader::closed()), hasty);
    let id = scene.upload("text", Priority::Normal).await;
    scene.until_started(id, 1).await;
    worker.stop().await;
    let job = scene.job(id).await.unwrap();
    assert_eq!(
        (job.status.as_str(), job.attempt, job.excused),
        ("queued", 1, 1)
    );
    // Its one attempt was not used up.
    let reader = Arc::new(Reader::closed());
    let worker = scene.run_worker_with(&reader, once(Duration::from_secs(60)));
    scene.until_started(id, 2).await;
    // A patient one finishes what it has.
    reader.open_gate();
    worker.stop().await;
    scene.until(id, "Extracted", "done").await;
    relay.stop().await;
}

#[tokio::test]
async fn a_blob_store_that_is_away_costs_no_attempt() {
    let scene = Scene::new().await;
    let relay = scene.run_relay();
    let id = scene.upload("text", Priority::Normal).await;
    scene.blobs.away.store(true, Ordering::SeqCst);
    let once = WorkSettings {
        max_attempts: 1,
        ..scene.settings()
    };
    let worker = scene.run_worker_with(&Arc::new(Reader::open()), once);
    for _ in 0..2 {
        for status in ["running", "queued"] {
            eventually(status, || async {
                (scene.job(id).await?.status == status).then_some(())
            })
            .await;
        }
    }
    assert_eq!(scene.names(id).await, ["Uploaded"]);
    scene.blobs.away.store(false, Ordering::SeqCst);
    scene.until(id, "Extracted", "done").await;
    let job = scene.job(id).await.unwrap();
    assert_eq!((job.attempt, job.excused), (1, 0));
    worker.stop().await;
    relay.stop().await;
}

#[tokio::test]
async fn a_blob_store_that_goes_away_before_the_text_is_stored_is_waited_for() {
    let scene = Scene::new().await;
    let relay = scene.run_relay();
    let reader = Arc::new(Reader::closed());
    let worker = scene.run_worker(&reader);
    let id = scene.upload("text", Priority::Normal).await;
    scene.until_started(id, 1).await;
    eventually("the document is being read", || async {
        (reader.reads.load(Ordering::SeqCst) == 1).then_some(())
    })
    .await;
    scene.blobs.away.store(true, Ordering::SeqCst);
    reader.open_gate();
    // Longer than a lease: the heartbeat keeps the job ours.
    let renewed = "SELECT lease_until > created_at + interval '4 seconds' FROM jobs";
    eventually("the lease is renewed", || async {
        let longer: bool = sqlx::query_scalar(renewed)
            .fetch_one(&scene.db.pool)
            .await
            .unwrap();
        longer.then_some(())
    })
    .await;
    scene.blobs.away.store(false, Ordering::SeqCst);
    scene.until(id, "Extracted", "done").await;
    assert_eq!(scene.names(id).await.len(), 3);
    worker.stop().await;
    relay.stop().await;
}

#[tokio::test]
async fn a_nats_server_restarted_without_its_store_loses_no_job() {
    let mut scene = Scene::new().await;
    let relay = scene.run_relay();
    let mut ids = Vec::new();
    for n in 0..10 {
        ids.push(scene.upload(&format!("text {n}"), Priority::Normal).await);
    }
    eventually("ten messages", || async {
        (scene.messages().await.0 == 10).then_some(())
    })
    .await;
    scene.nats.kill();
    scene.nats.wipe();
    let reader = Arc::new(Reader::open());
    let worker = scene.run_worker(&reader);
    // What comes in meanwhile is waiting in the table.
    ids.push(scene.upload("while NATS is away", Priority::High).await);
    scene.nats.restart();
    for id in &ids {
        scene.until(*id, "Extracted", "done").await;
        assert_eq!(scene.names(*id).await.len(), 3);
    }
    assert_eq!(reader.reads.load(Ordering::SeqCst), 11);
    worker.stop().await;
    relay.stop().await;
}

#[tokio::test]
async fn jobs_made_anew_from_the_log_count_on_from_its_attempts() {
    let scene = Scene::new().await;
    let relay = scene.run_relay();
    let id = scene.upload("text", Priority::Normal).await;
    for attempt in 1..=2 {
        let hasty = WorkSettings {
            grace: Duration::from_millis(10),
            ..scene.settings()
        };
        let worker = scene.run_worker_with(&Arc::new(Reader::closed()), hasty);
        scene.until_started(id, attempt).await;
        worker.stop().await;
    }
    relay.stop().await;
    sqlx::query("DELETE FROM jobs")
        .execute(&scene.db.pool)
        .await
        .unwrap();
    sqlx::query("UPDATE log_cursors SET position = 0")
        .execute(&scene.db.pool)
        .await
        .unwrap();
    let relay = scene.run_relay();
    let worker = scene.run_worker(&Arc::new(Reader::open()));
    scene.until(id, "Extracted", "done").await;
    let document =
        scene
            .events(id)
            .await
            .into_iter()
            .fold(Document::default(), |mut document, event| {
                cqrs_es::Aggregate::apply(&mut document, event);
                document
            });
    assert_eq!(document.settled, Attempt { run: 1, attempt: 3 });
    worker.stop().await;
    relay.stop().await;
}
