//! Who may do what through the real program: every route as every role, and what departments hide.

use crate::harness::{Gateway, KEY, World, expect_problem};
use crate::support::eventually;
use futures::StreamExt;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ROLES: [&str; 5] = ["connector", "reader", "officer", "auditor", "administrator"];
const NOBODYS: &str = "00000000-0000-7000-8000-000000000000";

/// Every route, and who may use it: o(pen), c(onnector), r(eader), (o)f(ficer), a(uditor), A(dministrator).
/// Written by hand, so that the rules in the program are compared with something.
const TABLE: &[(&str, &str, &str)] = &[
    ("get", "/health", "o"),
    ("get", "/health/live", "o"),
    ("get", "/health/ready", "o"),
    ("get", "/openapi.json", "o"),
    ("get", "/asyncapi.json", "o"),
    ("get", "/.well-known/kmrl-log-key", "o"),
    ("get", "/health/detailed", "A"),
    ("get", "/metrics", "A"),
    ("get", "/api/v1/status", "crfaA"),
    ("post", "/api/v1/documents/upload", "cfA"),
    ("get", "/api/v1/documents/", "crfaA"),
    ("get", "/api/v1/documents/statistics", "crfaA"),
    ("get", "/api/v1/documents/validation-errors", "crfaA"),
    ("get", "/api/v1/documents/{id}", "crfaA"),
    ("get", "/api/v1/documents/{id}/status", "crfaA"),
    ("get", "/api/v1/documents/{id}/download", "crfaA"),
    ("get", "/api/v1/documents/{id}/history", "crfaA"),
    ("get", "/api/v1/documents/{id}/pages/{number}", "crfaA"),
    ("get", "/api/v1/documents/{id}/audit", "aA"),
    ("get", "/api/v1/documents/{id}/evidence", "aA"),
    ("post", "/api/v1/documents/{id}/reprocess", "fA"),
    ("post", "/api/v1/documents/{id}/review", "fA"),
    ("post", "/api/v1/documents/{id}/correct", "fA"),
    ("post", "/api/v1/documents/{id}/withdraw", "fA"),
    ("get", "/api/v1/documents/{id}/legal-holds", "crfaA"),
    ("post", "/api/v1/documents/{id}/legal-holds", "fA"),
    (
        "delete",
        "/api/v1/documents/{id}/legal-holds/{matter}",
        "fA",
    ),
    ("post", "/api/v1/documents/{id}/erasure", "fA"),
    ("post", "/api/v1/documents/{id}/erasure/approve", "fA"),
    ("post", "/api/v1/documents/{id}/erasure/reject", "fA"),
    ("post", "/api/v1/documents/{id}/quarantine/release", "fA"),
    (
        "post",
        "/api/v1/documents/{id}/quarantine/release/approve",
        "fA",
    ),
    (
        "post",
        "/api/v1/documents/{id}/quarantine/release/reject",
        "fA",
    ),
    ("post", "/api/v1/documents/{id}/quarantine/destroy", "fA"),
    ("get", "/api/v1/search", "crfaA"),
    ("get", "/api/v1/erasures", "crfaA"),
    ("post", "/api/v1/commands", "fA"),
    ("get", "/api/v1/events", "crfaA"),
    ("get", "/api/v1/events/stream", "crfaA"),
    ("get", "/api/v1/audit", "aA"),
    ("get", "/api/v1/audit/{position}/{index}/shown", "aA"),
    ("get", "/api/v1/log/checkpoint", "crfaA"),
    ("get", "/api/v1/log/proof/inclusion", "crfaA"),
    ("get", "/api/v1/log/proof/consistency", "crfaA"),
    ("get", "/api/v1/log/entries", "aA"),
    ("get", "/api/v1/dead-letters", "A"),
    ("post", "/api/v1/dead-letters/{id}/replay", "A"),
    ("get", "/api/v1/blocked-addresses", "A"),
    ("delete", "/api/v1/blocked-addresses/{address}", "A"),
    ("get", "/api/v1/keys", "A"),
    ("post", "/api/v1/keys", "A"),
    ("post", "/api/v1/keys/{key_id}/rotate", "A"),
    ("post", "/api/v1/keys/{key_id}/revoke", "A"),
    ("get", "/api/v1/websocket/info", "crfaA"),
    ("post", "/api/v1/websocket/ticket", "crfaA"),
    ("get", "/ws", "crfaA"),
    ("get", "/ws/{user_id}", "crfaA"),
    ("get", "/ws/documents/{id}", "crfaA"),
];

/// A key with these values, issued by the administrator.
pub async fn key(gateway: &Gateway, terms: Value) -> String {
    let answer = gateway
        .post("/api/v1/keys")
        .json(&terms)
        .send()
        .await
        .unwrap();
    let status = answer.status();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(status, StatusCode::CREATED, "{body}");
    body["key"].as_str().unwrap().to_owned()
}

