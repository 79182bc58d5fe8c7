//! Whatever comes in, the gateway answers and says what was wrong; nothing of it is stored.

use crate::harness::{Gateway, KEY, World, expect_problem};
use crate::support::eventually;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn file(bytes: &str) -> Part {
    Part::bytes(bytes.as_bytes().to_vec()).file_name("a.txt")
}

fn named(name: &str) -> Form {
    let part = Part::bytes(b"text".to_vec()).file_name(name.to_owned());
    Form::new().text("source", "manual").part("file", part)
}

async fn refused(gateway: &Gateway, form: Form, status: u16, slug: &str) -> Value {
    let answer = gateway
        .post("/api/v1/documents/upload")
        .multipart(form)
        .send()
        .await
        .unwrap();
    expect_problem(answer, status, slug).await
}

/// Files below a folder.
fn files(dir: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    entries
        .map(|e| e.unwrap().path())
        .map(|p| if p.is_dir() { files(&p) } else { 1 })
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_upload_has_its_own_problem_and_leaves_nothing() {
    let world = World::with(&[("KMRL_UPLOAD_MAX_FILE_BYTES", "1000000")]).await;
    let gateway = world.start();
    let source = || Form::new().text("source", "manual");

    refused(&gateway, source(), 400, "file-missing").await;
    refused(&gateway, source().part("file", file("")), 400, "file-empty").await;
    let two = source().part("file", file("a")).part("file", file("b"));
    refused(&gateway, two, 400, "too-many-files").await;
    refused(
        &gateway,
        Form::new().part("file", file("a")),
        400,
        "source-missing",
    )
    .await;
    let unknown = Form::new().part("file", file("a")).text("source", "pigeon");
    refused(&gateway, unknown, 400, "source-unknown").await;
    for bad in ["[1]", "\"x\"", "{", "null"] {
        let form = source().part("file", file("a")).text("metadata", bad);
        refused(&gateway, form, 400, "metadata-invalid").await;
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let form = source().part("file", file("a")).text("metadata", deep);
    refused(&gateway, form, 400, "json-too-deep").await;
    let long = format!("{}.txt", "x".repeat(4_000));
    for bad in [
        "../../etc/passwd",
        "dir/a.txt",
        "dir\\a.txt",
        "a\tb.txt",
        "gpj.\u{202e}exe",
        &long,
    ] {
        refused(&gateway, named(bad), 400, "file-name-invalid").await;
    }
    let large = source().part("file", file(&"x".repeat(1_000_001)));
    refused(&gateway, large, 413, "file-too-large").await;

    let list = gateway.json("/api/v1/documents/").await;
    assert_eq!(list["total"], 0);
    assert_eq!(files(&world.data.path().join("blobs/sha256")), 0);
    assert_eq!(files(&world.data.path().join("spool")), 0);
    let log = gateway.json("/api/v1/events?limit=100").await;
    let events = log["events"].as_array().unwrap();
    assert!(!events.is_empty());
    assert!(
        events.iter().all(|e| e["event_type"] == "UploadRefused"),
        "{log}"
    );
    eventually("refusals are listed", || async {
        let list = gateway.json("/api/v1/documents/validation-errors").await;
        list.to_string().contains("file-too-large").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_cut_off_while_it_streams() {
    let world = World::with(&[("KMRL_UPLOAD_MAX_FILE_BYTES", "100000")]).await;
    let gateway = world.start();
    let mut stream = open(&gateway).await;
    let head = upload_head(1_000_000_000);
    stream.write_all(head.as_bytes()).await.unwrap();
    // A small part of the announced gigabyte is enough for the answer.
    let chunk = vec![b'x'; 64 * 1024];
    for _ in 0..8 {
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&answer).contains("file-too-large") {
        let n = stream.read(&mut buffer).await.unwrap();
        assert!(n > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..n]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 413"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_nothing() {
    let world = World::new().await;
    let gateway = world.start();
    let spool = world.data.path().join("spool");
    let mut stream = open(&gateway).await;
    stream
        .write_all(upload_head(1_000_000).as_bytes())
        .await
        .unwrap();
    stream.write_all(&vec![b'x'; 300_000]).await.unwrap();
    eventually("the upload has begun", || async {
        (files(&spool) > 0).then_some(())
    })
    .await;
    drop(stream);
    eventually("nothing is left", || async {
        (files(&spool) == 0).then_some(())
    })
    .await;
    assert_eq!(gateway.json("/api/v1/documents/").await["total"], 0);
    assert_eq!(files(&world.data.path().join("blobs/sha256")), 0);
}

async fn open(gateway: &Gateway) -> tokio::net::TcpStream {
    let address = gateway.base.strip_prefix("http://").unwrap();
    tokio::net::TcpStream::connect(address).await.unwrap()
}

fn upload_head(length: u64) -> String {
    format!(
        "POST /api/v1/documents/upload HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: {length}\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"source\"\r\n\r\nmanual\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_each_have_their_problem() {
    let world = World::new().await;
    let gateway = world.start();
    let get = |path: &str| gateway.get(path).send();
    let none = "/api/v1/documents/00000000-0000-7000-8000-000000000000";
    expect_problem(get(none).await.unwrap(), 404, "document-not-found").await;
    expect_problem(
        get("/api/v1/documents/42").await.unwrap(),
        400,
        "invalid-id",
    )
    .await;
    expect_problem(
        get("/api/v1/documents/?cursor=%21").await.unwrap(),
        400,
        "invalid-cursor",
    )
    .await;
    expect_problem(
        get("/api/v1/documents/?colour=red").await.unwrap(),
        400,
        "unknown-parameter",
    )
    .await;
    expect_problem(
        get("/api/v1/documents/?limit=many").await.unwrap(),
        400,
        "invalid-parameter",
    )
    .await;
    expect_problem(get("/nowhere").await.unwrap(), 404, "not-found").await;
    let wrong_method = gateway
        .post("/api/v1/documents/statistics")
        .send()
        .await
        .unwrap();
    expect_problem(wrong_method, 405, "method-not-allowed").await;

    let id = gateway.upload("a.txt", "0123456789").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/v1/documents/{id}");
    gateway.finished(&id).await;
    let range = gateway
        .get(&format!("{path}/download"))
        .header("range", "bytes=50-60")
        .send()
        .await
        .unwrap();
    expect_problem(range, 416, "range-not-satisfiable").await;
    let withdraw = |body: String| {
        gateway
            .post(&format!("{path}/withdraw"))
            .header("content-type", "application/json")
            .body(body)
    };
    let no_condition = withdraw(json!({"reason": "x"}).to_string())
        .send()
        .await
        .unwrap();
    expect_problem(no_condition, 428, "precondition-required").await;
    let stale = withdraw(json!({"reason": "x"}).to_string())
        .header("if-match", "\"1\"")
        .send()
        .await
        .unwrap();
    expect_problem(stale, 412, "version-mismatch").await;
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let deep = withdraw(deep).header("if-match", "*").send().await.unwrap();
    expect_problem(deep, 400, "json-too-deep").await;
    let torn = withdraw("{\"reason\":".into())
        .header("if-match", "*")
        .send()
        .await
        .unwrap();
    expect_problem(torn, 400, "json-malformed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_but_health_needs_the_key() {
    let world = World::new().await;
    let gateway = world.start();
    let stranger = reqwest::Client::new();
    for path in [
        "/api/v1/documents/",
        "/api/v1/events",
        "/metrics",
        "/api/v1/status",
        "/ws",
    ] {
        let answer = stranger
            .get(format!("{}{path}", gateway.base))
            .send()
            .await
            .unwrap();
        assert!(answer.headers().contains_key("www-authenticate"), "{path}");
        expect_problem(answer, 401, "unauthorized").await;
    }
    let wrong = stranger
        .get(format!("{}/api/v1/documents/", gateway.base))
        .header("x-api-key", "wrong")
        .send()
        .await
        .unwrap();
    expect_problem(wrong, 401, "unauthorized").await;
    let bearer = stranger
        .get(format!("{}/api/v1/documents/", gateway.base))
        .bearer_auth(KEY)
        .send()
        .await
        .unwrap();
    assert_eq!(bearer.status(), 200);
    for path in ["/health", "/health/live", "/health/ready"] {
        let answer = stranger
            .get(format!("{}{path}", gateway.base))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
}
