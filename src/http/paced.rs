//! Bodies have to come at some pace: one that trickles in holds a place for as long as its sender likes.
//!
//! What counts is the time that the gateway waited for the client, not the time that it took itself.

use super::problem::{Problem, ProblemType};
use super::state::ApiState;
use crate::metrics::Limit;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// Least bytes a second, on the average, after the patience.
const LEAST_BYTES: u64 = 1024;

/// Answers 408 when the body did not come at the pace that is asked for.
pub(super) async fn paced(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let late = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&late);
    let patience = state.patience;
    let request = request.map(|body| Body::new(Paced::new(body, patience, watched)));
    let response = next.run(request).await;
    if !late.load(Ordering::Acquire) {
        return response;
    }
    state.metrics.limit_hit(Limit::Time);
    Problem::new(ProblemType::BodyTooSlow).into_response()
}

/// The body is not waited for any more.
#[derive(Debug, thiserror::Error)]
#[error("the body came too slowly")]
struct TooSlow;

struct Paced {
    body: Body,
    patience: Duration,
    received: u64,
    waited: Duration,
    /// Since when the client is waited for, and until when it may be.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    late: Arc<AtomicBool>,
}

impl Paced {
    fn new(body: Body, patience: Duration, late: Arc<AtomicBool>) -> Self {
        Self {
            body,
            patience,
            received: 0,
            waited: Duration::ZERO,
            waiting: None,
            late,
        }
    }

    /// How much longer the client may be waited for, all in all.
    fn left(&self) -> Duration {
        let earned = Duration::from_secs(self.received / LEAST_BYTES);
        (self.patience + earned).saturating_sub(self.waited)
    }
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            if let Some((since, _)) = self.waiting.take() {
                self.waited += since.elapsed();
            }
            if let Some(Ok(frame)) = &frame {
                self.received += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let (now, left) = (Instant::now(), self.left());
        let waiting = self
            .waiting
            .get_or_insert_with(|| (now, Box::pin(sleep_until(now + left))));
        ready!(waiting.1.as_mut().poll(context));
        self.late.store(true, Ordering::Release);
        Poll::Ready(Some(Err(Box::new(TooSlow))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{StreamExt as _, stream};

    const PATIENCE: Duration = Duration::from_secs(60);

    /// How long a client is waited for that sends so many chunks of a size, each after a pause.
    async fn tried(chunks: usize, size: usize, pause: Duration) -> (Duration, bool) {
        let begun = Instant::now();
        let late = Arc::new(AtomicBool::new(false));
        let chunks = stream::iter(0..chunks).then(move |_| async move {
            sleep_until(Instant::now() + pause).await;
            Ok::<_, std::io::Error>(Bytes::from(vec![0; size]))
        });
        let paced = Paced::new(Body::from_stream(chunks), PATIENCE, Arc::clone(&late));
        let read = axum::body::to_bytes(Body::new(paced), usize::MAX).await;
        assert_eq!(read.is_err(), late.load(Ordering::Acquire));
        (begun.elapsed(), read.is_ok())
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_sends_at_the_pace_may_take_hours() {
        let pause = Duration::from_secs(10);
        let (took, whole) = tried(1_000, 10 * 1024, pause).await;
        assert!(whole);
        assert_eq!(took, pause * 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_trickles_or_stands_still_is_given_up() {
        let (took, whole) = tried(1_000, 1, Duration::from_secs(1)).await;
        assert!(!whole);
        assert_eq!(took, PATIENCE);
        let (took, whole) = tried(2, 1024 * 1024, Duration::from_secs(3_600)).await;
        assert!(!whole);
        assert_eq!(took, PATIENCE);
    }
}
