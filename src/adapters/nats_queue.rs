//! The job queue on JetStream: one work-queue stream, one subject and one durable pull consumer
//! for each priority.
//!
//! JetStream is transport here, not truth: what is to be done stands in PostgreSQL. So a stream
//! that is gone (its store was wiped) is made again by whoever misses it, empty, and the relay
//! publishes anew. Deliveries are not counted here either: attempts are claimed in PostgreSQL.

use crate::ports::{BoxError, Delivery, JobMessage, JobQueue, QueueError};
use async_nats::client::RequestErrorKind;
use async_nats::connection::State;
use async_nats::header::{HeaderMap, HeaderValue, NATS_MESSAGE_ID};
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{AckKind, Context, ContextBuilder, Message};
use async_nats::{Client, Request, StatusCode};
use async_trait::async_trait;
use bytes::Bytes;
use kmrl_domain::values::Priority;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

/// Messages with an id seen within this time are kept once.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
/// How long JetStream may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Every so many looks, the first is at the least urgent, so that it does not starve.
const LOW_FIRST_EVERY: u64 = 10;
/// One message, and an answer at once when there is none.
const PULL_ONE: &[u8] = br#"{"batch":1,"no_wait":true}"#;

/// The queue. Subjects are `{prefix}.jobs.extract.{priority}`, the stream is `{PREFIX}_JOBS`.
#[derive(Debug)]
pub struct NatsQueue {
    client: Client,
    jetstream: Context,
    stream: String,
    subjects: String,
    ack_wait: Duration,
    looks: AtomicU64,
    /// Held while stream and consumers are being made, so that one task makes them.
    making: Mutex<()>,
}

/// Why a call to JetStream did not do its work.
enum Failure {
    /// The stream or the consumer is not there.
    Gone,
    Other(QueueError),
}

impl NatsQueue {
    /// Makes stream and consumers where they are missing. `ack_wait` is how long a delivery may
    /// go without a sign of life before it is delivered again.
    ///
    /// # Errors
    /// When JetStream does not answer or refuses.
    pub async fn open(
        client: Client,
        prefix: &str,
        ack_wait: Duration,
    ) -> Result<Self, QueueError> {
        let queue = Self {
            jetstream: ContextBuilder::new()
                .timeout(PATIENCE)
                .build(client.clone()),
            client,
            stream: format!("{}_JOBS", prefix.to_uppercase()),
            subjects: format!("{prefix}.jobs.extract"),
            ack_wait,
            looks: AtomicU64::new(0),
            making: Mutex::new(()),
        };
        queue.ensure().await?;
        Ok(queue)
    }

    async fn ensure(&self) -> Result<(), QueueError> {
        let _making = self.making.lock().await;
        // Made when missing, else left as it is: replicas and limits are the operator's to change.
        let stream = self
            .jetstream
            .get_or_create_stream(Config {
                name: self.stream.clone(),
                description: Some("documents to extract text from".into()),
                subjects: vec![format!("{}.*", self.subjects)],
                retention: RetentionPolicy::WorkQueue,
                storage: StorageType::File,
                discard: DiscardPolicy::New,
                duplicate_window: DUPLICATE_WINDOW,
                ..Config::default()
            })
            .await
            .map_err(unreachable("making the stream"))?;
        for priority in Priority::ALL {
            stream
                .create_consumer(self.consumer(priority))
                .await
                .map_err(unreachable("making a consumer"))?;
        }
        Ok(())
    }

    fn consumer(&self, priority: Priority) -> pull::Config {
        pull::Config {
            durable_name: Some(durable(priority)),
            filter_subject: self.subject(priority),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait,
            // PostgreSQL counts attempts. After `max_deliver` a message would stay undelivered.
            max_deliver: -1,
            // Deliveries put off count as pending; a limit would let them block the rest.
            max_ack_pending: -1,
            ..pull::Config::default()
        }
    }

    fn subject(&self, priority: Priority) -> String {
        format!("{}.{priority}", self.subjects)
    }

    fn connected(&self) -> Result<(), QueueError> {
        if self.client.connection_state() == State::Connected {
            return Ok(());
        }
        Err(unreachable("looking at the connection")(
            "there is no connection to NATS",
        ))
    }

    /// Sends all, then awaits the acknowledgements.
    async fn publish_once(&self, jobs: &[JobMessage]) -> Vec<Result<(), Failure>> {
        let mut sent = Vec::with_capacity(jobs.len());
        for job in jobs {
            sent.push(self.send(job).await);
        }
        let mut results = Vec::with_capacity(jobs.len());
        for ack in sent {
            results.push(match ack {
                Ok(ack) => ack.await.map(drop).map_err(publish_failure),
                Err(failure) => Err(failure),
            });
        }
        results
    }

    async fn send(&self, job: &JobMessage) -> Result<PublishAckFuture, Failure> {
        let payload = serde_json::to_vec(job).map_err(|source| {
            Failure::Other(QueueError::Malformed {
                source: source.into(),
            })
        })?;
        let message = PublishMessage::build()
            .payload(payload.into())
            .headers(headers(job));
        self.jetstream
            .send_publish(self.subject(job.priority), message)
            .await
            .map_err(publish_failure)
    }

