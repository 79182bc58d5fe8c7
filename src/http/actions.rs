//! What each route is called in the audit trail.
//!
//! A test compares the table with the OpenAPI document: a route cannot be added without a name.
//! One that is missing all the same is recorded as `unlisted`, never left out.

use axum::http::Method;

/// Method, route and action of everything that is recorded.
pub(super) const ROUTES: &[(&str, &str, &str)] = &[
    ("POST", "/api/v1/documents/upload", "upload"),
    ("GET", "/api/v1/documents/", "list"),
    ("GET", "/api/v1/documents/statistics", "statistics"),
    (
        "GET",
        "/api/v1/documents/validation-errors",
        "validation_errors",
    ),
    ("GET", "/api/v1/documents/{id}", "view"),
    ("GET", "/api/v1/documents/{id}/status", "status"),
    ("GET", "/api/v1/documents/{id}/download", "download"),
    ("GET", "/api/v1/documents/{id}/pages/{number}", "page"),
    ("GET", "/api/v1/documents/{id}/history", "history"),
    ("GET", "/api/v1/documents/{id}/audit", "document_audit"),
    ("GET", "/api/v1/documents/{id}/evidence", "evidence"),
    ("POST", "/api/v1/documents/{id}/reprocess", "reprocess"),
    ("POST", "/api/v1/documents/{id}/review", "review"),
    ("POST", "/api/v1/documents/{id}/correct", "correct"),
    ("POST", "/api/v1/documents/{id}/withdraw", "withdraw"),
    ("GET", "/api/v1/documents/{id}/legal-holds", "legal_holds"),
    (
        "POST",
        "/api/v1/documents/{id}/legal-holds",
        "place_legal_hold",
    ),
    (
        "DELETE",
        "/api/v1/documents/{id}/legal-holds/{matter}",
        "release_legal_hold",
    ),
    ("POST", "/api/v1/documents/{id}/erasure", "request_erasure"),
    (
        "POST",
        "/api/v1/documents/{id}/erasure/approve",
        "approve_erasure",
    ),
    (
        "POST",
        "/api/v1/documents/{id}/erasure/reject",
        "reject_erasure",
    ),
    ("GET", "/api/v1/search", "search"),
    ("GET", "/api/v1/erasures", "erasures"),
    (
        "POST",
        "/api/v1/documents/{id}/quarantine/release",
        "request_release",
    ),
    (
        "POST",
        "/api/v1/documents/{id}/quarantine/release/approve",
        "approve_release",
    ),
    (
        "POST",
        "/api/v1/documents/{id}/quarantine/release/reject",
        "reject_release",
    ),
    (
        "POST",
        "/api/v1/documents/{id}/quarantine/destroy",
        "destroy_quarantined",
    ),
    ("POST", "/api/v1/commands", "commands"),
    ("GET", "/api/v1/events", "events"),
    ("GET", "/api/v1/audit", "audit"),
    (
        "GET",
        "/api/v1/audit/{position}/{index}/shown",
        "audit_shown",
    ),
    ("GET", "/api/v1/log/checkpoint", "log_proof"),
    ("GET", "/api/v1/log/proof/inclusion", "log_proof"),
    ("GET", "/api/v1/log/proof/consistency", "log_proof"),
    ("GET", "/api/v1/log/entries", "log_entries"),
    ("GET", "/api/v1/dead-letters", "dead_letters"),
    ("POST", "/api/v1/dead-letters/{id}/replay", "replay"),
    ("GET", "/api/v1/status", "system_status"),
    ("GET", "/api/v1/websocket/info", "live_info"),
    ("GET", "/api/v1/events/stream", "live"),
    ("GET", "/ws", "live"),
    ("GET", "/ws/{user_id}", "live"),
    ("GET", "/ws/documents/{id}", "live"),
];

/// Paths that show nothing of documents and are asked for by machines: not recorded.
const NOT_RECORDED: &[&str] = &[
    "/health",
    "/metrics",
    "/docs",
    "/openapi.json",
    "/asyncapi.json",
    "/.well-known/",
];

/// The action of a route; `None` when it is not recorded.
pub(super) fn action(method: &Method, route: &str) -> Option<&'static str> {
    if NOT_RECORDED.iter().any(|prefix| route.starts_with(prefix)) {
        return None;
    }
    // HEAD is GET without the body: it shows the headers.
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    let found = ROUTES.iter().find(|(m, r, _)| *m == method && *r == route);
    Some(found.map_or("unlisted", |(_, _, action)| action))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::openapi;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_of_the_document_has_an_action_that_can_be_asked_for() {
        let document = serde_json::to_value(openapi::document()).unwrap();
        let mut routes = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in ["get", "post", "put", "patch", "delete"] {
                if item.get(method).is_none() {
                    continue;
                }
                let method = method.to_uppercase();
                let named = action(&method.parse().unwrap(), path);
                assert_ne!(named, Some("unlisted"), "{method} {path} has no action");
                routes.extend(named.map(|_| (method, path.clone())));
            }
        }
        for (method, path, action) in ROUTES {
            assert!(
                routes.contains(&((*method).to_owned(), (*path).to_owned())),
                "{method} {path} is in the table and not in the document"
            );
            assert!(kmrl_domain::access::is_action(action), "{action}");
        }
    }

    #[test]
    fn only_machines_paths_are_left_out() {
        assert_eq!(action(&Method::GET, "/metrics"), None);
        assert_eq!(action(&Method::GET, "/health/detailed"), None);
        assert_eq!(
            action(&Method::HEAD, "/api/v1/documents/{id}"),
            Some("view")
        );
        assert_eq!(action(&Method::PUT, "/api/v1/new"), Some("unlisted"));
    }
}
