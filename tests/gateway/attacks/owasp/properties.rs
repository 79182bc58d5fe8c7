//! API3: broken object property level authorization.

use super::{NOBODYS, operations};
use crate::authority::key;
use crate::harness::{World, expect_problem};
use crate::support::eventually;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Names of the properties of a schema, also of those that it is made of.
fn properties(document: &Value, schema: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Some(of) = schema["$ref"].as_str() {
        let name = of.rsplit('/').next().unwrap();
        names.extend(properties(
            document,
            &document["components"]["schemas"][name],
        ));
    }
    names.extend(
        schema["properties"]
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys().cloned()),
    );
    for part in schema["allOf"].as_array().into_iter().flatten() {
        names.extend(properties(document, part));
    }
    names
}

/// API3, broken object property level authorization: what is not asked for in the documentation is refused.
#[tokio::test(flavor = "multi_thread")]
async fn api3_no_property_is_set_that_is_not_documented() {
    let world = World::new().await;
    let gateway = world.start();
    let id = gateway.upload("a.txt", "x").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    gateway.finished(&id).await;
    let document = gateway.json("/openapi.json").await;
    let mut tried = 0;
    for (method, path, operation) in operations(&gateway).await {
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        if body.is_null() || path == "/api/v1/commands" {
            continue;
        }
        let name = body.to_string();
        let name = name
            .split("schemas/")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        let properties = document["components"]["schemas"][name]["properties"]
            .as_object()
            .unwrap();
        // As good as the documentation makes it, and something more.
        let good = properties
            .iter()
            .filter_map(|(name, property)| Some((name.clone(), property.get("example")?.clone())));
        for (more, value) in [
            ("status", json!("processed")),
            ("uploaded_by", json!("key:admin")),
            ("actor", json!("key:admin")),
            ("roles", json!(["administrator"])),
            ("id", json!(NOBODYS)),
            ("version", json!(1)),
            ("__proto__", json!({"admin": true})),
        ] {
            if properties.contains_key(more) {
                continue;
            }
            let mut body: serde_json::Map<String, Value> = good.clone().collect();
            body.insert("verdict".into(), json!("accept"));
            if !properties.contains_key("verdict") {
                body.remove("verdict");
            }
            body.insert(more.into(), value);
            let path = path
                .replace("{id}", &id)
                .replace("{key_id}", NOBODYS)
                .replace("{matter}", "case-1");
            let request = gateway
                .client
                .request(method.clone(), format!("{}{path}", gateway.base));
            let request = request.header("if-match", "*").json(&body);
            let answer = request.send().await.unwrap();
            expect_problem(answer, 400, "json-malformed").await;
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
    for field in ["status", "uploaded_by", "department", "id", "sha256"] {
        let form = reqwest::multipart::Form::new()
            .text(field, "processed")
            .text("source", "manual");
        let answer = gateway
            .post("/api/v1/documents/upload")
            .multipart(form)
            .send()
            .await
            .unwrap();
        expect_problem(answer, 400, "field-unknown").await;
    }
}

/// API3: no answer has more than the documentation tells.
#[tokio::test(flavor = "multi_thread")]
async fn api3_no_property_is_shown_that_is_not_documented() {
    let world = World::new().await;
    let gateway = world.start();
    let id = gateway.upload("a.txt", "x").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    gateway.finished(&id).await;
    let document = gateway.json("/openapi.json").await;
    for (path, schema) in [
        (format!("/api/v1/documents/{id}"), "Document"),
        (format!("/api/v1/documents/{id}/status"), "DocumentStatus"),
    ] {
        let shown = gateway.json(&path).await;
        let documented = properties(&document, &document["components"]["schemas"][schema]);
        for name in shown.as_object().unwrap().keys() {
            assert!(documented.contains(name), "{path} shows {name}");
        }
        let text = shown.to_string();
        for inner in ["salt", "digest", "pepper", "spool"] {
            assert!(!text.contains(inner), "{path}: {text}");
        }
    }
    let issued = key(
        &gateway,
        json!({"name": "k", "owner": "tests", "roles": ["reader"]}),
    )
    .await;
    let listed = eventually("the key is listed", async || {
        let keys = gateway.json("/api/v1/keys").await;
        keys.to_string().contains("\"k\"").then(|| keys.to_string())
    })
    .await;
    for inner in ["digest", "pepper", "secret", &issued[40..]] {
        assert!(!listed.contains(inner), "{inner}: {listed}");
    }
}
