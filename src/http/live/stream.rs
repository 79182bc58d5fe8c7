//! `GET /api/v1/events/stream`: the events of documents as server-sent events.
//!
//! One task a connection writes into a channel of one chunk; the body takes from it as fast as
//! the client reads. A client that does not read holds up its own task alone: what it misses
//! meanwhile it gets from the ring or, when that has moved on, from the log.

use super::super::context::Caller;
use super::super::problem::{Problem, ProblemBody, ProblemType};
use super::super::state::ApiState;
use super::LOOK_AGAIN;
use super::filter::Query;
use super::hub::{LiveHub, Path};
use super::opening::{self, Pairs, query};
use super::sse;
use super::subscription::Subscription;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use futures::stream;
use std::convert::Infallible;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

/// Chunks that wait for the client.
const CHUNKS: usize = 1;

/// Follow the events of documents
///
/// Server-sent events: for each event of a document one with its position as `id`, its type as
/// `event` and a CloudEvent 1.0 (JSON) as `data`, in the order of the log and each once. Come
/// back with the last id as `Last-Event-ID`, as browsers do by themselves, to miss nothing; the
/// ids are the positions of `/api/v1/events` and of the WebSocket. In silence comes an `id`
/// alone, now and then, so that the place to resume from does not grow old. The header wins over
/// `after`, which it must not lie before.
#[utoipa::path(
    get, path = "/api/v1/events/stream", operation_id = "stream_events", tag = "live",
    params(
        Query,
        ("ticket" = Option<String>, Query, description = "A one-use ticket, where no credential can be sent"),
        ("Last-Event-ID" = Option<i64>, Header, minimum = 0, description = "Begin after this position, the last id seen"),
    ),
    responses(
        (status = 200, description = "The stream; it ends when the gateway does", body = String, content_type = "text/event-stream"),
        (status = 400, description = "The last event id or a query parameter is wrong", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "The position to begin after is beyond the end of the log", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The log cannot be read now", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn stream(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    pairs: Pairs,
) -> Result<Response, Problem> {
    let mut query = query(pairs)?;
    query.after = sse::place(&headers, query.after)
        .map_err(|bad| Problem::new(ProblemType::InvalidParameter).detail(bad.to_string()))?;
    let opened = opening::open(&state, Path::Stream, caller, query).await?;
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let hub = state.live.clone();
    let writer = Writer::new(hub.clone(), opened.subscription, sender);
    hub.tasks().spawn(writer.run());
    let chunks = stream::unfold(receiver, |mut receiver| async {
        let chunk = receiver.recv().await?;
        Some((Ok::<Bytes, Infallible>(chunk), receiver))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok(opened.touched.with((headers, Body::from_stream(chunks))))
}

/// Why a stream ends; nothing is told of it, the client comes back.
struct End;

/// One stream's task.
struct Writer {
    hub: LiveHub,
    subscription: Subscription,
    sender: mpsc::Sender<Bytes>,
    /// When a checkpoint is due if nothing is written before.
    silent_at: Instant,
}

impl Writer {
    fn new(hub: LiveHub, subscription: Subscription, sender: mpsc::Sender<Bytes>) -> Self {
        Self {
            silent_at: Instant::now() + hub.settings().checkpoint,
            hub,
            subscription,
            sender,
        }
    }

    async fn run(mut self) {
        let every = self.hub.settings().heartbeat;
        let mut heartbeat = interval_at(Instant::now() + every, every);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look_again = interval_at(Instant::now() + LOOK_AGAIN, LOOK_AGAIN);
        look_again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut goes_on = self.write(sse::beginning(self.subscription.cursor())).await;
        while goes_on.is_ok() {
            // Each of these loses nothing when another one is first.
            goes_on = tokio::select! {
                biased;
                () = self.hub.stop().cancelled() => Err(End),
                () = self.sender.closed() => Err(End),
                _ = heartbeat.tick() => self.beat().await,
                _ = look_again.tick() => match self.subscription.is_still_good().await {
                    true => Ok(()),
                    false => Err(End),
                },
                next = self.subscription.next() => match next {
                    Ok(events) => {
                        let frames = sse::frames(events.iter().map(|e| &**e));
                        // The client may take its time: what it is told is not kept twice meanwhile.
                        drop(events);
                        self.write(frames).await
                    }
                    Err(_) => Err(End),
                },
                () = sleep_until(self.silent_at) => self.checkpoint().await,
            };
        }
        self.subscription.ended();
    }

    async fn beat(&mut self) -> Result<(), End> {
        let silent_at = self.silent_at;
        self.write(sse::HEARTBEAT.to_owned()).await?;
        // A heartbeat tells the client nothing: it is silence all the same.
        self.silent_at = silent_at;
        Ok(())
    }

    async fn checkpoint(&mut self) -> Result<(), End> {
        if let Some(position) = self.subscription.checkpoint() {
            return self.write(sse::checkpoint(position)).await;
        }
        // Something is waiting in the ring: that will be said instead.
        self.silent_at = Instant::now() + self.hub.settings().checkpoint;
        Ok(())
    }

    /// Waits while the client does not read, up to a limit.
    async fn write(&mut self, text: String) -> Result<(), End> {
        if text.is_empty() {
            return Ok(());
        }
        let longest = self.hub.settings().longest_write;
        let sending = timeout(longest, self.sender.send(text.into()));
        let sent = tokio::select! {
            sent = sending => sent,
            () = self.hub.stop().cancelled() => return Err(End),
        };
        self.silent_at = Instant::now() + self.hub.settings().checkpoint;
        sent.map_err(|_| End)?.map_err(|_| End)
    }
}
