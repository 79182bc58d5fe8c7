//! The OpenAPI document and the router name the same routes, and its paths answer.

use crate::harness::{Gateway, World};
use crate::support::messages;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const METHODS: [&str; 5] = ["get", "post", "put", "delete", "patch"];

/// A path with something in the place of its parameters.
fn concrete(template: &str, id: &str) -> String {
    template
        .replace("{id}", id)
        .replace("{user_id}", "someone")
        .replace("{matter}", "case-1")
        .replace("{position}", "1")
        .replace("{index}", "0")
}

async fn slug(gateway: &Gateway, method: &str, path: &str) -> (u16, String) {
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
    let url = format!("{}{path}", gateway.base);
    let answer = gateway.client.request(method, url).send().await.unwrap();
    let status = answer.status().as_u16();
    let kind = answer.headers().get("content-type").cloned();
    if kind.is_some_and(|kind| kind == "text/event-stream") {
        // It has no end.
        return (status, String::new());
    }
    let body: Value = answer.json().await.unwrap_or_default();
    let slug = body["type"].as_str().unwrap_or_default().to_owned();
    (status, slug)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_and_the_router_name_the_same_routes() {
    let world = World::new().await;
    let gateway = world.start();
    let id = gateway.upload("a.txt", "x").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    gateway.finished(&id).await;
    let document = gateway.json("/openapi.json").await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut names = BTreeSet::new();
    let items = document["paths"].as_object().unwrap().values();
    for operation in items.flat_map(|item| item.as_object().unwrap().values()) {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name), "two operations are called {name}");
    }
    for (template, item) in document["paths"].as_object().unwrap() {
        let path = concrete(template, &id);
        for method in METHODS {
            let (status, slug) = slug(&gateway, method, &path).await;
            if item.get(method).is_some() {
                // It is there: whatever it answers to an empty request, it is not «no such route».
                assert_ne!(slug, "/problems/not-found", "{method} {template}");
                assert_ne!(status, 405, "{method} {template}");
            } else {
                assert_eq!(status, 405, "{method} {template} is not in the document");
                assert_eq!(slug, "/problems/method-not-allowed", "{method} {template}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_in_the_document_work() {
    let world = World::new().await;
    let gateway = world.start();
    let document = gateway.json("/openapi.json").await;
    let id = upload_by_example(&gateway, &document).await;
    gateway.finished(&id).await;
    for (command, schema) in [
        ("correct", "CorrectRequest"),
        ("reprocess", "ReprocessRequest"),
        ("withdraw", "WithdrawRequest"),
    ] {
        let answer = gateway
            .post(&format!("/api/v1/documents/{id}/{command}"))
            .header("if-match", "*")
            .json(&examples(&document, schema))
            .send()
            .await
            .unwrap();
        assert_eq!(
            answer.status(),
            200,
            "{command}: {}",
            answer.text().await.unwrap()
        );
    }
}

/// The examples of a schema's properties, as one object.
fn examples(document: &Value, schema: &str) -> serde_json::Map<String, Value> {
    let properties = &document["components"]["schemas"][schema]["properties"];
    let examples: serde_json::Map<_, _> = properties
        .as_object()
        .unwrap()
        .iter()
        .filter_map(|(name, p)| Some((name.clone(), p.get("example")?.clone())))
        .collect();
    assert!(!examples.is_empty(), "{schema} has no examples");
    examples
}

async fn upload_by_example(gateway: &Gateway, document: &Value) -> String {
    let part = reqwest::multipart::Part::bytes(b"by example".to_vec()).file_name("a.txt");
    let mut form = reqwest::multipart::Form::new().part("file", part);
    for (name, value) in examples(document, "UploadForm") {
        form = form.text(name, value.as_str().unwrap().to_owned());
    }
    let request = gateway.post("/api/v1/documents/upload").multipart(form);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let accepted: Value = answer.json().await.unwrap();
    accepted["id"].as_str().unwrap().to_owned()
}

/// Routes can only come in through `routes!`, which writes them into the document.
#[test]
fn no_route_is_added_beside_the_document() {
    fn check(dir: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                check(&path, found);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                for bypass in [".route(", ".route_service(", ".nest(", ".nest_service("] {
                    if text.contains(bypass) {
                        found.insert(format!("{}: {bypass}", path.display()));
                    }
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    check(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"),
        &mut found,
    );
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_page_is_served() {
    let world = World::new().await;
    let gateway = world.start();
    let page = gateway.get("/docs/").send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("swagger-ui"));
}

#[test]
fn a_message_of_another_form_is_found() {
    let good = json!({"type": "checkpoint", "position": 3, "timestamp": "2026-03-01T10:00:00Z"});
    assert_eq!(messages::check(&good), "checkpoint");
    for (field, wrong) in [
        ("position", json!("3")),
        ("timestamp", json!("yesterday")),
        ("type", json!("news")),
        ("position", Value::Null),
    ] {
        let mut bad = good.clone();
        bad[field] = wrong;
        let found = std::panic::catch_unwind(|| messages::check(&bad));
        assert!(found.is_err(), "{bad}");
    }
}