    /// One message of a priority, or none at once.
    async fn pull(&self, priority: Priority) -> Result<Option<Message>, Failure> {
        let subject = format!(
            "$JS.API.CONSUMER.MSG.NEXT.{}.{}",
            self.stream,
            durable(priority)
        );
        // An inbox of its own: JetStream delivers under the job's subject, which the shared
        // inbox for requests cannot tell apart.
        let request = Request::new()
            .inbox(self.client.new_inbox())
            .timeout(Some(PATIENCE))
            .payload(Bytes::from_static(PULL_ONE));
        let message = match self.client.send_request(subject, request).await {
            Ok(message) => message,
            Err(error) if error.kind() == RequestErrorKind::NoResponders => {
                return Err(Failure::Gone);
            }
            Err(error) => return Err(Failure::Other(unreachable("asking for a job")(error))),
        };
        match message.status {
            None | Some(StatusCode::OK) => Ok(Some(Message {
                message,
                context: self.jetstream.clone(),
            })),
            Some(StatusCode::NOT_FOUND | StatusCode::TIMEOUT) => Ok(None),
            // Deleted under our hands, or its leader changed: make sure of it and ask again.
            Some(_) => Err(Failure::Gone),
        }
    }

    async fn look(&self, priority: Priority) -> Result<Option<Message>, QueueError> {
        match self.pull(priority).await {
            Ok(found) => Ok(found),
            Err(Failure::Other(error)) => Err(error),
            Err(Failure::Gone) => {
                tracing::warn!(stream = %self.stream, "the job stream is gone; making it again");
                self.ensure().await?;
                match self.pull(priority).await {
                    Ok(found) => Ok(found),
                    Err(Failure::Other(error)) => Err(error),
                    Err(Failure::Gone) => Err(gone("asking for a job")),
                }
            }
        }
    }
}

#[async_trait]
impl JobQueue for NatsQueue {
    async fn publish(&self, jobs: &[JobMessage]) -> Vec<Result<(), QueueError>> {
        // While disconnected the client would hold messages back and send them later, unasked.
        if self.connected().is_err() {
            return jobs.iter().map(|_| self.connected()).collect();
        }
        let mut results = self.publish_once(jobs).await;
        if results.iter().any(|r| matches!(r, Err(Failure::Gone))) {
            tracing::warn!(stream = %self.stream, "the job stream is gone; making it again");
            if let Err(error) = self.ensure().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "it could not be made"
                );
            } else {
                results = self.publish_once(jobs).await;
            }
        }
        results
            .into_iter()
            .map(|result| {
                result.map_err(|failure| match failure {
                    Failure::Gone => gone("publishing a job"),
                    Failure::Other(error) => error,
                })
            })
            .collect()
    }

    async fn next(&self) -> Result<Option<Box<dyn Delivery>>, QueueError> {
        self.connected()?;
        let look = self.looks.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let mut order = Priority::ALL;
        if look.is_multiple_of(LOW_FIRST_EVERY) {
            order.reverse();
        }
        for priority in order {
            let Some(message) = self.look(priority).await? else {
                continue;
            };
            match serde_json::from_slice(&message.payload) {
                Ok(job) => return Ok(Some(Box::new(NatsDelivery { message, job }))),
                Err(error) => {
                    tracing::error!(%error, "a message that is no job of this version is put away");
                    settle(&message, AckKind::Term, "putting a message away").await?;
                }
            }
        }
        Ok(None)
    }

    async fn probe(&self) -> Result<(), QueueError> {
        self.connected()?;
        self.jetstream
            .get_stream(&self.stream)
            .await
            .map(drop)
            .map_err(unreachable("asking for the stream"))
    }
}

/// A message that waits for its acknowledgement.
struct NatsDelivery {
    message: Message,
    job: JobMessage,
}

#[async_trait]
impl Delivery for NatsDelivery {
    fn job(&self) -> &JobMessage {
        &self.job
    }

    async fn progress(&self) -> Result<(), QueueError> {
        settle(&self.message, AckKind::Progress, "showing a sign of life").await
    }

    async fn ack(self: Box<Self>) -> Result<(), QueueError> {
        settle(&self.message, AckKind::Ack, "acknowledging a job").await
    }

    async fn nak(self: Box<Self>, delay: Duration) -> Result<(), QueueError> {
        let kind = AckKind::Nak(Some(delay));
        settle(&self.message, kind, "giving a job back").await
    }

    async fn term(self: Box<Self>) -> Result<(), QueueError> {
        settle(&self.message, AckKind::Term, "ending a job").await
    }
}

async fn settle(
    message: &Message,
    kind: AckKind,
    operation: &'static str,
) -> Result<(), QueueError> {
    message.ack_with(kind).await.map_err(unreachable(operation))
}

fn durable(priority: Priority) -> String {
    format!("extract-{priority}")
}

fn headers(job: &JobMessage) -> HeaderMap {
    let id = format!("{}:{}:{}", job.job_id, job.attempt, job.published);
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, id.as_str());
    let traces = [
        ("correlation-id", Some(&job.correlation_id)),
        ("traceparent", job.traceparent.as_ref()),
    ];
    for (name, value) in traces {
        // A value that no header can hold travels in the payload alone.
        if let Some(Ok(value)) = value.map(|v| v.parse::<HeaderValue>()) {
            headers.insert(name, value);
        }
    }
    headers
}

fn unreachable<E: Into<BoxError>>(operation: &'static str) -> impl FnOnce(E) -> QueueError {
    move |source| QueueError::Unreachable {
        operation,
        source: source.into(),
    }
}

fn gone(operation: &'static str) -> QueueError {
    unreachable(operation)("the stream is gone and could not be made again")
}

fn publish_failure(error: PublishError) -> Failure {
    if error.kind() == PublishErrorKind::StreamNotFound {
        return Failure::Gone;
    }
    Failure::Other(unreachable("publishing a job")(error))
}
