//! What every answer tells browsers not to do with it.
//!
//! The outermost layer, so that nothing is answered without: problems that are made anew, routes that
//! there are not, and panics have them too. What an answer says for itself (a download's sandbox, a
//! past version's caching) stays.

use super::state::ApiState;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

/// Answers are data: nothing in them is shown, run or framed.
const OF_DATA: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The page that shows the API runs its own files alone; its images of icons are in its style sheets.
const OF_DOCS: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Everything that browsers offer to pages.
const NOTHING: &str = "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), clipboard-write=(), \
     display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), \
     idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), \
     picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), \
     xr-spatial-tracking=()";
/// Two years. Other hosts of the domain are not ours to speak for.
const ALWAYS_TLS: &str = "max-age=63072000";

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const EMBEDDER: HeaderName = HeaderName::from_static("cross-origin-embedder-policy");

/// What a path shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// The page that shows the API.
    Docs,
    /// What is the same for everybody.
    Public,
    /// Anything else.
    Data,
}

impl Shown {
    fn of(path: &str) -> Self {
        match path {
            "/docs" => Self::Docs,
            "/openapi.json" | "/asyncapi.json" => Self::Public,
            _ if path.starts_with("/docs/") => Self::Docs,
            _ => Self::Data,
        }
    }
}

/// Adds them.
pub(super) async fn add(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let shown = Shown::of(request.uri().path());
    let mut response = next.run(request).await;
    let status = response.status();
    set(response.headers_mut(), shown, status, state.encrypted);
    response
}

fn set(headers: &mut HeaderMap, shown: Shown, status: StatusCode, encrypted: bool) {
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (PERMISSIONS_POLICY, NOTHING),
        (OPENER, "same-origin"),
        (RESOURCE, "same-origin"),
        (EMBEDDER, "require-corp"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = if shown == Shown::Docs {
        OF_DOCS
    } else {
        OF_DATA
    };
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(policy));
    // What has not changed keeps the rules that it was kept under.
    if shown == Shown::Data && status != StatusCode::NOT_MODIFIED {
        headers
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
    }
    if encrypted {
        let always = HeaderValue::from_static(ALWAYS_TLS);
        headers.insert(STRICT_TRANSPORT_SECURITY, always);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, own: &[(HeaderName, &'static str)], status: u16) -> HeaderMap {
        let own = own.iter().cloned();
        let own = own.map(|(name, value)| (name, HeaderValue::from_static(value)));
        let mut headers = HeaderMap::from_iter(own);
        let status = StatusCode::from_u16(status).unwrap();
        set(&mut headers, Shown::of(path), status, false);
        headers
    }

    #[test]
    fn no_policy_lets_code_in_a_page_run() {
        for policy in [OF_DATA, OF_DOCS] {
            assert!(policy.starts_with("default-src 'none';"), "{policy}");
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
        }
        assert_eq!(of("/docs/", &[], 200)[CONTENT_SECURITY_POLICY], OF_DOCS);
        assert_eq!(of("/docsx", &[], 404)[CONTENT_SECURITY_POLICY], OF_DATA);
    }

    #[test]
    fn what_an_answer_says_for_itself_stays() {
        let own = [
            (CONTENT_SECURITY_POLICY, "sandbox"),
            (CACHE_CONTROL, "private, no-cache"),
        ];
        let headers = of("/api/v1/documents/1/download", &own, 200);
        assert_eq!(headers[CONTENT_SECURITY_POLICY], "sandbox");
        assert_eq!(headers[CACHE_CONTROL], "private, no-cache");
    }

    #[test]
    fn documents_are_not_stored_by_anybody_on_the_way() {
        assert_eq!(
            of("/api/v1/documents/1", &[], 200)[CACHE_CONTROL],
            "no-store"
        );
        for (path, status) in [("/openapi.json", 200), ("/api/v1/documents/1", 304)] {
            assert!(!of(path, &[], status).contains_key(CACHE_CONTROL), "{path}");
        }
    }

    #[test]
    fn browsers_are_bound_to_tls_only_where_it_is() {
        let mut headers = of("/", &[], 404);
        assert!(!headers.contains_key(STRICT_TRANSPORT_SECURITY));
        set(&mut headers, Shown::Data, StatusCode::OK, true);
        assert_eq!(headers[STRICT_TRANSPORT_SECURITY], ALWAYS_TLS);
    }
}
