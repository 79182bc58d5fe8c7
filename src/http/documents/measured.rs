//! An upload's body, given to the reader of the form no faster than the form is read.
//!
//! The reader keeps what it has not understood yet: what comes before the first part, and a part's header,
//! however long they are. Here they get an end, so that no upload fills the memory.

use super::super::problem::{Problem, ProblemType};
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::multipart::Multipart;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use futures::Stream;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// Most bytes given to the reader before something of the form must have come out of it. A chunk of the
/// connection may come on top.
const AHEAD: usize = 256 * 1024;
/// Longest `Content-Type`; a boundary has at most 70 characters (RFC 2046, section 5.1.1).
const LONGEST_TYPE: usize = 256;
/// Chunks thrown away before others get their turn.
const AT_ONCE: usize = 64;

/// How far reader and body are.
#[derive(Clone, Default)]
pub(super) struct Flow(Arc<Counters>);

#[derive(Default)]
struct Counters {
    /// Bytes given since something came out.
    since: AtomicUsize,
    /// The reader was told to wait, and nothing has come out since.
    waited: AtomicBool,
    discards: AtomicBool,
}

impl Flow {
    /// Something came out of the reader.
    pub(super) fn came_out(&self) {
        self.0.since.store(0, Ordering::Relaxed);
        self.0.waited.store(false, Ordering::Relaxed);
    }

    /// From now on nothing is given to the reader, and the body is read and thrown away.
    pub(super) fn discard(&self) {
        self.0.discards.store(true, Ordering::Relaxed);
    }

    fn gave(&self, bytes: usize) {
        self.0.since.fetch_add(bytes, Ordering::Relaxed);
    }

    fn is_ahead(&self) -> bool {
        self.0.since.load(Ordering::Relaxed) >= AHEAD
    }

    fn waits_again(&self) -> bool {
        self.0.waited.swap(true, Ordering::Relaxed)
    }

    fn discards(&self) -> bool {
        self.0.discards.load(Ordering::Relaxed)
    }
}

/// A form, and how far it is read.
pub(super) struct Measured {
    pub(super) multipart: Multipart,
    pub(super) flow: Flow,
}

impl<S: Send + Sync> FromRequest<S> for Measured {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let malformed = |what: String| Problem::new(ProblemType::MultipartMalformed).detail(what);
        let kind = request.headers().get(CONTENT_TYPE);
        if kind.is_some_and(|kind| kind.len() > LONGEST_TYPE) {
            let what = format!("a Content-Type has at most {LONGEST_TYPE} bytes");
            return Err(malformed(what));
        }
        let (parts, body) = request.into_parts();
        let flow = Flow::default();
        let body = MeasuredBody {
            body: body.into_data_stream(),
            flow: flow.clone(),
        };
        let request = Request::from_parts(parts, Body::from_stream(body));
        let multipart = Multipart::from_request(request, state).await;
        let multipart = multipart.map_err(|e| malformed(e.body_text()))?;
        Ok(Self { multipart, flow })
    }
}

struct MeasuredBody {
    body: BodyDataStream,
    flow: Flow,
}

impl MeasuredBody {
    /// What is ready is thrown away, until the end.
    fn discard(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        for _ in 0..AT_ONCE {
            match Pin::new(&mut self.body).poll_next(context) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(_) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Stream for MeasuredBody {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.flow.discards() {
            return self.discard(context);
        }
        if self.flow.is_ahead() {
            if self.flow.waits_again() {
                let what = "the header of a part, or what comes before the first part, is too long";
                return Poll::Ready(Some(Err(io::Error::other(what))));
            }
            // The reader asks for all there is before it looks at any of it.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = Pin::new(&mut self.body).poll_next(context);
        if let Poll::Ready(Some(Ok(chunk))) = &next {
            self.flow.gave(chunk.len());
        }
        next.map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{StreamExt as _, stream};

    const HEAD: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n";

    /// A form of chunks that are all there at once.
    async fn form(chunks: Vec<Bytes>) -> Measured {
        let body = stream::iter(chunks).map(Ok::<_, io::Error>);
        let request = Request::builder().header(CONTENT_TYPE, "multipart/form-data; boundary=b");
        let request = request.body(Body::from_stream(body)).unwrap();
        Measured::from_request(request, &()).await.unwrap()
    }

    fn many(bytes: &'static [u8], times: usize) -> impl Iterator<Item = Bytes> {
        std::iter::repeat_n(Bytes::from_static(bytes), times)
    }

    #[tokio::test]
    async fn what_never_becomes_a_part_is_cut_off() {
        let chunk: &[u8] = &[b'x'; 16 * 1024];
        for head in [
            &b"preamble "[..],
            b"--b\r\nContent-Disposition: form-data; name=\"",
        ] {
            let chunks = many(head, 1).chain(many(chunk, 4_000));
            let Measured {
                mut multipart,
                flow,
            } = form(chunks.collect()).await;
            assert!(multipart.next_field().await.is_err());
            let given = flow.0.since.load(Ordering::Relaxed);
            assert!(given <= AHEAD + chunk.len(), "{given}");
        }
    }

    #[tokio::test]
    async fn a_large_file_comes_through_in_bounded_pieces() {
        let chunk: &[u8] = &[b'x'; 16 * 1024];
        let chunks = many(HEAD, 1)
            .chain(many(chunk, 100))
            .chain(many(b"\r\n--b--", 1));
        let Measured {
            mut multipart,
            flow,
        } = form(chunks.collect()).await;
        let mut field = multipart.next_field().await.unwrap().unwrap();
        flow.came_out();
        let mut length = 0;
        while let Some(piece) = field.chunk().await.unwrap() {
            // What the reader still had comes on top.
            assert!(piece.len() <= 2 * AHEAD + chunk.len(), "{}", piece.len());
            length += piece.len();
            flow.came_out();
        }
        assert_eq!(length, 100 * chunk.len());
        drop(field);
        assert!(multipart.next_field().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn the_rest_of_a_refused_form_is_read_to_its_end() {
        let chunk: &[u8] = &[b'x'; 16 * 1024];
        let chunks = many(HEAD, 1).chain(many(chunk, 4_000));
        let Measured {
            mut multipart,
            flow,
        } = form(chunks.collect()).await;
        drop(multipart.next_field().await.unwrap());
        flow.discard();
        assert!(multipart.next_field().await.is_err());
        assert!(flow.0.since.load(Ordering::Relaxed) <= AHEAD + chunk.len());
    }
}
