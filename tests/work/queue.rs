//! The queue by itself: order, doubles, redelivery, and a stream that is gone.

use crate::nats::NatsServer;
use crate::scene::{ACK_WAIT, TRACEPARENT};
use crate::support::eventually;
use async_nats::jetstream;
use kmrl_domain::values::Priority;
use kmrl_gateway::adapters::nats;
use kmrl_gateway::adapters::nats_queue::NatsQueue;
use kmrl_gateway::ports::{Delivery, JobMessage, JobQueue};
use std::time::Duration;
use uuid::Uuid;

fn job(job_id: i64, priority: Priority) -> JobMessage {
    JobMessage {
        job_id,
        document_id: Uuid::nil(),
        run: 1,
        attempt: 1,
        priority,
        correlation_id: "c-1".into(),
        traceparent: Some(TRACEPARENT.into()),
        published: 0,
    }
}

async fn open(server: &NatsServer) -> (NatsQueue, jetstream::Context) {
    let client = nats::connect(&server.url()).await.unwrap();
    let context = jetstream::new(client.clone());
    let queue = NatsQueue::open(client, "kmrl", ACK_WAIT).await.unwrap();
    (queue, context)
}

async fn publish(queue: &NatsQueue, jobs: &[JobMessage]) {
    for result in queue.publish(jobs).await {
        result.unwrap();
    }
}

async fn take(queue: &NatsQueue) -> Box<dyn Delivery> {
    eventually("a delivery", || async { queue.next().await.unwrap() }).await
}

#[tokio::test]
async fn the_most_urgent_comes_first_and_every_tenth_look_is_from_below() {
    let server = NatsServer::start();
    let (queue, _) = open(&server).await;
    let mut jobs: Vec<_> = (1..=12).map(|n| job(n, Priority::High)).collect();
    jobs.extend([job(20, Priority::Low), job(30, Priority::Normal)]);
    jobs.reverse();
    publish(&queue, &jobs).await;
    let mut order = Vec::new();
    while let Some(delivery) = queue.next().await.unwrap() {
        order.push(delivery.job().job_id);
        delivery.ack().await.unwrap();
    }
    assert_eq!(order, [12, 11, 10, 9, 8, 7, 6, 5, 4, 20, 3, 2, 1, 30]);
}

#[tokio::test]
async fn a_message_id_is_kept_once_and_its_traces_are_headers() {
    let server = NatsServer::start();
    let (queue, context) = open(&server).await;
    let one = job(1, Priority::Normal);
    let mut again = one.clone();
    again.published = 1;
    publish(&queue, &[one.clone(), one.clone()]).await;
    publish(&queue, std::slice::from_ref(&one)).await;
    publish(&queue, &[again]).await;
    let stream = context.get_stream("KMRL_JOBS").await.unwrap();
    assert_eq!(stream.cached_info().state.messages, 2);
    let raw = stream.get_raw_message(1).await.unwrap();
    assert_eq!(raw.subject.as_str(), "kmrl.jobs.extract.normal");
    let header = |name: &str| raw.headers.get(name).map(|v| v.as_str().to_owned());
    assert_eq!(header("Nats-Msg-Id").as_deref(), Some("1:1:0"));
    assert_eq!(header("correlation-id").as_deref(), Some("c-1"));
    assert_eq!(header("traceparent").as_deref(), Some(TRACEPARENT));
    let delivery = take(&queue).await;
    assert_eq!(delivery.job(), &one);
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again_and_what_is_ended_does_not() {
    let server = NatsServer::start();
    let (queue, context) = open(&server).await;
    publish(&queue, &[job(1, Priority::Low), job(2, Priority::Low)]).await;
    let (first, second) = (take(&queue).await, take(&queue).await);
    assert_eq!((first.job().job_id, second.job().job_id), (1, 2));
    drop(first);
    second.nak(Duration::from_millis(100)).await.unwrap();
    let second = take(&queue).await;
    assert_eq!(second.job().job_id, 2, "the wait is over before ack_wait");
    second.term().await.unwrap();
    let first = take(&queue).await;
    assert_eq!(
        first.job().job_id,
        1,
        "dropped, so delivered after ack_wait"
    );
    first.ack().await.unwrap();
    eventually("an empty stream", || async {
        let mut stream = context.get_stream("KMRL_JOBS").await.unwrap();
        let messages = stream.info().await.unwrap().state.messages;
        (messages == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_message_that_is_no_job_is_put_away() {
    let server = NatsServer::start();
    let (queue, context) = open(&server).await;
    let subject = "kmrl.jobs.extract.high";
    let ack = context.publish(subject, "not a job".into()).await.unwrap();
    ack.await.unwrap();
    publish(&queue, &[job(7, Priority::Low)]).await;
    assert_eq!(take(&queue).await.job().job_id, 7);
}

#[tokio::test]
async fn stream_and_consumers_are_made_again_when_they_are_gone() {
    let mut server = NatsServer::start();
    let (queue, context) = open(&server).await;
    context.delete_stream("KMRL_JOBS").await.unwrap();
    publish(&queue, &[job(1, Priority::Normal)]).await;
    assert_eq!(take(&queue).await.job().job_id, 1);

    context.delete_stream("KMRL_JOBS").await.unwrap();
    assert!(queue.next().await.unwrap().is_none());
    publish(&queue, &[job(2, Priority::Normal)]).await;
    assert_eq!(take(&queue).await.job().job_id, 2);

    server.kill();
    eventually("errors, at once", || async {
        let mut results = queue.publish(&[job(3, Priority::Normal)]).await;
        (results.pop()?.is_err() && queue.next().await.is_err()).then_some(())
    })
    .await;
    server.wipe();
    server.restart();
    eventually("the queue is there again", || async {
        let mut results = queue.publish(&[job(4, Priority::Normal)]).await;
        results.pop()?.ok()
    })
    .await;
    assert_eq!(take(&queue).await.job().job_id, 4);
    queue.probe().await.unwrap();
}
