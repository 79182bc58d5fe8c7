//! Heads of requests that a proxy before the gateway may understand in another way than the gateway does:
//! refused, and the connection with them, so that nothing of one request is taken for another.
//!
//! Most such shapes hyper refuses itself (two lengths that differ, signs and spaces in lengths, bare CR, folded
//! lines); of a request with a length and chunks it closes the connection. Here is what it lets pass.
//!
//! Source: RFC 9112, sections 3.2 (Host), 6.1 (Transfer-Encoding) and 11.2 (request smuggling).

use super::problem::{Problem, ProblemType};
use axum::extract::Request;
use axum::http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderValue, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Lets requests pass whose heads can be understood in one way only.
pub(super) async fn unambiguous(request: Request, next: Next) -> Response {
    match doubt(request.version(), request.headers()) {
        None => next.run(request).await,
        Some(what) => {
            let close = HeaderValue::from_static("close");
            Problem::new(ProblemType::RequestMalformed)
                .detail(what)
                .header(CONNECTION, close)
                .into_response()
        }
    }
}

/// What can be understood in several ways.
fn doubt(version: Version, headers: &HeaderMap) -> Option<&'static str> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    if codings.next().is_some_and(|first| !is_chunked(first)) || codings.next().is_some() {
        return Some("the only transfer coding is chunked, once");
    }
    let hosts = headers.get_all(HOST).iter().count();
    (version == Version::HTTP_11 && hosts != 1).then_some("there is one Host")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        doubt(Version::HTTP_11, &map).is_some()
    }

    #[test]
    fn one_host_and_one_coding_leave_no_doubt() {
        assert!(!told(&[("host", "a")]));
        assert!(!told(&[("host", "a"), ("transfer-encoding", "Chunked")]));
        assert!(told(&[]));
        assert!(told(&[("host", "a"), ("host", "a")]));
        for coding in [
            "identity",
            "gzip, chunked",
            "chunked, chunked",
            "chunked,",
            "",
        ] {
            assert!(
                told(&[("host", "a"), ("transfer-encoding", coding)]),
                "{coding}"
            );
        }
        let twice = ("transfer-encoding", "chunked");
        assert!(told(&[("host", "a"), twice, twice]));
    }
}
