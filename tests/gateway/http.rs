//! What the API promises beyond its fields: idempotency, caching, paging, ranges, names, batches.

use crate::harness::{World, expect_problem};
use reqwest::StatusCode;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_makes_one_document() {
    let world = World::new().await;
    let gateway = world.start();
    let send = |bytes: &'static str| {
        gateway
            .upload_request("a.txt", bytes)
            .header("idempotency-key", "k-1")
            .send()
    };
    let first: Value = send("one").await.unwrap().json().await.unwrap();
    let again = send("one").await.unwrap();
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(again.status(), StatusCode::ACCEPTED);
    assert_eq!(again.json::<Value>().await.unwrap()["id"], first["id"]);
    expect_problem(send("two").await.unwrap(), 422, "idempotency-key-reused").await;
    let both = futures::future::join_all((0..6).map(|_| {
        gateway
            .upload_request("b.txt", "b")
            .header("idempotency-key", "k-2")
            .send()
    }))
    .await;
    let mut ids = BTreeSet::new();
    for answer in both {
        ids.insert(answer.unwrap().json::<Value>().await.unwrap()["id"].to_string());
    }
    assert_eq!(ids.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_page_by_skip_and_by_cursor() {
    let world = World::new().await;
    let gateway = world.start();
    let mut last = Value::Null;
    for n in 0..7 {
        last = gateway
            .upload(&format!("{n}.txt"), format!("text {n}"))
            .await;
    }
    let at = &last["position"];
    let page = gateway
        .json(&format!(
            "/api/v1/documents/?skip=5&limit=5&min_position={at}"
        ))
        .await;
    assert_eq!(page["documents"].as_array().unwrap().len(), 2);
    assert_eq!(
        (
            &page["total"],
            &page["page"],
            &page["per_page"],
            &page["total_pages"]
        ),
        (&json!(7), &json!(2), &json!(5), &json!(2))
    );
    let mut seen = Vec::new();
    let mut path = "/api/v1/documents/?limit=3".to_owned();
    loop {
        let page = gateway.json(&path).await;
        seen.extend(
            page["documents"]
                .as_array()
                .unwrap()
                .iter()
                .map(|d| d["original_filename"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/documents/?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(
        seen,
        [
            "6.txt", "5.txt", "4.txt", "3.txt", "2.txt", "1.txt", "0.txt"
        ]
    );
    let none = gateway.json("/api/v1/documents/?source=scan").await;
    assert_eq!(none["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn etags_say_when_nothing_changed() {
    let world = World::new().await;
    let gateway = world.start();
    let id = gateway.upload("a.txt", "x").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    gateway.finished(&id).await;
    let path = format!("/api/v1/documents/{id}");
    let first = gateway.get(&path).send().await.unwrap();
    let etag = first.headers()["etag"].clone();
    let second = gateway
        .get(&path)
        .header("if-none-match", etag)
        .send()
        .await
        .unwrap();
    assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_have_ranges_and_any_name() {
    let world = World::new().await;
    let gateway = world.start();
    let name = "സുരക്ഷാ \"നിർദ്ദേശം\" 100%.txt";
    let id = gateway.upload(name, "0123456789").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/v1/documents/{id}/download");
    let id = gateway.finished(&id).await;
    assert_eq!(id["original_filename"], name);
    let part = gateway
        .get(&path)
        .header("range", "bytes=2-4")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], "bytes 2-4/10");
    assert_eq!(part.text().await.unwrap(), "234");
    let whole = gateway.get(&path).send().await.unwrap();
    let headers = whole.headers();
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert!(
        headers["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("sandbox")
    );
    let disposition = headers["content-disposition"].to_str().unwrap();
    assert!(disposition.starts_with("attachment;"), "{disposition}");
    assert!(
        disposition.contains("filename*=UTF-8''%E0%B4%B8"),
        "{disposition}"
    );
    assert!(disposition.contains("100%25"), "{disposition}");
    assert_eq!(whole.text().await.unwrap(), "0123456789");
}

#[tokio::test(flavor = "multi_thread")]
async fn min_position_waits_or_says_when_to_come_back() {
    let world = World::with(&[("KMRL_HTTP_MIN_POSITION_WAIT", "1")]).await;
    let gateway = world.start();
    let document = gateway.upload("a.txt", "x").await;
    let path = format!("/api/v1/documents/{}", document["id"].as_str().unwrap());
    // One's own write is there at once.
    gateway
        .json(&format!("{path}?min_position={}", document["position"]))
        .await;
    let future = gateway
        .get(&format!("{path}?min_position=1000000"))
        .send()
        .await
        .unwrap();
    assert!(future.headers().contains_key("retry-after"));
    expect_problem(future, 503, "position-not-reached").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_commands_is_answered_one_by_one() {
    let world = World::new().await;
    let gateway = world.start();
    let form = Form::new()
        .text("source", "scan")
        .part("file", Part::bytes(b"x".to_vec()).file_name("a.txt"));
    let answer = gateway
        .post("/api/v1/documents/upload")
        .multipart(form)
        .send()
        .await
        .unwrap();
    let id = answer.json::<Value>().await.unwrap()["id"].clone();
    gateway.finished(id.as_str().unwrap()).await;
    let unknown = "00000000-0000-7000-8000-000000000000";
    let answer = gateway
        .post("/api/v1/commands")
        .json(&json!({"commands": [
            {"type": "correct", "document_id": id, "department": "finance"},
            {"type": "withdraw", "document_id": unknown, "reason": "x"},
            {"type": "reprocess", "document_id": id},
        ]}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let results = answer.json::<Value>().await.unwrap();
    let results = results["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    assert!(results[0]["position"].is_number(), "{results:?}");
    assert_eq!(
        results[1]["problem"]["type"],
        "/problems/document-not-found"
    );
    assert!(results[2]["position"].is_number(), "{results:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_page_by_position_and_filter() {
    let world = World::new().await;
    let gateway = world.start();
    let a = gateway.upload("a.txt", "a").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    gateway.finished(&a).await;
    let b = gateway.upload("b.txt", "b").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    gateway.finished(&b).await;
    let mut positions = Vec::new();
    let mut after = json!(0);
    loop {
        let page = gateway
            .json(&format!("/api/v1/events?limit=2&after={after}"))
            .await;
        let events = page["events"].as_array().unwrap();
        if events.is_empty() {
            break;
        }
        positions.extend(events.iter().map(|e| e["position"].as_i64().unwrap()));
        after = events.last().unwrap()["position"].clone();
    }
    assert_eq!(positions.len(), 6);
    assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
    let of = |page: Value| page["events"].as_array().unwrap().len();
    assert_eq!(of(gateway.json("/api/v1/events?type=Uploaded").await), 2);
    assert_eq!(
        of(gateway
            .json(&format!("/api/v1/events?document_id={b}"))
            .await),
        3
    );
    assert_eq!(
        of(gateway.json("/api/v1/events?actor=system:worker").await),
        4
    );
    assert_eq!(
        of(gateway
            .json("/api/v1/events?until=2020-01-01T00:00:00Z")
            .await),
        0
    );
    assert_eq!(
        of(gateway
            .json("/api/v1/events?since=2020-01-01T00:00:00Z")
            .await),
        6
    );
}
