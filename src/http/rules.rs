//! What each route is called in the audit trail, and which permission it needs.
//!
//! A test compares the table with the OpenAPI document: a route cannot be added without a line. One
//! that is missing all the same is recorded as `unlisted`, and nobody may use it.

use crate::limits::Class;
use axum::http::Method;
use kmrl_domain::authority::Permission::{
    self, Audit, Change, ManageKeys, Operate, Read, Upload, Watch,
};

/// What holds for a route that asks for a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    method: &'static str,
    route: &'static str,
    /// Its name in the audit trail; `None`: it shows nothing of documents, is asked for by machines, and
    /// is not recorded.
    pub(super) action: Option<&'static str>,
    /// What whoever asks must be allowed.
    pub(super) needs: Permission,
}

const fn rule(
    method: &'static str,
    route: &'static str,
    action: &'static str,
    needs: Permission,
) -> Rule {
    Rule {
        method,
        route,
        action: Some(action),
        needs,
    }
}

const fn unrecorded(route: &'static str, needs: Permission) -> Rule {
    Rule {
        method: "GET",
        route,
        action: None,
        needs,
    }
}

impl Rule {
    /// Which rate it is counted against.
    pub(super) fn class(&self) -> Class {
        match (self.needs, self.method) {
            (Upload, _) => Class::Uploads,
            (_, "GET") if self.action.is_none() => Class::Health,
            (_, "GET") | (Read, _) => Class::Queries,
            _ => Class::Commands,
        }
    }
}

/// Of everything that asks for a credential.
pub(super) const RULES: &[Rule] = &[
    rule("POST", "/api/v1/documents/upload", "upload", Upload),
    rule("GET", "/api/v1/documents/", "list", Read),
    rule("GET", "/api/v1/documents/statistics", "statistics", Read),
    rule(
        "GET",
        "/api/v1/documents/validation-errors",
        "validation_errors",
        Read,
    ),
    rule("GET", "/api/v1/documents/{id}", "view", Read),
    rule("GET", "/api/v1/documents/{id}/status", "status", Read),
    rule("GET", "/api/v1/documents/{id}/download", "download", Read),
    rule("GET", "/api/v1/documents/{id}/history", "history", Read),
    rule(
        "GET",
        "/api/v1/documents/{id}/audit",
        "document_audit",
        Audit,
    ),
    rule("GET", "/api/v1/documents/{id}/pages/{number}", "page", Read),
    rule("GET", "/api/v1/documents/{id}/evidence", "evidence", Audit),
    rule(
        "POST",
        "/api/v1/documents/{id}/reprocess",
        "reprocess",
        Change,
    ),
    rule("POST", "/api/v1/documents/{id}/review", "review", Change),
    rule("POST", "/api/v1/documents/{id}/correct", "correct", Change),
    rule(
        "POST",
        "/api/v1/documents/{id}/withdraw",
        "withdraw",
        Change,
    ),
    rule(
        "GET",
        "/api/v1/documents/{id}/legal-holds",
        "legal_holds",
        Read,
    ),
    rule(
        "POST",
        "/api/v1/documents/{id}/legal-holds",
        "place_legal_hold",
        Change,
    ),
    rule(
        "DELETE",
        "/api/v1/documents/{id}/legal-holds/{matter}",
        "release_legal_hold",
        Change,
    ),
    rule(
        "POST",
        "/api/v1/documents/{id}/erasure",
        "request_erasure",
        Change,
    ),
    rule(
        "POST",
        "/api/v1/documents/{id}/erasure/approve",
        "approve_erasure",
        Change,
    ),
    rule(
        "POST",
        "/api/v1/documents/{id}/erasure/reject",
        "reject_erasure",
        Change,
    ),
    rule("GET", "/api/v1/search", "search", Read),
    rule("GET", "/api/v1/erasures", "erasures", Read),
    rule(
        "POST",
        "/api/v1/documents/{id}/quarantine/release",
        "request_release",
        Change,
    ),
    rule(
        "POST",
        "/api/v1/documents/{id}/quarantine/release/approve",
        "approve_release",
        Change,
    ),
    rule(
        "POST",
        "/api/v1/documents/{id}/quarantine/release/reject",
        "reject_release",
        Change,
    ),
    rule(
        "POST",
        "/api/v1/documents/{id}/quarantine/destroy",
        "destroy_quarantined",
        Change,
    ),
    rule("POST", "/api/v1/commands", "commands", Change),
    rule("GET", "/api/v1/events", "events", Read),
    rule("GET", "/api/v1/audit", "audit", Audit),
    rule(
        "GET",
        "/api/v1/audit/{position}/{index}/shown",
        "audit_shown",
        Audit,
    ),
    rule("GET", "/api/v1/log/checkpoint", "log_proof", Read),
    rule("GET", "/api/v1/log/proof/inclusion", "log_proof", Read),
    rule("GET", "/api/v1/log/proof/consistency", "log_proof", Read),
    rule("GET", "/api/v1/log/entries", "log_entries", Audit),
    rule("GET", "/api/v1/dead-letters", "dead_letters", Watch),
    rule(
        "POST",
        "/api/v1/dead-letters/{id}/replay",
        "replay",
        Operate,
    ),
    rule("GET", "/api/v1/status", "system_status", Read),
    rule("GET", "/api/v1/websocket/info", "live_info", Read),
    rule("GET", "/api/v1/events/stream", "live", Read),
    rule("GET", "/ws", "live", Read),
    rule("GET", "/ws/{user_id}", "live", Read),
    rule("GET", "/ws/documents/{id}", "live", Read),
    rule("POST", "/api/v1/websocket/ticket", "live_ticket", Read),
    rule("GET", "/api/v1/keys", "keys", ManageKeys),
    rule("POST", "/api/v1/keys", "issue_key", ManageKeys),
    rule(
        "POST",
        "/api/v1/keys/{key_id}/rotate",
        "rotate_key",
        ManageKeys,
    ),
    rule(
        "POST",
        "/api/v1/keys/{key_id}/revoke",
        "revoke_key",
        ManageKeys,
    ),
    rule(
        "GET",
        "/api/v1/blocked-addresses",
        "blocked_addresses",
        Watch,
    ),
    rule(
        "DELETE",
        "/api/v1/blocked-addresses/{address}",
        "lift_block",
        Operate,
    ),
    unrecorded("/health/detailed", Watch),
    unrecorded("/metrics", Watch),
];

