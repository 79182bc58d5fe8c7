//! One open WebSocket: a task that writes what its feed gives and answers what the client says.
//!
//! Owns heartbeats, checkpoints on silence, the closing codes and the bound on a client that does
//! not read. Which messages come, in which order, is the feed's business.

use super::super::documents::DocumentStatistics;
use super::LOOK_AGAIN;
use super::hub::LiveHub;
use super::protocol::{self, ClientFault, LARGEST_MESSAGE, Request, Told};
use super::subscription::{Ended, Subscription};
use super::update::LiveEvent;
use crate::limits::{Meters, Quota};
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use futures::{SinkExt, StreamExt};
use kmrl_projections::query::ReadModel;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_tungstenite::tungstenite;

/// Messages and pings that a client may send: several questions for each document that it may subscribe to.
const MOST_MESSAGES: Quota = Quota::a_minute(3_000);
/// For the closing handshake.
const LONGEST_CLOSE: Duration = Duration::from_secs(2);
/// Pings without any sign of life after which a client is closed.
const MISSED_PONGS: u32 = 2;

/// Why a connection ends.
enum End {
    /// The client is gone or has said that it goes.
    Gone,
    /// We close, with a code.
    Close(u16, &'static str),
}

const AWAY: End = End::Close(close_code::AWAY, "the gateway is shutting down");
const SLOW: End = End::Close(close_code::AGAIN, "too slow: resume by ?after=");
const SILENT: End = End::Close(close_code::POLICY, "two pings were not answered");
const TOO_BIG: End = End::Close(close_code::SIZE, "a message may have 16 KiB");
const BINARY: End = End::Close(close_code::UNSUPPORTED, "messages are JSON text");
const TALKATIVE: End = End::Close(close_code::POLICY, "3,000 messages a minute are allowed");
const ENDED: End = End::Close(close_code::POLICY, "the credential is not good any more");
const FAILED: End = End::Close(
    close_code::ERROR,
    "the log cannot be read: resume by ?after=",
);

impl From<Ended> for End {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Stopped => AWAY,
            Ended::Failed => FAILED,
        }
    }
}

/// One connection.
pub(super) struct Connection {
    hub: LiveHub,
    subscription: Subscription,
    socket: WebSocket,
    heartbeat: Interval,
    look_again: Interval,
    unanswered: u32,
    heard: Meters<()>,
    /// When a checkpoint is due if nothing is written before.
    silent_at: Instant,
}

