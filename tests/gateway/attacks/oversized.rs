//! Oversized everything: each has its limit, an answer that says so, and costs no memory beyond it.

use super::wire::{Answer, attack, connect, exchange, statuses};
use crate::harness::{Gateway, KEY, Socket, World, expect_problem};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")
}

fn first(answers: &[Answer]) -> (u16, String) {
    answers
        .first()
        .map(|answer| (answer.status, answer.slug()))
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_have_a_limit() {
    let world = World::new().await;
    let gateway = world.start();
    let key = format!("X-API-Key: {KEY}\r\n");
    let long = |n: usize| "a".repeat(n);
    let cases = [
        ("a target", get(&format!("/{}", long(70_000)), &key)),
        ("headers", get("/health/live", &"X-A: a\r\n".repeat(200))),
        (
            "a header",
            get("/health/live", &format!("X-A: {}\r\n", long(500_000))),
        ),
        (
            "a name",
            get("/health/live", &format!("X-{}: a\r\n", long(70_000))),
        ),
    ];
    for (what, request) in cases {
        let answers = attack(&gateway, request).await;
        let [
            Answer {
                status: 414 | 431, ..
            },
        ] = &*answers
        else {
            panic!("{what}: {answers:?}");
        };
    }
    // What fits there is no key yet, and no id of a request.
    for header in ["X-API-Key", "Authorization"] {
        let credential = format!("{header}: Bearer {}\r\n", long(30_000));
        let answers = attack(&gateway, get("/api/v1/status", &credential)).await;
        assert_eq!(statuses(&answers), [401, 200], "{header}");
    }
    let answers = attack(
        &gateway,
        get("/health/live", &format!("X-Request-Id: {}\r\n", long(129))),
    )
    .await;
    assert!(!answers[0].head.contains(&long(129)), "{}", answers[0].head);

    let many = "limit=1&".repeat(65);
    let path = format!("/api/v1/documents/?{many}");
    expect_problem(
        gateway.get(&path).send().await.unwrap(),
        400,
        "invalid-parameter",
    )
    .await;
    let unknown = format!("/api/v1/documents/?{}=1", long(10_000));
    let problem = gateway.get(&unknown).send().await.unwrap();
    let problem = expect_problem(problem, 400, "unknown-parameter").await;
    assert!(problem.to_string().len() < 2_000, "{problem}");
}

async fn posted(gateway: &Gateway, path: &str, body: String, status: u16, slug: &str) {
    let request = gateway
        .post(path)
        .header("content-type", "application/json");
    let answer = request
        .header("if-match", "*")
        .body(body)
        .send()
        .await
        .unwrap();
    expect_problem(answer, status, slug).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_has_a_limit() {
    let world = World::new().await;
    let gateway = world.start();
    let id = gateway.upload("a.txt", "x").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let withdraw = format!("/api/v1/documents/{id}/withdraw");
    let large = json!({"reason": "x".repeat(1 << 20)}).to_string();
    posted(&gateway, &withdraw, large, 413, "body-too-large").await;
    let long = json!({"reason": "x".repeat(1_001)}).to_string();
    posted(&gateway, &withdraw, long, 422, "command-invalid").await;
    let correct = format!("/api/v1/documents/{id}/correct");
    let zero = r#"{"metadata":{"a":"b\u0000"}}"#;
    posted(&gateway, &correct, zero.into(), 422, "command-invalid").await;
    // A struct is read from an object, and from nothing else that would do.
    posted(
        &gateway,
        &withdraw,
        r#"["a reason"]"#.into(),
        400,
        "json-malformed",
    )
    .await;
    let rotate = format!("/api/v1/keys/{id}/rotate");
    for number in [
        "1e999",
        "-1e999",
        &"9".repeat(10_000),
        "1.5",
        "99999999999999999999",
    ] {
        let body = format!("{{\"overlap_seconds\":{number}}}");
        posted(&gateway, &rotate, body, 400, "json-malformed").await;
    }
    let command = json!({"type": "reprocess", "document_id": id});
    let batch = json!({"commands": vec![command; 101]}).to_string();
    posted(&gateway, "/api/v1/commands", batch, 400, "json-malformed").await;
    let deep = format!(r#"{{"commands":{}1{}}}"#, "[".repeat(40), "]".repeat(40));
    posted(&gateway, "/api/v1/commands", deep, 400, "json-too-deep").await;
}

fn upload(boundary: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /api/v1/documents/upload HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n\
         Content-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_have_a_limit() {
    let world = World::new().await;
    let gateway = world.start();
    let malformed = (400, "multipart-malformed".to_owned());
    let megabytes = "x".repeat(4 << 20);
    // What the reader of forms would keep until it understands it.
    let heads = [
        ("what comes before the first part", megabytes.clone()),
        (
            "a part's header",
            format!("--b\r\nContent-Disposition: form-data; name=\"{megabytes}"),
        ),
        (
            "spaces after a boundary",
            format!("--b{}", " ".repeat(4 << 20)),
        ),
    ];
    for (what, body) in heads {
        let answers = exchange(&gateway, &upload("b", body.as_bytes())).await;
        assert_eq!(first(&answers), malformed, "{what}: {answers:?}");
    }
    let many = "X-A: a\r\n".repeat(100);
    let body = format!(
        "--b\r\n{many}Content-Disposition: form-data; name=\"source\"\r\n\r\nscan\r\n--b--\r\n"
    );
    assert_eq!(
        first(&attack(&gateway, upload("b", body.as_bytes())).await),
        malformed
    );
    let boundary = "b".repeat(300);
    assert_eq!(
        first(&attack(&gateway, upload(&boundary, b"")).await),
        malformed
    );
    // No form has more than four parts.
    for (field, value) in [("source", "scan"), ("metadata", "{}"), ("priority", "low")] {
        let form = Form::new().text(field, value).text(field, value);
        let request = gateway.post("/api/v1/documents/upload").multipart(form);
        expect_problem(request.send().await.unwrap(), 400, "field-repeated").await;
    }
    let keys: serde_json::Map<String, Value> =
        (0..10_000).map(|n| (n.to_string(), json!(n))).collect();
    let long = Value::Object(keys).to_string();
    assert!(long.len() > 64 * 1024);
    let part = Part::bytes(b"x".to_vec()).file_name("a.txt");
    let form = Form::new()
        .text("source", "scan")
        .text("metadata", long)
        .part("file", part);
    let request = gateway.post("/api/v1/documents/upload").multipart(form);
    expect_problem(request.send().await.unwrap(), 413, "field-too-large").await;
    assert_eq!(gateway.json("/api/v1/documents/").await["total"], 0);
    // What is large and a form comes through.
    gateway.upload("large.txt", "words ".repeat(2 << 20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_lists_have_a_limit() {
    let world = World::new().await;
    let gateway = world.start();
    let document = gateway.json("/openapi.json").await;
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let parameters = item["get"]["parameters"].as_array();
        let limits = parameters
            .into_iter()
            .flatten()
            .filter(|p| p["in"] == "query");
        for limit in limits {
            let (name, schema) = (limit["name"].as_str().unwrap(), &limit["schema"]);
            let id = "00000000-0000-7000-8000-000000000000";
            let path = path.replace("{id}", id);
            for beyond in [
                schema["maximum"].as_i64().map(|n| n + 1),
                schema["minimum"].as_i64().map(|n| n - 1),
            ] {
                let Some(beyond) = beyond.filter(|_| !path.starts_with("/ws")) else {
                    continue;
                };
                let query = format!("{path}?{name}={beyond}");
                let answer = gateway.get(&query).send().await.unwrap();
                let what = answer.status().as_u16();
                assert!(what == 400 || what == 404, "{query}: {what}");
                tried += 1;
            }
        }
    }
    assert!(tried > 30, "{tried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_socket_have_a_limit() {
    let world = World::new().await;
    let gateway = world.start();
    let mut socket: Socket = gateway.socket("/ws").await;
    socket.send(json!({"type": "x".repeat(20_000)})).await;
    assert_eq!(socket.closed().await, 1009);
    let mut socket = gateway.socket("/ws").await;
    socket.send(json!({"type": "x".repeat(100_000)})).await;
    assert_eq!(socket.closed().await, 1009);
    let mut socket = gateway.socket("/ws").await;
    let deep = serde_json::from_str(&format!("{}{}", "[".repeat(100), "]".repeat(100))).unwrap();
    socket.send(deep).await;
    socket.find(|message| message["type"] == "error").await;

    // Pieces of a message that never ends, and a frame that announces more than anybody has.
    for frame in [
        &[0x01_u8, 0xfe, 0x3f, 0xff, 0, 0, 0, 0][..],
        &[
            0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0,
        ],
    ] {
        let mut stream = connect(&gateway).await;
        let head = get(
            "/ws",
            &format!(
                "X-API-Key: {KEY}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            ),
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let piece = [frame, &[b'x'; 0x3fff]].concat();
        let (mut reader, mut writer) = stream.into_split();
        let writing = async { while writer.write_all(&piece).await.is_ok() {} };
        let reading = async {
            let mut sink = tokio::io::sink();
            let _ = tokio::io::copy(&mut reader, &mut sink).await;
        };
        let ending = async {
            tokio::select! { () = writing => {}, () = reading => {} }
        };
        tokio::time::timeout(crate::support::PATIENCE, ending)
            .await
            .expect("it goes on");
    }
    gateway.json("/api/v1/status").await;
}
