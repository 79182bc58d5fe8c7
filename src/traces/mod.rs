//! Spans of what one request causes, through every process, for a collector of OpenTelemetry.
//!
//! Owns what a span is and when it is over. Its ids are those that events and messages carry anyway
//! (W3C Trace Context), so the parts of a trace made by different processes fit. Where no collector
//! is configured there are no spans and nothing is done. Sending them is the adapter's business.

mod context;

pub use context::{SpanId, TraceContext};

use crate::metrics::{Metrics, SpanEnd};
use crate::ports::{Clock, Ids};
use std::fmt::Display;
use std::sync::Arc;
use time::OffsetDateTime;
use tokio::sync::mpsc;

/// Spans that may wait to be sent; more are dropped and counted.
const MOST_WAITING: usize = 8_192;

/// What a span is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Work within a process.
    Internal,
    /// An answered request.
    Server,
    /// A message that was sent.
    Producer,
    /// A message that was worked on.
    Consumer,
}

/// Something that took a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it was.
    pub name: &'static str,
    /// What it is to the others.
    pub kind: Kind,
    /// Its trace, and its own id.
    pub context: TraceContext,
    /// What caused it, in this or another process.
    pub parent: Option<SpanId>,
    /// From.
    pub start: OffsetDateTime,
    /// Until.
    pub end: OffsetDateTime,
    /// What is known of it. Never anything personal.
    pub attributes: Vec<(&'static str, String)>,
    /// It did not end well.
    pub failed: bool,
}

/// Where spans go. Cheap to clone.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Inner>>);

struct Inner {
    out: mpsc::Sender<Span>,
    ids: Arc<dyn Ids>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

impl Traces {
    /// Nowhere: nothing is done.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// To whoever has the receiver.
    #[must_use]
    pub fn to_collector(
        ids: Arc<dyn Ids>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> (Self, mpsc::Receiver<Span>) {
        let (out, spans) = mpsc::channel(MOST_WAITING);
        let inner = Inner {
            out,
            ids,
            clock,
            metrics,
        };
        (Self(Some(Arc::new(inner))), spans)
    }

    /// Begins a span below that of a `traceparent`. Nothing, when there are no spans or none is
    /// wanted of this trace.
    #[must_use]
    pub fn begin(&self, kind: Kind, name: &'static str, parent: Option<&str>) -> Option<Open> {
        let inner = self.0.as_ref()?;
        let parent = TraceContext::parse(parent?)?;
        let context = parent.child(&inner.ids.salt());
        self.open(kind, name, context, Some(parent.span))
    }

    /// Begins the span that a `traceparent` names itself.
    #[must_use]
    pub fn begin_as(
        &self,
        kind: Kind,
        name: &'static str,
        own: &str,
        parent: Option<&str>,
    ) -> Option<Open> {
        self.0.as_ref()?;
        let parent = parent.and_then(TraceContext::parse);
        self.open(
            kind,
            name,
            TraceContext::parse(own)?,
            parent.map(|p| p.span),
        )
    }

    fn open(
        &self,
        kind: Kind,
        name: &'static str,
        context: TraceContext,
        parent: Option<SpanId>,
    ) -> Option<Open> {
        let now = self.0.as_ref()?.clock.now();
        context.sampled.then(|| Open {
            traces: self.clone(),
            span: Some(Span {
                name,
                kind,
                context,
                parent,
                start: now,
                end: now,
                attributes: Vec::new(),
                failed: false,
            }),
        })
    }

    fn send(&self, span: Span) {
        let Some(inner) = &self.0 else { return };
        // Whoever is traced never waits for the collector.
        if inner.out.try_send(span).is_err() {
            inner.metrics.spans(SpanEnd::Dropped, 1);
        }
    }
}

/// A span that is going on; it is over when this is dropped.
pub struct Open {
    traces: Traces,
    // Taken when it is over.
    span: Option<Span>,
}

impl Open {
    /// For whatever it causes.
    #[must_use]
    pub fn traceparent(&self) -> Option<String> {
        self.span.as_ref().map(|span| span.context.to_string())
    }

    /// Says something of it. Never anything personal.
    pub fn note(&mut self, name: &'static str, value: impl Display) {
        if let Some(span) = &mut self.span {
            span.attributes.push((name, value.to_string()));
        }
    }

    /// It did not end well.
    pub fn fail(&mut self) {
        if let Some(span) = &mut self.span {
            span.failed = true;
        }
    }

    /// It began earlier, and ended when this says.
    pub fn between(&mut self, start: OffsetDateTime, end: OffsetDateTime) {
        if let Some(span) = &mut self.span {
            (span.start, span.end) = (start, end);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some(mut span) = self.span.take() else {
            return;
        };
        if let Some(inner) = &self.traces.0
            && span.end == span.start
        {
            span.end = inner.clock.now().max(span.start);
        }
        self.traces.send(span);
    }
}

#[cfg(test)]
mod tests;
