//! Tricks with paths and headers: a path is matched as it is written and never reaches another, and no header but
//! those of the documentation changes what is done.

use super::wire::{attack, statuses};
use crate::authority::{as_holder, key};
use crate::harness::{Gateway, KEY, World, expect_problem};
use crate::support::eventually;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_nothing_but_what_it_is_written_as() {
    let world = World::new().await;
    let gateway = world.start();
    let key = format!("X-API-Key: {KEY}\r\n");
    for target in [
        "/api/v1/..%2fv1/keys",
        "/api/v1/%2e%2e/v1/keys",
        "/api/v1/../v1/keys",
        "/health/live/../../api/v1/keys",
        "/health/live%2f..%2f..%2fapi/v1/keys",
        "/.well-known/../api/v1/keys",
        "/docs/../api/v1/keys",
        "/docs/..%2f..%2fetc/passwd",
        "/docs/%2e%2e/%2e%2e/etc/passwd",
        "//api/v1/keys",
        "/api//v1/keys",
        "/api/v1/keys/",
        "/api/v1/keys/.",
        "/api/v1/keys.",
        "/api/v1/keys.json",
        "/api/v1/keys%00",
        "/api/v1/keys%20",
        "/api/v1/keys%0d%0aX-Evil:1",
        "/api/v1/keys%c0%af",
        "/api/v1/keys;a=b",
        "/api/v1/keys%3flimit=1",
        "/api/v1/keys\\",
        "/API/V1/KEYS",
        "/api/v1/%6beys",
        "/api/v1/%256beys",
        "/api/v1/\u{212a}eys",
    ] {
        // With a key that may do everything, so that nothing but the path stands in the way.
        let answers = attack(&gateway, get(target, &key)).await;
        let status = answers[0].status;
        assert!(status == 404 || status == 400, "{target}: {answers:?}");
        assert!(!answers[0].text().contains("\"keys\":"), "{target}");
        assert!(!answers[0].text().contains("root:"), "{target}");
        assert!(
            !answers[0].head.contains("x-evil"),
            "{target}: {}",
            answers[0].head
        );
    }
    // An id is an id, however it is written.
    for id in [
        "..%2f..%2fkeys",
        "%c0%ae%c0%ae",
        "%ff",
        "%00",
        "..",
        "1'%20OR%20'1'='1",
        "*",
    ] {
        let target = format!("/api/v1/documents/{id}");
        let answers = attack(&gateway, get(&target, &key)).await;
        let status = answers[0].status;
        assert!(status == 404 || status == 400, "{target}: {answers:?}");
    }
    // Where it is said to be in another place, it is here that it is asked for.
    for target in [
        "http://evil.example/health/live",
        "http://evil.example:1/health/live",
    ] {
        assert_eq!(
            statuses(&attack(&gateway, get(target, "")).await),
            [200, 200],
            "{target}"
        );
    }
    for request in [
        "CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        assert_eq!(attack(&gateway, request).await[0].status, 404, "{request}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_header_says_what_is_asked_for() {
    let world = World::new().await;
    let gateway = world.start();
    let id = gateway.upload("a.txt", "x").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/v1/documents/{id}");
    for (name, value) in [
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-HTTP-Method", "DELETE"),
        ("X-Method-Override", "POST"),
        ("X-Original-URL", "/api/v1/keys"),
        ("X-Rewrite-URL", "/api/v1/keys"),
        ("X-Forwarded-Prefix", "/api/v1/keys"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-For", "8.8.8.8"),
        ("Forwarded", "for=8.8.8.8;host=evil.example"),
        ("X-Real-IP", "8.8.8.8"),
        ("True-Client-IP", "8.8.8.8"),
        ("X-Custom-IP-Authorization", "127.0.0.1"),
        ("X-User", "key:admin"),
        ("X-Roles", "administrator"),
    ] {
        let answer = gateway.get(&path).header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{name}");
        let head = format!("{:?}", answer.headers());
        assert!(!head.contains("evil"), "{name}: {head}");
        let document: Value = answer.json().await.unwrap();
        assert_eq!(document["id"], json!(id), "{name}");
        // Nor who asks.
        let bare = reqwest::Client::new().get(format!("{}{path}", gateway.base));
        let answer = bare.header(name, value).send().await.unwrap();
        expect_problem(answer, 401, "unauthorized").await;
    }
    let seen = eventually("the views are in the trail", async || {
        let page = gateway
            .json(&format!("/api/v1/audit?document_id={id}&limit=100"))
            .await;
        let entries = page["entries"].as_array()?.clone();
        (entries.len() > 30).then_some(entries)
    })
    .await;
    for entry in seen {
        assert!(!entry.to_string().contains("8.8.8.8"), "{entry}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_credentials_are_none_and_a_key_goes_before_a_token() {
    let world = World::new().await;
    let gateway = world.start();
    let status =
        async |headers: &str| attack(&gateway, get("/api/v1/status", headers)).await[0].status;
    let (key, bearer) = (
        format!("X-API-Key: {KEY}\r\n"),
        format!("Authorization: Bearer {KEY}\r\n"),
    );
    assert_eq!(status(&key).await, 200);
    assert_eq!(status(&bearer).await, 200);
    assert_eq!(status(&format!("{key}{key}")).await, 401);
    assert_eq!(status(&format!("{key}X-API-Key: wrong\r\n")).await, 401);
    assert_eq!(status(&format!("X-API-Key: wrong\r\n{key}")).await, 401);
    assert_eq!(
        status(&format!("{bearer}Authorization: Bearer wrong\r\n")).await,
        401
    );
    assert_eq!(
        status(&format!("Authorization: Basic x\r\n{bearer}")).await,
        401
    );
    // A wrong key is not made good by a token, and the other way round it is not looked at.
    assert_eq!(status(&format!("X-API-Key: wrong\r\n{bearer}")).await, 401);
    assert_eq!(
        status(&format!("{key}Authorization: Bearer wrong\r\n")).await,
        200
    );
    assert_eq!(status(&format!("X-API-Key: \u{e9}\r\n{bearer}")).await, 401);
    for spelled in [
        format!("X_API_Key: {KEY}\r\n"),
        format!("X-API-Key: {KEY}, {KEY}\r\n"),
        format!("X-API-Key: \"{KEY}\"\r\n"),
        format!("X-API-Key: {}\r\n", KEY.to_uppercase()),
        format!("X-API-Key: {KEY}%00\r\n"),
        format!("Cookie: X-API-Key={KEY}\r\n"),
        format!("Authorization: Basic {KEY}\r\n"),
        format!("Authorization: {KEY}\r\n"),
        format!("Proxy-Authorization: Bearer {KEY}\r\n"),
    ] {
        assert_eq!(status(&spelled).await, 401, "{spelled}");
    }
}

async fn uploaded(gateway: &Gateway, form: Form) -> (u16, Value) {
    let answer = gateway
        .post("/api/v1/documents/upload")
        .multipart(form)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_is_broken_into_an_answer() {
    let world = World::new().await;
    let gateway = world.start();
    let evil = "\r\nX-Evil: 1";
    // Names are kept as they are, encoded or refused; metadata is content.
    for name in [
        "a%0d%0aX-Evil: 1.txt",
        "a\"; filename=\"b.txt",
        "a;filename*=UTF-8''b.txt",
    ] {
        let part = Part::bytes(b"x".to_vec()).file_name(name.to_owned());
        let form = Form::new().text("source", "scan").part("file", part);
        let metadata = json!({"a": evil, evil: "b"}).to_string();
        let (status, document) = uploaded(&gateway, form.text("metadata", metadata)).await;
        if status == 202 {
            let path = format!(
                "/api/v1/documents/{}/download",
                document["id"].as_str().unwrap()
            );
            let key = format!("X-API-Key: {KEY}\r\n");
            let answers = attack(&gateway, get(&path, &key)).await;
            assert_eq!(statuses(&answers), [200, 200], "{name}");
            assert!(!answers[0].head.contains("\nx-evil"), "{}", answers[0].head);
        } else {
            assert!((400..500).contains(&status), "{name}: {status}");
        }
    }
    // What is given back is what cannot break anything; the rest is replaced.
    for value in ["a b", "a\tb", "\u{e9}", &"x".repeat(200)] {
        for name in ["X-Request-Id", "X-Correlation-Id", "traceparent"] {
            let answers = attack(&gateway, get("/nowhere", &format!("{name}: {value}\r\n"))).await;
            assert_eq!(statuses(&answers), [404, 200], "{name}: {value:?}");
            let given = answers[0].text().contains(value) || answers[0].head.contains(value);
            assert!(!given, "{name}: {value:?}");
        }
    }
    // The one redirect goes to this gateway, whatever host was asked for.
    let target = "/api/v1/documents?limit=1&x=%0d%0aSet-Cookie:a=b";
    let answers = attack(&gateway, get(target, "X-Forwarded-Host: evil.example\r\n")).await;
    assert_eq!(statuses(&answers), [308, 200]);
    assert!(
        answers[0]
            .head
            .contains("location: /api/v1/documents/?limit=1"),
        "{}",
        answers[0].head
    );
    assert!(
        !answers[0].head.contains("\nset-cookie"),
        "{}",
        answers[0].head
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_goes_through_the_same_gate_whatever_it_is() {
    let world = World::new().await;
    let gateway = world.start();
    let reader = key(
        &gateway,
        json!({"name": "r", "owner": "tests", "roles": ["reader"]}),
    )
    .await;
    // HEAD is GET without a body, for whoever may GET.
    for (path, status) in [
        ("/api/v1/keys", 403),
        ("/metrics", 403),
        ("/api/v1/documents/", 200),
    ] {
        let answer = as_holder(&gateway, Method::HEAD, path, &reader)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{path}");
    }
    for method in [
        "TRACE", "OPTIONS", "PUT", "PATCH", "PROPFIND", "get", "QUERY",
    ] {
        let request = format!(
            "{method} /api/v1/status HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nX-Mark: 1\r\n\r\n"
        );
        let answers = attack(&gateway, request).await;
        assert_eq!(statuses(&answers), [405, 200], "{method}");
        assert!(
            answers[0].head.contains("\nallow: "),
            "{method}: {}",
            answers[0].head
        );
        assert!(
            !answers[0].text().contains("X-Mark"),
            "{method} gives back what was sent"
        );
    }
}
