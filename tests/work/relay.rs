//! The relay: events to jobs to messages, once each, whoever dies in between.

use crate::scene::{Job, Scene};
use crate::support::eventually;
use kmrl_domain::DocumentCommand;
use kmrl_domain::command::{RequestReprocessing, Withdraw};
use kmrl_domain::values::Priority;
use kmrl_gateway::adapters::system::SystemClock;
use kmrl_gateway::ports::{Clock, JobQueue};

#[tokio::test]
async fn an_upload_becomes_one_job_and_one_message() {
    let scene = Scene::new().await;
    let id = scene.upload("text", Priority::High).await;
    let relay = scene.relay();
    relay.turn().await.unwrap();
    relay.turn().await.unwrap();
    assert_eq!(scene.messages().await, (1, 1));
    let delivery = scene.queue.next().await.unwrap().unwrap();
    let job = delivery.job();
    assert_eq!((job.job_id, job.document_id), (1, id));
    assert_eq!((job.run, job.attempt, job.priority), (1, 1, Priority::High));
    assert_eq!(job.correlation_id, format!("c-{id}"));
}

#[tokio::test]
async fn two_relays_at_once_double_nothing() {
    let scene = Scene::new().await;
    let (one, two) = (scene.run_relay(), scene.run_relay());
    let mut ids = Vec::new();
    for n in 0..60 {
        ids.push(scene.upload(&format!("text {n}"), Priority::Normal).await);
    }
    for id in &ids {
        eventually("a published job", || async {
            let published: bool = sqlx::query_scalar(
                "SELECT count(published_at) = 1 FROM jobs WHERE document_id = $1",
            )
            .bind(id)
            .fetch_one(&scene.db.pool)
            .await
            .unwrap();
            published.then_some(())
        })
        .await;
    }
    one.stop().await;
    two.stop().await;
    assert_eq!(scene.messages().await, (60, 60));
}

#[tokio::test]
async fn a_relay_that_died_between_publishing_and_marking_doubles_nothing() {
    let scene = Scene::new().await;
    let id = scene.upload("text", Priority::Normal).await;
    let relay = scene.relay();
    relay.turn().await.unwrap();
    // What such a death leaves behind: the message is kept, the mark is not.
    sqlx::query("UPDATE jobs SET published_at = NULL")
        .execute(&scene.db.pool)
        .await
        .unwrap();
    relay.turn().await.unwrap();
    assert_eq!(scene.messages().await, (1, 1));
    assert_eq!(scene.job(id).await.unwrap().published, 0);
}

#[tokio::test]
async fn a_cursor_set_back_makes_no_job_twice() {
    let scene = Scene::new().await;
    scene.upload("text", Priority::Normal).await;
    let relay = scene.relay();
    relay.turn().await.unwrap();
    sqlx::query("UPDATE log_cursors SET position = 0")
        .execute(&scene.db.pool)
        .await
        .unwrap();
    relay.turn().await.unwrap();
    assert_eq!(scene.messages().await, (1, 1));
}

#[tokio::test]
async fn a_withdrawn_document_has_its_job_cancelled() {
    let scene = Scene::new().await;
    let id = scene.upload("text", Priority::Normal).await;
    let withdraw = DocumentCommand::Withdraw(Withdraw {
        reason: "sent twice".into(),
        at: SystemClock.now(),
    });
    scene.execute(id, withdraw).await.unwrap();
    scene.relay().turn().await.unwrap();
    assert_eq!(scene.job(id).await.unwrap().status, "cancelled");
    assert_eq!(scene.messages().await.1, 0);
}

#[tokio::test]
async fn a_message_that_was_lost_is_published_again_by_the_sweeper() {
    let scene = Scene::new().await;
    let id = scene.upload("text", Priority::Normal).await;
    let relay = scene.relay();
    relay.turn().await.unwrap();
    async_nats::jetstream::new(scene.client.clone())
        .delete_stream("KMRL_JOBS")
        .await
        .unwrap();
    let sweep = || async {
        relay.sweep().await.unwrap();
        relay.turn().await.unwrap();
        scene.job(id).await.unwrap()
    };
    assert_eq!(sweep().await.published, 0, "it may still wait in the queue");
    sqlx::query("UPDATE jobs SET published_at = now() - interval '5 seconds'")
        .execute(&scene.db.pool)
        .await
        .unwrap();
    let expected = Job {
        status: "queued".into(),
        attempt: 0,
        excused: 0,
        published: 1,
    };
    assert_eq!(sweep().await, expected);
    assert_eq!(sweep().await, expected, "left in peace, for longer now");
    assert_eq!(scene.messages().await.0, 1);
}

#[tokio::test]
async fn a_request_to_reprocess_is_a_job_of_its_own() {
    let scene = Scene::new().await;
    let relay = scene.run_relay();
    let worker = scene.run_worker(&std::sync::Arc::new(crate::reader::Reader::open()));
    let id = scene.upload("text", Priority::Normal).await;
    scene.until(id, "Extracted", "done").await;
    let again = DocumentCommand::RequestReprocessing(RequestReprocessing {
        priority: Priority::Low,
        at: SystemClock.now(),
    });
    scene.execute(id, again).await.unwrap();
    scene.until(id, "Extracted", "done").await;
    eventually("two runs", || async {
        let names = scene.names(id).await;
        (names.iter().filter(|n| **n == "Extracted").count() == 2).then_some(())
    })
    .await;
    worker.stop().await;
    relay.stop().await;
}
