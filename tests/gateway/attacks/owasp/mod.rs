//! The OWASP API Security Top 10 of 2023, one risk after the other: what no other test tries.
//!
//! API4 is in `oversized` and `never_reads`, API7 and API10 in `upstream`. Roles on every route (API5), departments
//! (API1), forged tokens and revoked keys (API2), and second persons (API6) have more tests in `authority`, `tokens`,
//! `keys`, `erasure` and `door`.

mod access;
mod credentials;
mod inside;
mod properties;

use crate::harness::Gateway;
use reqwest::{Method, Response};
use serde_json::Value;

const NOBODYS: &str = "00000000-0000-7000-8000-000000000000";

/// Each operation of the OpenAPI document.
async fn operations(gateway: &Gateway) -> Vec<(Method, String, Value)> {
    let document = gateway.json("/openapi.json").await;
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            found.push((method, path.clone(), operation.clone()));
        }
    }
    assert!(found.len() > 40, "{}", found.len());
    found
}

/// Status and stable word of the problem.
async fn told(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap_or_default();
    (status, body["type"].as_str().unwrap_or_default().to_owned())
}
