//! Live updates over WebSocket: order, resume, filters, and two gateways on the same engines.

use crate::harness::{Gateway, World, expect_problem};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

fn positions(messages: &[Value]) -> Vec<i64> {
    messages
        .iter()
        .filter(|m| m["type"] == "document_update")
        .filter_map(|m| m["position"].as_i64())
        .collect()
}

/// Exactly the documents' events of the log; records of access have positions between them.
async fn all_once_and_in_order(gateway: &Gateway, seen: &[i64]) {
    let log = gateway.json("/api/v1/events?limit=1000").await;
    let events = log["events"].as_array().unwrap().iter();
    let positions: Vec<i64> = events.map(|e| e["position"].as_i64().unwrap()).collect();
    assert_eq!(seen, positions);
}

async fn upload(gateway: &Gateway, n: usize) -> String {
    gateway
        .upload(&format!("{n}.txt"), format!("text {n}"))
        .await["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_through_one_gateway_is_seen_on_the_other_once_and_in_order() {
    let world = World::new().await;
    let one = world.start();
    let other = world.start();
    let mut socket = other.socket("/ws?after=0").await;
    let mut seen = Vec::new();
    for n in 0..10 {
        upload(&one, n).await;
    }
    // Leave in the middle, miss some, come back with the last position.
    while seen.len() < 12 {
        seen.extend(positions(&[socket.next().await]));
    }
    drop(socket);
    for n in 10..20 {
        upload(&one, n).await;
    }
    let after = seen.last().unwrap();
    let mut socket = other.socket(&format!("/ws?after={after}")).await;
    while seen.len() < 60 {
        seen.extend(positions(&[socket.next().await]));
    }
    all_once_and_in_order(&one, &seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_subscribes_to_one_document() {
    let world = World::new().await;
    let gateway = world.start();
    let first = upload(&gateway, 1).await;
    gateway.finished(&first).await;
    let mut socket = gateway.socket("/ws/key:admin").await;
    socket
        .send(json!({"type": "subscribe_document", "document_id": first}))
        .await;
    socket.send(json!({"type": "ping"})).await;
    socket.find(|m| m["type"] == "pong").await;
    upload(&gateway, 2).await;
    gateway
        .post(&format!("/api/v1/documents/{first}/reprocess"))
        .send()
        .await
        .unwrap();
    let messages = socket.until(|m| m["status"] == "processed").await;
    let updates: Vec<_> = messages
        .iter()
        .filter(|m| m["type"] == "document_update")
        .collect();
    assert!(
        !updates.is_empty() && updates.iter().all(|m| m["document_id"] == json!(first)),
        "{updates:?}"
    );
    for field in ["document_id", "status", "progress", "message", "timestamp"] {
        assert!(
            updates.iter().all(|m| !m[field].is_null()),
            "{field}: {updates:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_documents_socket_replays_its_history() {
    let world = World::new().await;
    let gateway = world.start();
    let id = upload(&gateway, 1).await;
    upload(&gateway, 2).await;
    gateway.finished(&id).await;
    let mut socket = gateway.socket(&format!("/ws/documents/{id}?after=0")).await;
    let messages = socket.until(|m| m["status"] == "processed").await;
    let updates: Vec<_> = messages
        .iter()
        .filter(|m| m["type"] == "document_update")
        .collect();
    assert!(updates.len() >= 3 && updates.iter().all(|m| m["document_id"] == json!(id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_told_by_checkpoints() {
    let world = World::with(&[("KMRL_LIVE_CHECKPOINT", "1")]).await;
    let gateway = world.start();
    let id = upload(&gateway, 1).await;
    gateway.finished(&id).await;
    let mut socket = gateway.socket("/ws").await;
    let checkpoint = socket.find(|m| m["type"] == "checkpoint").await;
    assert!(
        checkpoint["position"].as_i64().unwrap() >= 3,
        "{checkpoint}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_slower_than_the_ring_misses_nothing() {
    let world = World::with(&[("KMRL_LIVE_RING", "16")]).await;
    let gateway = world.start();
    let mut slow = gateway.socket("/ws?after=0").await;
    // 40 documents make 120 events, many rings full, before it reads.
    for n in 0..40 {
        upload(&gateway, n).await;
    }
    let mut seen = Vec::new();
    while seen.len() < 120 {
        seen.extend(positions(&[slow.next().await]));
    }
    all_once_and_in_order(&gateway, &seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn senseless_messages_are_answered_and_do_not_close() {
    let world = World::new().await;
    let gateway = world.start();
    let mut socket = gateway.socket("/ws").await;
    socket.send(json!({"type": "dance"})).await;
    socket.send(json!([1, 2])).await;
    socket
        .send(json!({"type": "subscribe_document", "document_id": "42"}))
        .await;
    for _ in 0..3 {
        let error = socket.find(|m| m["type"] == "error").await;
        assert!(error["code"].is_string() && error["message"].is_string());
    }
    socket.send(json!({"type": "get_stats"})).await;
    let stats = socket.find(|m| m["type"] == "processing_stats").await;
    assert!(stats.to_string().contains("total"), "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_socket_address_is_refused_before_the_upgrade() {
    let world = World::new().await;
    let gateway = world.start();
    for (path, status, slug) in [
        ("/ws?after=yesterday", 400, "invalid-parameter"),
        ("/ws?colour=red", 400, "unknown-parameter"),
        ("/ws/documents/42", 400, "invalid-id"),
        (
            "/ws/documents/00000000-0000-7000-8000-000000000000",
            404,
            "document-not-found",
        ),
    ] {
        let request = format!("ws://x{path}").into_client_request().unwrap();
        let mut plain = gateway.get(path);
        for name in [
            "connection",
            "upgrade",
            "sec-websocket-version",
            "sec-websocket-key",
        ] {
            plain = plain.header(name, request.headers()[name].clone());
        }
        expect_problem(plain.send().await.unwrap(), status, slug).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_pushed_by_page() {
    let world = World::new().await;
    let gateway = world.start();
    let mut socket = gateway.socket("/ws").await;
    let pages: Vec<String> = (0..3_000)
        .map(|n| format!("Page {n} of the manual"))
        .collect();
    let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
    let pdf = kmrl_extraction::fixtures::pdf(&pages);
    gateway.upload("manual.pdf", pdf).await;
    let messages = socket.until(|m| m["status"] == "processed").await;
    let updates: Vec<_> = messages
        .iter()
        .filter(|m| m["type"] == "document_update")
        .collect();
    let by_page = updates.iter().filter(|m| {
        m["status"] == "processing" && m["message"].as_str().is_some_and(|t| t.contains("of 3000"))
    });
    assert!(by_page.count() > 0, "{updates:?}");
    let progress: Vec<_> = updates
        .iter()
        .map(|m| m["progress"].as_i64().unwrap())
        .collect();
    assert!(progress.is_sorted(), "{progress:?}");
    assert_eq!(progress.last(), Some(&100));
}