/// A request with another credential than the administrator's.
pub fn as_holder(gateway: &Gateway, method: Method, path: &str, key: &str) -> RequestBuilder {
    let url = format!("{}{path}", gateway.base);
    gateway.client.request(method, url).header("x-api-key", key)
}

async fn key_of_role(gateway: &Gateway, role: &str) -> String {
    let terms = json!({
        "name": role, "owner": "tests", "roles": [role],
        "sources": if role == "connector" { json!(["manual"]) } else { Value::Null },
    });
    key(gateway, terms).await
}

fn concrete(template: &str) -> String {
    template
        .replace("{id}", NOBODYS)
        .replace("{key_id}", NOBODYS)
        .replace("{user_id}", "somebody-else")
        .replace("{matter}", "case-1")
        .replace("{position}", "1")
        .replace("{index}", "0")
        .replace("{number}", "1")
}

/// Status and stable word of the problem of an empty request.
async fn answer(gateway: &Gateway, method: &str, path: &str, key: Option<&str>) -> (u16, String) {
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
    let url = format!("{}{path}", gateway.base);
    let request = reqwest::Client::new().request(method, url);
    let request = match key {
        Some(key) => request.bearer_auth(key),
        None => request,
    };
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    if status == 200 {
        // Some of them have no end.
        return (status, String::new());
    }
    let body: Value = answer.json().await.unwrap_or_default();
    (status, body["type"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_as_every_role() {
    let world = World::new().await;
    let gateway = world.start();
    let document = gateway.json("/openapi.json").await;
    let mut routes = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "patch", "delete"] {
            if item.get(method).is_some() {
                routes.insert((method, path.as_str()));
            }
        }
    }
    let listed: BTreeSet<_> = TABLE
        .iter()
        .map(|(method, path, _)| (*method, *path))
        .collect();
    assert_eq!(
        routes, listed,
        "a route has no line in the table, or a line has no route"
    );
    let mut keys = Vec::new();
    for (role, letter) in ROLES.into_iter().zip("crfaA".chars()) {
        keys.push((role, letter, key_of_role(&gateway, role).await));
    }
    for (method, template, who) in TABLE {
        let path = concrete(template);
        let (status, slug) = answer(&gateway, method, &path, None).await;
        if *who == "o" {
            assert!(
                status < 500 && status != 401,
                "{method} {template}: {status}"
            );
            continue;
        }
        assert_eq!(
            (status, slug.as_str()),
            (401, "/problems/unauthorized"),
            "{method} {template}"
        );
        for (role, letter, key) in &keys {
            let (status, slug) = answer(&gateway, method, &path, Some(key)).await;
            let forbidden = status == 403 && slug == "/problems/forbidden";
            assert_eq!(
                forbidden,
                !who.contains(*letter),
                "{method} {template} as {role}: {status} {slug}"
            );
            assert_ne!(status, 401, "{method} {template} as {role}");
        }
    }
    // Whatever was tried is in the trail, with who tried it.
    let denied = eventually("the trail to have it", async || {
        let page = gateway
            .json("/api/v1/audit?actor=key:reader&outcome=denied&limit=100")
            .await;
        let entries = page["entries"].as_array()?.clone();
        (entries.len() >= 20).then_some(entries)
    })
    .await;
    assert!(denied.iter().all(|entry| entry["status"] == 403));
}

/// Two departments, a document of each, and one that belongs to none yet.
struct Departments {
    finance: String,
    legal: String,
    /// Uploaded by the connector.
    own: String,
}

async fn upload(gateway: &Gateway, key: &str, name: &str, text: &str) -> String {
    let part = Part::bytes(text.as_bytes().to_vec()).file_name(name.to_owned());
    let form = Form::new().text("source", "manual").part("file", part);
    let request = as_holder(gateway, Method::POST, "/api/v1/documents/upload", key);
    let answer: Value = request
        .multipart(form)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    answer["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
        .to_owned()
}

async fn departments(gateway: &Gateway, connector: &str) -> Departments {
    let mut ids = Vec::new();
    for (department, key) in [("finance", KEY), ("legal", KEY), ("legal", connector)] {
        let n = ids.len();
        let text = format!("common words, and the number {n} of them");
        let id = upload(gateway, key, &format!("{department}-{n}.txt"), &text).await;
        gateway.finished(&id).await;
        let correct = gateway.post(&format!("/api/v1/documents/{id}/correct"));
        let body = json!({ "department": department });
        let answer = correct
            .header("if-match", "*")
            .json(&body)
            .send()
            .await
            .unwrap();
        let position = answer.json::<Value>().await.unwrap()["position"]
            .as_i64()
            .unwrap();
        let seen = format!("/api/v1/documents/{id}?min_position={position}");
        assert_eq!(gateway.json(&seen).await["department"], department);
        ids.push(id);
    }
    let [finance, legal, own] = ids.try_into().unwrap();
    Departments {
        finance,
        legal,
        own,
    }
}

async fn json_as(gateway: &Gateway, key: &str, path: &str) -> Value {
    let answer = as_holder(gateway, Method::GET, path, key)
        .send()
        .await
        .unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

fn ids(page: &Value, of: &str) -> BTreeSet<String> {
    let items = page[of].as_array().unwrap_or_else(|| panic!("{page}"));
    let id = |item: &Value| {
        let document = item.get("document").unwrap_or(item);
        document["id"].as_str().unwrap().to_owned()
    };
    items.iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_department_limits_every_path() {
    let world = World::new().await;
    let gateway = world.start();
    let connector = key_of_role(&gateway, "connector").await;
    let of = departments(&gateway, &connector).await;
    let terms = json!({
        "name": "finance-desk", "owner": "tests", "roles": ["officer", "auditor"],
        "departments": ["finance"],
    });
    let finance = key(&gateway, terms).await;
    for (who, sees, hidden) in [
        (&finance, &of.finance, [&of.legal, &of.own]),
        (&connector, &of.own, [&of.legal, &of.finance]),
    ] {
        let only = BTreeSet::from([sees.clone()]);
        let page = json_as(&gateway, who, "/api/v1/documents/").await;
        assert_eq!(
            (ids(&page, "documents"), &page["total"]),
            (only.clone(), &json!(1))
        );
        let found = json_as(&gateway, who, "/api/v1/search?q=common").await;
        assert_eq!((ids(&found, "hits"), &found["total"]), (only, &json!(1)));
        let statistics = json_as(&gateway, who, "/api/v1/documents/statistics").await;
        assert_eq!(
            (&statistics["total"], &statistics["by_source"]["manual"]),
            (&json!(1), &json!(1))
        );
        let events = json_as(&gateway, who, "/api/v1/events?limit=1000").await;
        let events = events["events"].as_array().unwrap().clone();
        let documents = events.iter().filter(|e| e["aggregate_type"] == "document");
        let told: BTreeSet<_> = documents
            .map(|e| e["aggregate_id"].as_str().unwrap())
            .collect();
        assert_eq!(told, BTreeSet::from([sees.as_str()]));
        for path in [
            "",
            "/status",
            "/download",
            "/history",
            "/legal-holds",
            "/pages/1",
        ] {
            let seen = format!("/api/v1/documents/{sees}{path}");
            let answer = as_holder(&gateway, Method::GET, &seen, who)
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{seen}");
            for id in hidden {
                let path = format!("/api/v1/documents/{id}{path}");
                let answer = as_holder(&gateway, Method::GET, &path, who)
                    .send()
                    .await
                    .unwrap();
                expect_problem(answer, 404, "document-not-found").await;
            }
        }
        for id in hidden {
            let path = format!("/ws/documents/{id}");
            let answer = as_holder(&gateway, Method::GET, &path, who)
                .send()
                .await
                .unwrap();
            expect_problem(answer, 404, "document-not-found").await;
        }
    }
    commands_and_evidence(&gateway, &finance, &of).await;
    // Whoever looked for what is not theirs is in the trail.
    let denied = eventually("the trail to have it", async || {
        let page = gateway
            .json("/api/v1/audit?actor=key:finance-desk&outcome=denied")
            .await;
        page["entries"].as_array()?.first().cloned()
    })
    .await;
    assert_eq!(denied["problem"], "document-not-found");
}

async fn commands_and_evidence(gateway: &Gateway, finance: &str, of: &Departments) {
    let withdraw = format!("/api/v1/documents/{}/withdraw", of.legal);
    let request = as_holder(gateway, Method::POST, &withdraw, finance).header("if-match", "*");
    let answer = request
        .json(&json!({"reason": "not mine"}))
        .send()
        .await
        .unwrap();
    expect_problem(answer, 404, "document-not-found").await;
    let command = |id: &String| json!({"type": "reprocess", "document_id": id});
    let batch = json!({"commands": [command(&of.legal), command(&of.finance)]});
    let request = as_holder(gateway, Method::POST, "/api/v1/commands", finance).json(&batch);
    let results: Value = request.send().await.unwrap().json().await.unwrap();
    let results = &results["results"];
    assert_eq!(
        results[0]["problem"]["type"], "/problems/document-not-found",
        "{results}"
    );
    assert_eq!(results[1]["document_id"], *of.finance, "{results}");
    // What another was shown is no way around it.
    gateway
        .json(&format!("/api/v1/documents/{}", of.legal))
        .await;
    let shown = eventually("the view to be in the trail", async || {
        let path = format!(
            "/api/v1/audit?action=view&actor=key:admin&document_id={}",
            of.legal
        );
        gateway.json(&path).await["entries"]
            .as_array()?
            .first()
            .cloned()
    })
    .await;
    let path = format!(
        "/api/v1/audit/{}/{}/shown",
        shown["position"], shown["index"]
    );
    assert_eq!(gateway.json(&path).await["document"]["id"], *of.legal);
    let answer = as_holder(gateway, Method::GET, &path, finance)
        .send()
        .await
        .unwrap();
    expect_problem(answer, 404, "document-not-found").await;
    for path in ["evidence", "audit"] {
        let path = format!("/api/v1/documents/{}/{path}", of.legal);
        let answer = as_holder(gateway, Method::GET, &path, finance)
            .send()
            .await
            .unwrap();
        expect_problem(answer, 404, "document-not-found").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_updates_tell_of_what_is_seen_alone() {
    let world = World::new().await;
    let gateway = world.start();
    let connector = key_of_role(&gateway, "connector").await;
    let of = departments(&gateway, &connector).await;
    let terms = json!({
        "name": "finance-desk", "owner": "tests", "roles": ["reader"], "departments": ["finance"],
    });
    let finance = key(&gateway, terms).await;
    let ticket = as_holder(&gateway, Method::POST, "/api/v1/websocket/ticket", &finance);
    let ticket: Value = ticket.send().await.unwrap().json().await.unwrap();
    let ticket = ticket["ticket"].as_str().unwrap();
    let mut socket = gateway
        .socket_with(&format!("/ws?after=0&ticket={ticket}"), &[])
        .await
        .unwrap();
    // The last event of the finance document is told, and nothing of the others before it.
    let messages = socket.until(|m| m["change"] == "corrected").await;
    let updates = messages.iter().filter(|m| m["type"] == "document_update");
    let told: BTreeSet<_> = updates
        .map(|m| m["document_id"].as_str().unwrap())
        .collect();
    assert_eq!(told, BTreeSet::from([of.finance.as_str()]));
    socket.send(json!({"type": "get_stats"})).await;
    let stats = socket.find(|m| m["type"] == "processing_stats").await;
    assert_eq!(stats["statistics"]["total"], 1);
    // A ticket is good once.
    let again = gateway
        .socket_with(&format!("/ws?ticket={ticket}"), &[])
        .await;
    assert_eq!(again.err(), Some(401));
    let path = "/api/v1/events/stream?after=0";
    let stream = as_holder(&gateway, Method::GET, path, &finance)
        .send()
        .await
        .unwrap();
    let mut stream = stream.bytes_stream();
    let mut text = String::new();
    eventually("the stream to tell of the document", async || {
        text.push_str(&String::from_utf8_lossy(&stream.next().await?.ok()?));
        text.contains("Corrected").then_some(())
    })
    .await;
    assert!(text.contains(&of.finance) && !text.contains(&of.legal) && !text.contains(&of.own));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_writes_its_sources_and_a_name_is_ones_own() {
    let world = World::with(&[("KMRL_HTTP_ALLOWED_ORIGINS", "https://portal.example")]).await;
    let gateway = world.start();
    let connector = key_of_role(&gateway, "connector").await;
    let part = Part::bytes(b"x".to_vec()).file_name("a.txt");
    let form = Form::new().text("source", "gmail").part("file", part);
    let request = as_holder(
        &gateway,
        Method::POST,
        "/api/v1/documents/upload",
        &connector,
    );
    let answer = request.multipart(form).send().await.unwrap();
    expect_problem(answer, 403, "source-not-allowed").await;
    let errors = eventually("the refusal to be seen by its sender", async || {
        let page = json_as(&gateway, &connector, "/api/v1/documents/validation-errors").await;
        page["errors"].as_array()?.first().cloned()
    })
    .await;
    assert_eq!(errors["problem"], "source-not-allowed");
    for (path, status) in [
        ("/ws/connector", 426),
        ("/ws/key:connector", 426),
        ("/ws/reader", 403),
    ] {
        let answer = as_holder(&gateway, Method::GET, path, &connector)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}");
    }
    for (origin, allowed) in [
        ("https://portal.example", true),
        (gateway.base.as_str(), true),
        ("https://evil.example", false),
        ("null", false),
    ] {
        let opened = gateway
            .socket_with("/ws", &[("x-api-key", KEY), ("origin", origin)])
            .await;
        assert_eq!(opened.is_ok(), allowed, "{origin}");
        assert!(allowed || opened.err() == Some(403));
    }
}
