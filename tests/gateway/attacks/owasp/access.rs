//! API1, API5 and API6: objects, functions and flows that are not one's own.

use super::{NOBODYS, operations, told};
use crate::authority::{as_holder, key};
use crate::harness::{KEY, World, expect_problem};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const APPROVER: &str = "approver-key-0123456789abcdef";

/// API1, broken object level authorization: a document of another department is answered on every path, with every
/// method, as one that is not there.
#[tokio::test(flavor = "multi_thread")]
async fn api1_a_foreign_document_is_as_one_that_is_not_there_on_every_path() {
    let world = World::new().await;
    let gateway = world.start();
    let id = gateway.upload("secret.txt", "theirs alone").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    gateway.finished(&id).await;
    let terms = json!({
        "name": "finance-desk", "owner": "tests", "roles": ["officer", "auditor"], "departments": ["finance"],
    });
    let finance = key(&gateway, terms).await;
    let mut tried = BTreeSet::new();
    for (method, path, _) in operations(&gateway).await {
        if !path.contains("{id}") || path.contains("dead-letters") {
            continue;
        }
        let path = path.replace("{matter}", "case-1").replace("{number}", "1");
        let ask = async |id: &str| {
            let request = as_holder(
                &gateway,
                method.clone(),
                &path.replace("{id}", id),
                &finance,
            );
            let request = request
                .header("if-match", "*")
                .json(&json!({"reason": "curious", "matter": "case-1"}));
            told(request.send().await.unwrap()).await
        };
        let theirs = ask(&id).await;
        assert_eq!(
            theirs,
            (404, "/problems/document-not-found".into()),
            "{method} {path}"
        );
        assert_eq!(theirs, ask(NOBODYS).await, "{method} {path}");
        tried.insert(path);
    }
    assert!(tried.len() >= 20, "{tried:?}");
    // Nor by naming it in a query or a batch.
    for path in [
        "/api/v1/events?",
        "/api/v1/audit?",
        "/api/v1/documents/?parent=",
        "/api/v1/search?q=theirs&x=",
    ] {
        let query = match path {
            "/api/v1/events?" | "/api/v1/audit?" => format!("{path}document_id={id}"),
            "/api/v1/search?q=theirs&x=" => "/api/v1/search?q=theirs".to_owned(),
            path => format!("{path}{id}"),
        };
        let answer = as_holder(&gateway, Method::GET, &query, &finance)
            .send()
            .await
            .unwrap();
        let text = answer.text().await.unwrap();
        assert!(
            !text.contains("secret.txt") && !text.contains("Uploaded"),
            "{query}: {text}"
        );
    }
    let statistics = as_holder(
        &gateway,
        Method::GET,
        "/api/v1/documents/statistics",
        &finance,
    );
    let statistics: Value = statistics.send().await.unwrap().json().await.unwrap();
    assert_eq!(statistics["total"], 0, "{statistics}");
    let commands = ["reprocess", "withdraw", "correct", "review"].map(|kind| {
        json!({"type": kind, "document_id": id, "reason": "x", "department": "finance", "verdict": "accept"})
    });
    let batch = as_holder(&gateway, Method::POST, "/api/v1/commands", &finance);
    let results: Value = batch
        .json(&json!({"commands": commands}))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    for result in results["results"].as_array().unwrap() {
        assert_eq!(
            result["problem"]["type"], "/problems/document-not-found",
            "{results}"
        );
    }
    // Nothing of it came about.
    assert_eq!(
        gateway.json(&format!("/api/v1/documents/{id}")).await["status"],
        "processed"
    );
}

/// API5, broken function level authorization: who may not issue keys does not get one by another way.
#[tokio::test(flavor = "multi_thread")]
async fn api5_no_role_gives_itself_more() {
    let world = World::new().await;
    let gateway = world.start();
    for role in ["reader", "officer", "auditor"] {
        let holder = key(
            &gateway,
            json!({"name": role, "owner": "tests", "roles": [role]}),
        )
        .await;
        let own = json!({"name": "mine", "owner": "me", "roles": ["administrator"]});
        for path in [
            "/api/v1/keys",
            "/api/v1/keys?access=true",
            "/api/v1/keys?role=administrator",
        ] {
            let request = as_holder(&gateway, Method::POST, path, &holder).json(&own);
            expect_problem(request.send().await.unwrap(), 403, "forbidden").await;
        }
        for path in [
            "/metrics",
            "/health/detailed",
            "/api/v1/dead-letters",
            "/api/v1/keys",
        ] {
            let answer = as_holder(&gateway, Method::GET, path, &holder)
                .send()
                .await
                .unwrap();
            expect_problem(answer, 403, "forbidden").await;
        }
    }
    // Who may manage keys gives no more than they have.
    let terms = json!({"name": "desk", "owner": "tests", "roles": ["administrator"], "departments": ["finance"]});
    let desk = key(&gateway, terms).await;
    for more in [
        json!({"name": "all", "owner": "me", "roles": ["officer"]}),
        json!({"name": "other", "owner": "me", "roles": ["officer"], "departments": ["finance", "legal"]}),
    ] {
        let request = as_holder(&gateway, Method::POST, "/api/v1/keys", &desk).json(&more);
        expect_problem(request.send().await.unwrap(), 403, "forbidden").await;
    }
}

/// API6, unrestricted access to sensitive business flows: what needs two persons takes two, once, also at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn api6_two_persons_are_two_and_each_step_is_done_once() {
    let world = World::with(&[("KMRL_APPROVER_KEY", APPROVER)]).await;
    let gateway = world.start_roles("api,relay,projector");
    let id = gateway.upload("a.txt", "x").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let step = async |key: &str, step: &str, idempotency: &str, reason: &str| {
        let path = format!("/api/v1/documents/{id}/{step}");
        let request = as_holder(&gateway, Method::POST, &path, key).header("if-match", "*");
        let request = request.header("idempotency-key", idempotency);
        request
            .json(&json!({ "reason": reason }))
            .send()
            .await
            .unwrap()
    };
    assert_eq!(step(KEY, "erasure", "one", "asked for").await.status(), 202);
    // Once more is the same; with another body it is another.
    let again = step(KEY, "erasure", "one", "asked for").await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    expect_problem(
        step(KEY, "erasure", "one", "another").await,
        422,
        "idempotency-key-reused",
    )
    .await;
    // One's own key with another idempotency key, or by another header, is the same person.
    for n in 0..3 {
        let answer = step(KEY, "erasure/approve", &format!("own-{n}"), "").await;
        expect_problem(answer, 403, "second-person-required").await;
    }
    let url = format!("{}/api/v1/documents/{id}/erasure/approve", gateway.base);
    let bearer = Client::new()
        .post(url)
        .bearer_auth(KEY)
        .header("if-match", "*");
    expect_problem(bearer.send().await.unwrap(), 403, "second-person-required").await;
    // Ten approvals at once are one.
    let names: Vec<String> = (0..10).map(|n| format!("approval-{n}")).collect();
    let all = names
        .iter()
        .map(|name| step(APPROVER, "erasure/approve", name, ""));
    let answers = futures::future::join_all(all).await;
    let done = answers
        .iter()
        .filter(|answer| answer.status() == StatusCode::ACCEPTED);
    let done = done.count();
    let events = gateway
        .json(&format!("/api/v1/events?document_id={id}&type=Erased"))
        .await;
    assert_eq!(events["events"].as_array().unwrap().len(), 1, "{events}");
    assert!(done >= 1, "{answers:?}");
}
