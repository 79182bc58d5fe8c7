//! Which web pages may open connections: a browser says whose page it shows in `Origin`.
//!
//! A WebSocket is not bound to its page's origin by the browser (RFC 6455, section 10.2): the server has to
//! look. Programs that are no browsers send none, and are bound by their credential alone.

use super::problem::{Problem, ProblemType};
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

/// Refuses pages of other origins than our own and those of the list.
///
/// # Errors
/// When the origin is none of them.
pub(super) fn allowed(list: &[String], headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let own = |host: &str| {
        let of_origin = origin.split_once("://").map(|(_, rest)| rest);
        of_origin.is_some_and(|rest| rest.eq_ignore_ascii_case(host))
    };
    if is_listed(list, origin) || host.is_some_and(own) {
        return Ok(());
    }
    Err(Problem::new(ProblemType::OriginNotAllowed))
}

/// An origin is one of the list, whole.
pub(super) fn is_listed(list: &[String], origin: &str) -> bool {
    list.iter().any(|one| one.eq_ignore_ascii_case(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "gateway.example:8080".parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        allowed(&["https://portal.example".to_owned()], &headers).is_ok()
    }

    #[test]
    fn only_our_own_pages_and_those_listed_may() {
        for good in [
            None,
            Some("http://gateway.example:8080"),
            Some("https://gateway.example:8080"),
            Some("https://portal.example"),
        ] {
            assert!(asked(good), "{good:?}");
        }
        for bad in [
            "https://evil.example",
            "null",
            "",
            "http://gateway.example",
            "https://portal.example.evil.example",
        ] {
            assert!(!asked(Some(bad)), "{bad}");
        }
    }
}