/// The rule of a route; `None`: there is none, and nobody may use it.
pub(super) fn of(method: &Method, route: &str) -> Option<&'static Rule> {
    // HEAD is GET without the body: it shows the headers.
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    RULES
        .iter()
        .find(|rule| rule.method == method && rule.route == route)
}

/// The action that a request is recorded as; `None` when it is not recorded.
pub(super) fn action(method: &Method, route: &str) -> Option<&'static str> {
    of(method, route).map_or(Some("unlisted"), |rule| rule.action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::router;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_behind_the_credential_has_a_rule_and_no_rule_is_without_one() {
        let document = serde_json::to_value(router::guarded_document()).unwrap();
        let mut routes = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in ["get", "post", "put", "patch", "delete"] {
                if item.get(method).is_none() {
                    continue;
                }
                let method = method.to_uppercase();
                let found = of(&method.parse().unwrap(), path);
                assert!(found.is_some(), "{method} {path} has no rule");
                routes.insert((method, path.clone()));
            }
        }
        for rule in RULES {
            assert!(
                routes.contains(&(rule.method.to_owned(), rule.route.to_owned())),
                "{} {} is in the table and not in the document",
                rule.method,
                rule.route
            );
            assert!(rule.action.is_none_or(kmrl_domain::access::is_action));
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_recorded_and_nobodys() {
        assert_eq!(action(&Method::GET, "/metrics"), None);
        assert_eq!(action(&Method::GET, "/health/detailed"), None);
        assert_eq!(
            action(&Method::HEAD, "/api/v1/documents/{id}"),
            Some("view")
        );
        assert_eq!(action(&Method::PUT, "/api/v1/new"), Some("unlisted"));
        assert_eq!(of(&Method::PUT, "/api/v1/new"), None);
    }
}