impl Connection {
    pub(super) fn new(hub: LiveHub, subscription: Subscription, socket: WebSocket) -> Self {
        let every = hub.settings().heartbeat;
        let mut heartbeat = interval_at(Instant::now() + every, every);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look_again = interval_at(Instant::now() + LOOK_AGAIN, LOOK_AGAIN);
        look_again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            look_again,
            heard: Meters::of(1),
            silent_at: Instant::now() + hub.settings().checkpoint,
            hub,
            subscription,
            socket,
            heartbeat,
            unanswered: 0,
        }
    }

    /// Runs until one side ends it. `head` is the log's last position at opening.
    pub(super) async fn run(mut self, head: i64) {
        let end = match self.greet(head).await {
            Ok(()) => self.serve().await,
            Err(end) => end,
        };
        self.subscription.ended();
        self.finish(end).await;
    }

    async fn greet(&mut self, head: i64) -> Result<(), End> {
        let status = status(&self.hub, head, self.subscription.cursor()).await;
        self.say(&status).await
    }

    async fn serve(&mut self) -> End {
        loop {
            if let Err(end) = self.turn().await {
                return end;
            }
        }
    }

    /// Waits for one thing to do and does it.
    async fn turn(&mut self) -> Result<(), End> {
        // Each of these loses nothing when another one is first, and none is always first: a client that never stops
        // asking has to answer pings, and to be let in still, all the same.
        tokio::select! {
            () = self.hub.stop().cancelled() => Err(AWAY),
            said = self.socket.next() => self.hear(said).await,
            _ = self.heartbeat.tick() => self.ping().await,
            _ = self.look_again.tick() => match self.subscription.is_still_good().await {
                true => Ok(()),
                false => Err(ENDED),
            },
            next = self.subscription.next() => self.pass_on(next?).await,
            () = sleep_until(self.silent_at) => self.checkpoint().await,
        }
    }

    async fn pass_on(&mut self, events: Vec<Arc<LiveEvent>>) -> Result<(), End> {
        if events.is_empty() {
            return Ok(());
        }
        // The other forms of the events go here: the client may take its time.
        let messages = events.into_iter().map(|e| Message::Text(e.json.clone()));
        self.write(messages.collect()).await
    }

    async fn ping(&mut self) -> Result<(), End> {
        if self.unanswered >= MISSED_PONGS {
            return Err(SILENT);
        }
        self.unanswered += 1;
        let silent_at = self.silent_at;
        self.write(vec![Message::Ping(Vec::new().into())]).await?;
        // A ping tells the client nothing: it is silence all the same.
        self.silent_at = silent_at;
        Ok(())
    }

    async fn checkpoint(&mut self) -> Result<(), End> {
        let Some(position) = self.subscription.checkpoint() else {
            // Something is waiting in the ring: that will be said instead.
            self.silent_at = Instant::now() + self.hub.settings().checkpoint;
            return Ok(());
        };
        let timestamp = self.hub.clock().now();
        self.say(&Told::Checkpoint {
            position,
            timestamp,
        })
        .await
    }

    async fn hear(&mut self, said: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        let message = said.ok_or(End::Gone)?.map_err(broken)?;
        self.heard.spend((), MOST_MESSAGES).map_err(|_| TALKATIVE)?;
        self.unanswered = 0;
        match message {
            Message::Text(text) if text.len() > LARGEST_MESSAGE => Err(TOO_BIG),
            Message::Text(text) => self.answer(&text).await,
            Message::Binary(_) => Err(BINARY),
            Message::Close(_) => Err(End::Gone),
            Message::Ping(_) | Message::Pong(_) => Ok(()),
        }
    }

    async fn answer(&mut self, text: &str) -> Result<(), End> {
        let request = protocol::parse(text);
        let told = match &request {
            Ok(request) => match self.record(request).await {
                Ok(()) => self.told(request).await,
                Err(fault) => fault.into(),
            },
            Err(fault) => (*fault).into(),
        };
        self.say(&told).await
    }

    /// Keeps a record of a request before it is answered, and subscribes where it says so.
    async fn record(&mut self, request: &Request) -> Result<(), ClientFault> {
        let (action, id, taken) = match request {
            Request::Ping => return Ok(()),
            Request::Status => ("system_status", None, Ok(())),
            Request::Statistics => ("statistics", None, Ok(())),
            Request::Subscribe { document_id: id } => (
                "live_subscribe",
                Some(*id),
                self.subscription.filter.subscribe(*id),
            ),
            Request::Unsubscribe { document_id: id } => (
                "live_unsubscribe",
                Some(*id),
                self.subscription.filter.unsubscribe(*id),
            ),
        };
        let taken = taken.map_err(ClientFault::Subscription);
        let refused = taken.as_ref().err().map(|fault| fault.words().0);
        if let Err(error) = self.subscription.saw(action, id, refused).await {
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::warn!(
                error,
                "a subscriber is not answered: it could not be recorded"
            );
            if let (Request::Subscribe { document_id: id }, Ok(())) = (request, &taken) {
                // It was subscribed just now: an error would say that it was not.
                let _there = self.subscription.filter.unsubscribe(*id);
            }
            return Err(ClientFault::Unavailable);
        }
        taken
    }

    async fn told(&mut self, request: &Request) -> Told {
        let timestamp = self.hub.clock().now();
        let position = self.subscription.cursor();
        match request {
            Request::Ping => Told::Pong { timestamp },
            Request::Status => match self.hub.log().head().await {
                Ok(head) => status(&self.hub, head, position).await,
                Err(error) => unavailable(&error),
            },
            Request::Statistics => match self.seen().statistics().await {
                Ok(statistics) => Told::ProcessingStats {
                    statistics: DocumentStatistics::of(statistics),
                    timestamp,
                },
                Err(error) => unavailable(&error),
            },
            Request::Subscribe { document_id } => Told::Subscribed {
                document_id: *document_id,
                position,
            },
            Request::Unsubscribe { document_id } => Told::Unsubscribed {
                document_id: *document_id,
            },
        }
    }

    fn seen(&self) -> ReadModel {
        let visible = self.subscription.filter.visible();
        self.hub.read().seen_by(visible.clone())
    }

    async fn say(&mut self, told: &Told) -> Result<(), End> {
        let json = serde_json::to_string(told).map_err(|error| {
            tracing::error!(%error, "writing a message to a subscriber");
            FAILED
        })?;
        self.write(vec![Message::text(json)]).await
    }

    /// Writes messages and flushes. Blocks while the client does not read, up to a limit: what
    /// waits meanwhile is bounded by the batch and by the ring, not by the client.
    async fn write(&mut self, messages: Vec<Message>) -> Result<(), End> {
        let longest = self.hub.settings().longest_write;
        let socket = &mut self.socket;
        let writing = async {
            for message in messages {
                socket.feed(message).await?;
            }
            socket.flush().await
        };
        let written = tokio::select! {
            written = timeout(longest, writing) => written,
            () = self.hub.stop().cancelled() => return Err(AWAY),
        };
        self.silent_at = Instant::now() + self.hub.settings().checkpoint;
        written.map_err(|_| SLOW)?.map_err(|_| End::Gone)
    }

    /// Says the code and waits for the client to go: a socket closed with unread bytes in it
    /// would be reset, and the client would not see the code.
    async fn finish(mut self, end: End) {
        let Self { socket, .. } = &mut self;
        let closing = async {
            if let End::Close(code, reason) = end {
                tracing::debug!(code, reason, "closing a live connection");
                let reason = Utf8Bytes::from_static(reason);
                let close = Message::Close(Some(CloseFrame { code, reason }));
                if socket.send(close).await.is_err() {
                    return;
                }
            }
            let until = Instant::now() + LONGEST_CLOSE / 2;
            while let Some(Ok(_)) = socket.next().await {}
            // After a message too big to be read, not even the client's going can be read.
            if matches!(end, End::Close(close_code::SIZE, _)) {
                sleep_until(until).await;
            }
        };
        // Too late is as good as gone.
        drop(timeout(LONGEST_CLOSE, closing).await);
    }
}

async fn status(hub: &LiveHub, head: i64, position: i64) -> Told {
    match hub.read().visible_position().await {
        Ok(visible_position) => Told::SystemStatus {
            status: "operational",
            version: env!("CARGO_PKG_VERSION"),
            head,
            visible_position,
            position,
            connections: hub.connections().total,
            timestamp: hub.clock().now(),
        },
        Err(error) => unavailable(&error),
    }
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> Told {
    tracing::warn!(error, "a subscriber's question cannot be answered");
    ClientFault::Unavailable.into()
}

/// What a failed read means.
fn broken(error: axum::Error) -> End {
    match error.into_inner().downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Capacity(_)) => TOO_BIG,
        Some(tungstenite::Error::Utf8(_)) => End::Close(close_code::INVALID, "text must be UTF-8"),
        Some(tungstenite::Error::Protocol(_)) => {
            End::Close(close_code::PROTOCOL, "the frames are not those of RFC 6455")
        }
        _ => End::Gone,
    }
}
