//! One request through everything it causes: request id, correlation id, W3C trace context.
//!
//! Source: W3C Trace Context, section 3.2 (traceparent).

use super::auth::Principal;
use super::problem::Problem;
use super::state::ApiState;
use crate::event_store::CommandMetadata;
use crate::limits::address::client;
use crate::metrics::Limit;
use crate::traces::Kind;
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use kmrl_domain::access::{LONGEST_VALUE, bounded};
use kmrl_domain::private::hex;
use std::net::{IpAddr, SocketAddr};
use tracing::Instrument;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The ids of a request.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The client's, when it sent one that can be used, else a new one.
    pub request_id: String,
    /// The trace's id: the same through event, job and projection.
    pub correlation_id: String,
    /// For whatever the request causes.
    pub traceparent: String,
    /// What caused the request, when the client said so.
    pub parent: Option<String>,
    /// The client's, as far as the connection and trusted proxies tell; others' `X-Forwarded-For` is anybody's
    /// word.
    pub address: Option<IpAddr>,
    /// What the client calls itself; bounded and without control characters.
    pub user_agent: Option<String>,
}

impl RequestContext {
    fn of(request: &Request, state: &ApiState) -> Self {
        let headers = request.headers();
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let word = |name: &str| {
            let value = headers.get(name)?.to_str().ok()?;
            let usable =
                (1..=128).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic());
            usable.then(|| value.to_owned())
        };
        let parent = word("traceparent").filter(|t| trace_id(t).is_some());
        let trace_id = parent.as_deref().and_then(trace_id);
        let trace_id = trace_id.unwrap_or_else(|| state.ids.new_id().simple().to_string());
        let span: String = hex(&state.ids.salt()).chars().take(16).collect();
        Self {
            request_id: word("x-request-id").unwrap_or_else(|| state.ids.new_id().to_string()),
            traceparent: format!("00-{trace_id}-{span}-01"),
            parent,
            correlation_id: word("x-correlation-id").unwrap_or(trace_id),
            address: peer.map(|ConnectInfo(peer)| {
                let forwarded = headers.get_all("x-forwarded-for").iter();
                let readable = forwarded.map(|value| value.to_str().unwrap_or_default());
                client(peer.ip(), readable, &state.trusted_proxies)
            }),
            user_agent: headers
                .get(USER_AGENT)
                .map(|v| bounded(&String::from_utf8_lossy(v.as_bytes()), LONGEST_VALUE)),
        }
    }
}

fn trace_id(traceparent: &str) -> Option<String> {
    let parts: Vec<&str> = traceparent.split('-').collect();
    let [version, trace, span, flags, ..] = parts.as_slice() else {
        return None;
    };
    let hexadecimal = |s: &str, len| {
        s.len() == len
            && s.bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let ok = hexadecimal(version, 2)
        && *version != "ff"
        && hexadecimal(trace, 32)
        && hexadecimal(span, 16)
        && hexadecimal(flags, 2)
        && trace.bytes().any(|b| b != b'0');
    ok.then(|| (*trace).to_owned())
}

/// The outermost layer: gives a request its ids, its span and its counters, and problems their
/// instance.
pub async fn trace_request(
    State(state): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Response {
    let _in_flight = state.metrics.arrived();
    let begun = tokio::time::Instant::now();
    let context = RequestContext::of(&request, &state);
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "(none)".to_owned(), |m| m.as_str().to_owned());
    let method = request.method().clone();
    let span = tracing::info_span!("request", %method, route, request_id = context.request_id, correlation_id = context.correlation_id);
    // Those who look whether it is well would be most of all traces.
    let mut traced = match route.as_str() {
        "/metrics" | "/health" | "/health/live" | "/health/ready" | "/health/detailed" => None,
        _ => state.traces.begin_as(
            Kind::Server,
            "request",
            &context.traceparent,
            context.parent.as_deref(),
        ),
    };
    request.extensions_mut().insert(context.clone());
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let instance = format!("/requests/{}", context.request_id);
        // Headers that the layers added stay.
        *response.body_mut() = problem.respond(Some(instance)).into_body();
    }
    if let Ok(id) = HeaderValue::from_str(&context.request_id) {
        response.headers_mut().insert(REQUEST_ID.clone(), id);
    }
    let status = response.status();
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        state.metrics.limit_hit(Limit::Size);
    }
    state
        .metrics
        .request(method.as_str(), &route, status.as_u16(), begun.elapsed());
    if let Some(traced) = &mut traced {
        traced.note("http.request.method", &method);
        traced.note("http.route", &route);
        traced.note("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            traced.fail();
        }
    }
    span.in_scope(|| tracing::debug!(status = status.as_u16(), "answered"));
    response
}

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let context = parts.extensions.get::<Self>().cloned();
        context.ok_or_else(|| Problem::new(super::problem::ProblemType::Internal))
    }
}

/// Who asks and in which request: what commands are carried out with.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// In which request.
    pub context: RequestContext,
}

impl Caller {
    /// What is kept with the events that a command makes.
    #[must_use]
    pub fn metadata(&self) -> CommandMetadata {
        CommandMetadata {
            actor: self.principal.actor.clone(),
            key_id: self.principal.key_id.clone(),
            request_id: Some(self.context.request_id.clone()),
            correlation_id: self.context.correlation_id.clone(),
            causation_id: None,
            traceparent: Some(self.context.traceparent.clone()),
            address: self.context.address.map(|a| a.to_string()),
            user_agent: self.context.user_agent.clone(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self {
            principal: Principal::from_request_parts(parts, state).await?,
            context: RequestContext::from_request_parts(parts, state).await?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::trace_id;

    #[test]
    fn only_well_formed_trace_contexts_are_continued() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(
            trace_id(&format!("00-{id}-00f067aa0ba902b7-01")).as_deref(),
            Some(id)
        );
        for bad in [
            "".to_owned(),
            format!("ff-{id}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase()),
            format!("00-{id}-xyz-01"),
        ] {
            assert_eq!(trace_id(&bad), None, "{bad}");
        }
    }
}
