//! One trace from the request to the visible row, over four processes, in a collector of our own.

use crate::harness::{Gateway, World};
use crate::support::eventually;
use crate::support::scrape::Scraped;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::sync::{Arc, Mutex};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";

#[derive(Clone, Debug)]
struct Received {
    roles: String,
    span: Span,
}

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Received>>>);

impl Collector {
    async fn start() -> (Self, String) {
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new()
            .route("/v1/traces", post(take))
            .with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (collector, format!("http://{address}"))
    }

    fn all(&self) -> Vec<Received> {
        self.0.lock().unwrap().clone()
    }

    fn of_trace(&self) -> Vec<Received> {
        let mut all = self.all();
        all.retain(|r| hex(&r.span.trace_id) == TRACE);
        all
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut all = collector.0.lock().unwrap();
    for resource in request.resource_spans {
        let attributes = resource.resource.unwrap().attributes;
        assert_eq!(word(&attributes, "service.name").unwrap(), "kmrl-gateway");
        let roles = word(&attributes, "kmrl.roles").unwrap();
        let spans = resource.scope_spans.into_iter().flat_map(|s| s.spans);
        all.extend(spans.map(|span| Received {
            roles: roles.clone(),
            span,
        }));
    }
    StatusCode::OK
}

fn word(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|a| a.key == key)?;
    match &found.value {
        Some(AnyValue {
            value: Some(Any::StringValue(text)),
        }) => Some(text.clone()),
        other => panic!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The span of a name, below another.
fn below<'a>(all: &'a [Received], parent: &Span, name: &str) -> Vec<&'a Received> {
    let fits = |r: &&Received| r.span.name == name && r.span.parent_span_id == parent.span_id;
    all.iter().filter(fits).collect()
}

fn one<'a>(all: &'a [Received], parent: &Span, name: &str, roles: &str) -> &'a Span {
    let found = below(all, parent, name);
    let [one] = found.as_slice() else {
        panic!("{} of {name}: {all:#?}", found.len());
    };
    assert_eq!(one.roles, roles, "{name}");
    assert!(one.span.end_time_unix_nano >= one.span.start_time_unix_nano);
    assert!(one.span.start_time_unix_nano > 0);
    &one.span
}

/// The rows below a span that show an event.
fn shown_in(all: &[Received], parent: &Span, event: &str) -> Vec<String> {
    let projected = below(all, parent, "project").into_iter();
    let of_event = projected.filter(|r| word(&r.span.attributes, "kmrl.event").unwrap() == event);
    of_event
        .map(|r| word(&r.span.attributes, "kmrl.projection").unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_from_the_request_to_the_visible_row() {
    let (collector, endpoint) = Collector::start().await;
    let world = World::with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]).await;
    let _projector = world.start_roles("projector");
    let (api, _relay, _worker) = (
        world.start_roles("api"),
        world.start_roles("relay"),
        world.start_roles("worker"),
    );
    let answer = api
        .upload_request("a.txt", "words")
        .header("traceparent", format!("00-{TRACE}-{CLIENT}-01"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);
    let all = eventually("the text's row is in the trace", || async {
        let all = collector.of_trace();
        let outcome = all.iter().find(|r| r.span.name == "outcome")?.span.clone();
        let job = all.iter().find(|r| r.span.name == "job")?.span.clone();
        let request = all.iter().find(|r| r.span.name == "request")?.span.clone();
        let seen =
            |of: &Span, event: &str| shown_in(&all, of, event).contains(&"documents".to_owned());
        let whole = seen(&request, "Uploaded")
            && seen(&job, "ProcessingStarted")
            && seen(&outcome, "Extracted")
            && all.iter().any(|r| r.span.name == "publish");
        whole.then_some(all)
    })
    .await;
    let client = Span {
        span_id: CLIENT
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect(),
        ..Span::default()
    };
    let request = one(&all, &client, "request", "api");
    assert_eq!(request.kind, 2, "a server's");
    let route = word(&request.attributes, "http.route");
    assert_eq!(route.as_deref(), Some("/api/v1/documents/upload"));
    one(&all, request, "append", "api");
    let publish = one(&all, request, "publish", "relay");
    let job = one(&all, publish, "job", "worker");
    one(&all, job, "append", "worker");
    let child = one(&all, job, "read in a child", "worker");
    let outcome = one(&all, job, "outcome", "worker");
    one(&all, outcome, "append", "worker");
    assert!(child.start_time_unix_nano >= job.start_time_unix_nano);
    assert!(child.end_time_unix_nano <= job.end_time_unix_nano);
    // No id twice, nothing of another trace below, and no word of the document.
    let mut ids: Vec<_> = all.iter().map(|r| r.span.span_id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all.len());
    assert!(!format!("{all:?}").contains("a.txt"));
    // Those who ask whether it is well are not traced.
    api.json("/health/detailed").await;
    let routes = collector.all();
    let routes = routes
        .iter()
        .filter_map(|r| word(&r.span.attributes, "http.route"));
    assert!(
        routes
            .into_iter()
            .all(|route| !route.starts_with("/health"))
    );
}

async fn counted(gateway: &Gateway, outcome: &str) -> f64 {
    let sample = format!("kmrl_trace_spans_total{{outcome=\"{outcome}\"}}");
    Scraped::of(gateway).await.get(&sample).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_not_configured_holds_nobody_up() {
    let nowhere = format!(
        "http://127.0.0.1:{}",
        kmrl_gateway::engines::free_port().unwrap()
    );
    let world = World::with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &nowhere)]).await;
    let gateway = world.start();
    let id = gateway.upload("a.txt", "words").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(gateway.finished(&id).await["status"], "processed");
    eventually("spans were not taken", || async {
        (counted(&gateway, "failed").await > 0.0).then_some(())
    })
    .await;
    assert!(gateway.stop().await, "it ends in order");

    let world = World::new().await;
    let gateway = world.start();
    let id = gateway.upload("a.txt", "words").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    gateway.finished(&id).await;
    for outcome in ["sent", "failed", "dropped"] {
        assert_eq!(counted(&gateway, outcome).await, 0.0);
    }
}
