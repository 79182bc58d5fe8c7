//! Sends spans to a collector by OTLP over HTTP with protobuf (OTLP 1.x, `/v1/traces`).
//!
//! The few messages that spans need are written here by hand: prost and the HTTP client that is there
//! are all it takes. Field numbers are those of opentelemetry-proto, `trace/v1/trace.proto`.

use crate::metrics::{Metrics, SpanEnd};
use crate::traces::{Kind, Span};
use prost::Message;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Spans sent at once.
const BATCH: usize = 512;
/// How long a span waits for others.
const GATHER: Duration = Duration::from_millis(500);
/// For a batch.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where spans are sent, and as whose.
pub struct Collector {
    /// Base address, `http://host:4318`.
    pub endpoint: String,
    /// `service.name`.
    pub service: String,
    /// Roles of this process, separated by commas.
    pub roles: String,
}

/// Sends spans until it is stopped, then what is left. What cannot be sent is counted and forgotten:
/// spans are for looking at, and nobody waits for them.
pub async fn run(
    collector: Collector,
    mut spans: mpsc::Receiver<Span>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let client = reqwest::Client::builder().timeout(PATIENCE).build();
    let Ok(client) = client.inspect_err(|error| tracing::error!(%error, "no spans are sent"))
    else {
        return;
    };
    let mut well = true;
    loop {
        let mut batch = Vec::new();
        tokio::select! {
            () = stop.cancelled() => spans.close(),
            () = gather(&mut spans, &mut batch) => {}
        }
        if spans.is_closed() {
            while let Ok(span) = spans.try_recv() {
                batch.push(span);
            }
        }
        for part in batch.chunks(BATCH) {
            well = send(&client, &collector, part, &metrics, well).await;
        }
        if spans.is_closed() && spans.is_empty() {
            return;
        }
    }
}

/// Waits for a span, then for others, for a while.
async fn gather(spans: &mut mpsc::Receiver<Span>, batch: &mut Vec<Span>) {
    if spans.recv_many(batch, BATCH).await == 0 {
        return;
    }
    let more = async { while batch.len() < BATCH && spans.recv_many(batch, BATCH).await > 0 {} };
    let _full_or_elapsed = tokio::time::timeout(GATHER, more).await;
}

async fn send(
    client: &reqwest::Client,
    collector: &Collector,
    spans: &[Span],
    metrics: &Metrics,
    well: bool,
) -> bool {
    let url = format!("{}/v1/traces", collector.endpoint.trim_end_matches('/'));
    let request = client
        .post(url)
        .header("content-type", "application/x-protobuf")
        .body(request(collector, spans).encode_to_vec());
    let answer = request.send().await.and_then(|a| a.error_for_status());
    let count = spans.len() as u64;
    match answer {
        Ok(_) => metrics.spans(SpanEnd::Sent, count),
        Err(error) => {
            metrics.spans(SpanEnd::Failed, count);
            if well {
                tracing::warn!(%error, "the collector does not take spans");
            }
            return false;
        }
    }
    if !well {
        tracing::info!("the collector takes spans again");
    }
    true
}

fn request(collector: &Collector, spans: &[Span]) -> Request {
    let word = |key: &str, value: &str| KeyValue::of(key, value.to_owned());
    Request {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![
                    word("service.name", &collector.service),
                    word("service.version", env!("CARGO_PKG_VERSION")),
                    word("kmrl.roles", &collector.roles),
                ],
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(Scope {
                    name: env!("CARGO_PKG_NAME").to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                }),
                spans: spans.iter().map(written).collect(),
            }],
        }],
    }
}

fn written(span: &Span) -> WrittenSpan {
    WrittenSpan {
        trace_id: span.context.trace.to_vec(),
        span_id: span.context.span.to_vec(),
        parent_span_id: span.parent.map_or_else(Vec::new, |id| id.to_vec()),
        flags: u32::from(span.context.sampled),
        name: span.name.to_owned(),
        kind: match span.kind {
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Producer => 4,
            Kind::Consumer => 5,
        },
        start_time_unix_nano: nanoseconds(span.start),
        end_time_unix_nano: nanoseconds(span.end),
        attributes: span
            .attributes
            .iter()
            .map(|(key, value)| KeyValue::of(key, value.clone()))
            .collect(),
        status: span.failed.then_some(Status { code: 2 }),
    }
}

fn nanoseconds(at: OffsetDateTime) -> u64 {
    u64::try_from(at.unix_timestamp_nanos()).unwrap_or_default()
}

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<WrittenSpan>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct WrittenSpan {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    flags: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(string, tag = "1")]
    string_value: String,
}

impl KeyValue {
    fn of(key: &str, value: String) -> Self {
        Self {
            key: key.to_owned(),
            value: Some(AnyValue {
                string_value: value,
            }),
        }
    }
}
