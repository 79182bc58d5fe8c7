//! Which web pages of other origins may ask and read: those of the list, and no others.
//!
//! Source: Fetch Standard, section 3.2 (CORS protocol). Credentials travel in headers that a page sets
//! itself, so the credentials flag is never given, and `*` never said. Pages that are not listed are
//! answered as if there were no CORS: their browser keeps the answer from them.

use super::origin::is_listed;
use super::state::ApiState;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// All that the API has.
const METHODS: &str = "GET, HEAD, POST, DELETE";
/// What its requests may carry beside what pages may send anyhow.
const SENT: &str = "authorization, content-type, idempotency-key, if-match, if-none-match, if-range, \
     last-event-id, range, traceparent, tracestate, x-api-key, x-correlation-id, x-request-id";
/// What its answers tell in headers.
const EXPOSED: &str = "accept-ranges, content-disposition, content-range, etag, idempotent-replayed, link, \
     location, ratelimit, ratelimit-policy, retry-after, www-authenticate, x-request-id";
/// Seconds that a browser need not ask again.
const MAX_AGE: &str = "600";

/// Answers preflights of listed pages, before anybody asks for a credential: browsers send none.
pub(super) async fn preflight(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let is_preflight = request.method() == Method::OPTIONS
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        && listed(&state.origins.now(), headers).is_some();
    if !is_preflight {
        return next.run(request).await;
    }
    let allowed = [
        (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (ACCESS_CONTROL_ALLOW_HEADERS, SENT),
        (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}

/// Lets listed pages read the answer. Outside of what makes problems anew.
pub(super) async fn allow(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let origin = listed(&state.origins.now(), request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // The answer differs by it, and the list may change.
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static(EXPOSED);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    response
}

/// The origin of the asking page, when it is one of the list.
fn listed(list: &[String], headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    is_listed(list, origin.to_str().ok()?).then(|| origin.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_origins_of_the_list_are_found_whole() {
        let list = ["https://portal.example".to_owned()];
        let found = |list: &[String], origin: &'static str| {
            let headers = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]);
            listed(list, &headers).is_some()
        };
        assert!(found(&list, "https://portal.example"));
        for other in [
            "http://portal.example",
            "https://portal.example:8443",
            "https://portal.example.evil.example",
            "https://evil.example",
            "null",
            "*",
            "",
        ] {
            assert!(!found(&list, other), "{other}");
        }
        assert!(!found(&[], "https://portal.example"));
        assert!(listed(&list, &HeaderMap::new()).is_none());
    }
}
