//! Server-sent events: order, resume, filters, silence, slow readers, and the same cursor as REST
//! and WebSocket.

use crate::harness::{Gateway, KEY, World, expect_problem};
use crate::sse::Sse;
use crate::support::messages;
use serde_json::{Value, json};

const STREAM: &str = "/api/v1/events/stream";

async fn upload(gateway: &Gateway, n: usize) -> String {
    let document = gateway
        .upload(&format!("{n}.txt"), format!("text {n}"))
        .await;
    document["id"].as_str().unwrap().to_owned()
}

fn position(event: &Value) -> i64 {
    event["id"].as_str().unwrap().parse().unwrap()
}

/// The positions of documents' events by REST, in both forms.
async fn by_rest(gateway: &Gateway) -> Vec<i64> {
    let page = gateway.json("/api/v1/events?limit=1000").await;
    let events = page["events"].as_array().unwrap();
    let positions: Vec<i64> = events
        .iter()
        .map(|e| e["position"].as_i64().unwrap())
        .collect();
    let batch = gateway
        .json("/api/v1/events?limit=1000&format=cloudevents")
        .await;
    let batch = batch.as_array().unwrap();
    for event in batch {
        messages::check(event);
    }
    assert_eq!(batch.iter().map(position).collect::<Vec<_>>(), positions);
    positions
}

#[tokio::test(flavor = "multi_thread")]
async fn resuming_gives_each_event_once_and_in_order_over_a_kill() {
    let world = World::new().await;
    let mut gateway = world.start();
    let mut last_id = Some(0);
    let mut seen = Vec::new();
    let mut uploaded = Vec::new();
    for round in 0..3 {
        let mut stream = Sse::open(&gateway, STREAM, last_id).await;
        for n in 0..6 {
            uploaded.push(upload(&gateway, round * 10 + n).await);
        }
        seen.extend(stream.events(11).await);
        last_id = stream.last_id;
        // Both ends are gone at once; some events of this round were not read.
        gateway.kill();
        drop(stream);
        gateway = world.start();
    }
    let mut stream = Sse::open(&gateway, STREAM, last_id).await;
    for id in &uploaded {
        gateway.finished(id).await;
    }
    let expected = by_rest(&gateway).await;
    let missing = expected.len() - seen.len();
    seen.extend(stream.events(missing).await);
    let positions: Vec<_> = seen.iter().map(position).collect();
    assert_eq!(positions, expected);
    // The same over WebSocket.
    let mut socket = gateway.socket("/ws?after=0").await;
    let mut told = Vec::new();
    while told.len() < expected.len() {
        let message = socket.next().await;
        let update = message["type"] == "document_update";
        told.extend(message["position"].as_i64().filter(|_| update));
    }
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_live_is_what_is_replayed_and_what_rest_has() {
    let world = World::new().await;
    let gateway = world.start();
    let mut live = Sse::open(&gateway, STREAM, None).await;
    let begin = live.frame().await.unwrap();
    assert!(begin.retry.is_some() && begin.id.is_some(), "{begin:?}");
    let id = upload(&gateway, 1).await;
    gateway.finished(&id).await;
    let lived = live.events(3).await;
    let replayed = Sse::open(&gateway, &format!("{STREAM}?after=0"), None)
        .await
        .events(3)
        .await;
    let page = gateway.get("/api/v1/events?format=cloudevents&limit=2");
    let page = page.send().await.unwrap();
    let kind = "application/cloudevents-batch+json";
    assert_eq!(page.headers()["content-type"], kind);
    let link = page.headers()["link"].to_str().unwrap().to_owned();
    let mut paged: Vec<Value> = page.json().await.unwrap();
    let next = link.strip_prefix('<').unwrap().split_once('>').unwrap().0;
    let rest = gateway.json(next).await;
    paged.extend(rest.as_array().unwrap().clone());
    assert_eq!(lived, replayed);
    assert_eq!(lived, paged);
    assert_eq!(lived[0]["type"], "in.kmrl.gateway.document.Uploaded.v1");
    assert_eq!(lived[0]["subject"], json!(id));
    assert_eq!(lived[0]["actor"], "key:admin");
    assert!(!lived[0].to_string().contains("1.txt"), "{}", lived[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_choose_by_document_type_and_source() {
    let world = World::new().await;
    let gateway = world.start();
    let (one, two) = (upload(&gateway, 1).await, upload(&gateway, 2).await);
    gateway.finished(&one).await;
    gateway.finished(&two).await;
    let gateway = &gateway;
    let open =
        async |query: String| Sse::open(gateway, &format!("{STREAM}?after=0&{query}"), None).await;
    let of_one = open(format!("document_id={one}")).await.events(3).await;
    assert!(of_one.iter().all(|e| e["subject"] == json!(one)));
    let extracted = open("type=Extracted".into()).await.events(2).await;
    assert!(extracted.iter().all(|e| e["data"]["type"] == "Extracted"));
    let mut manual = open("source=manual&type=Uploaded".into()).await;
    assert_eq!(manual.events(2).await.len(), 2);
    let mut none = open("source=maximo".into()).await;
    upload(gateway, 3).await;
    let form = reqwest::multipart::Form::new()
        .text("source", "maximo")
        .part(
            "file",
            reqwest::multipart::Part::bytes(b"m".to_vec()).file_name("m.txt"),
        );
    let answer = gateway.post("/api/v1/documents/upload").multipart(form);
    let accepted: Value = answer.send().await.unwrap().json().await.unwrap();
    assert_eq!(none.event().await["subject"], accepted["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_silence_the_place_moves_on() {
    let world = World::with(&[("KMRL_LIVE_CHECKPOINT", "1"), ("KMRL_LIVE_HEARTBEAT", "5")]).await;
    let gateway = world.start();
    let id = upload(&gateway, 1).await;
    let position = gateway.finished(&id).await["position"].clone();
    // Its row may be there before everything that readers wait for has come as far.
    let path = format!("/api/v1/documents/{id}?min_position={position}");
    gateway.json(&path).await;
    let mut stream = Sse::open(&gateway, STREAM, None).await;
    let begin = stream.frame().await.unwrap().id.unwrap();
    let mut hearts = 0;
    let mut ids = vec![begin];
    // Reads alone happen: their records move the log on and are not shown.
    while hearts == 0 || ids.last() < Some(&(begin + 3)) {
        gateway.json(&format!("/api/v1/documents/{id}")).await;
        let frame = stream.frame().await.unwrap();
        assert!(frame.data.is_none() && frame.event.is_none(), "{frame:?}");
        hearts += frame.comments;
        ids.extend(frame.id);
    }
    assert!(ids.is_sorted(), "{ids:?}");
    // From there nothing is missed.
    let two = upload(&gateway, 2).await;
    let mut resumed = Sse::open(&gateway, STREAM, stream.last_id).await;
    let event = resumed.event().await;
    assert_eq!(
        (&event["subject"], &event["sequence"]),
        (&json!(two), &json!("0000000001"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_slower_than_the_ring_misses_nothing() {
    let world = World::with(&[("KMRL_LIVE_RING", "16")]).await;
    let gateway = world.start();
    let mut slow = Sse::open(&gateway, STREAM, Some(0)).await;
    let mut ids = Vec::new();
    for n in 0..40 {
        ids.push(upload(&gateway, n).await);
    }
    for id in &ids {
        gateway.finished(id).await;
    }
    let expected = by_rest(&gateway).await;
    let seen = slow.events(expected.len()).await;
    assert_eq!(seen.iter().map(position).collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_is_refused() {
    let world = World::new().await;
    let gateway = world.start();
    for (id, status, slug) in [
        ("yesterday", 400, "invalid-parameter"),
        ("-1", 400, "invalid-parameter"),
        ("", 400, "invalid-parameter"),
        ("99999999999999999999", 400, "invalid-parameter"),
        ("1000000", 404, "log-position-future"),
    ] {
        let answer = gateway.get(STREAM).header("last-event-id", id);
        expect_problem(answer.send().await.unwrap(), status, slug).await;
    }
    let contradiction = gateway
        .get(&format!("{STREAM}?after=2"))
        .header("last-event-id", "1");
    let problem = expect_problem(
        contradiction.send().await.unwrap(),
        400,
        "invalid-parameter",
    );
    assert!(
        problem.await["detail"]
            .as_str()
            .unwrap()
            .contains("before `after`")
    );
    for (query, status, slug) in [
        ("after=x", 400, "invalid-parameter"),
        ("after=1000000", 404, "log-position-future"),
        ("type=extracted", 400, "invalid-parameter"),
        ("document_id=42", 400, "invalid-parameter"),
        ("colour=red", 400, "unknown-parameter"),
    ] {
        let answer = gateway.get(&format!("{STREAM}?{query}")).send().await;
        expect_problem(answer.unwrap(), status, slug).await;
    }
    let rest = gateway.get("/api/v1/events?after=1000000").send().await;
    expect_problem(rest.unwrap(), 404, "log-position-future").await;
    let form = gateway.get("/api/v1/events?format=xml").send().await;
    expect_problem(form.unwrap(), 400, "invalid-parameter").await;
    let stranger = reqwest::get(format!("{}{STREAM}", gateway.base)).await;
    expect_problem(stranger.unwrap(), 401, "unauthorized").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_in_order_when_the_gateway_does() {
    let world = World::new().await;
    let gateway = world.start();
    let mut stream = Sse::open(&gateway, STREAM, None).await;
    stream.frame().await.unwrap();
    let info = gateway.json("/api/v1/websocket/info").await;
    assert_eq!(info["connections"]["stream"], 1, "{info}");
    let (stopped, end) = tokio::join!(gateway.stop(), stream.frame());
    assert!(stopped);
    assert_eq!(end, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_served_and_is_what_the_specification_asks_for() {
    let world = World::new().await;
    let gateway = world.start();
    let served = reqwest::get(format!("{}/asyncapi.json", gateway.base)).await;
    let served: Value = served.unwrap().json().await.unwrap();
    assert_eq!(served, messages::document());
    assert_eq!(served["asyncapi"], "3.0.0");
    assert!(served["info"]["title"].is_string() && served["info"]["version"].is_string());
    for operation in served["operations"].as_object().unwrap().values() {
        assert!(["send", "receive"].contains(&operation["action"].as_str().unwrap()));
        assert!(operation["channel"]["$ref"].is_string());
    }
    // The addresses are those of the router, and every reference leads somewhere.
    let openapi = gateway.json("/openapi.json").await;
    for channel in served["channels"].as_object().unwrap().values() {
        let address = channel["address"].as_str().unwrap();
        assert!(openapi["paths"].get(address).is_some(), "{address}");
    }
    let mut references = Vec::new();
    collect(&served, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(served.pointer(pointer).is_some(), "{reference}");
    }
    assert!(!KEY.is_empty() && !served.to_string().contains(KEY));
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            references.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|v| collect(v, references));
        }
        Value::Array(items) => items.iter().for_each(|v| collect(v, references)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_of_the_document_is_said() {
    let world = World::with(&[("KMRL_LIVE_CHECKPOINT", "1")]).await;
    let gateway = world.start();
    let id = upload(&gateway, 1).await;
    gateway.finished(&id).await;
    let mut seen = std::collections::BTreeSet::new();
    let mut socket = gateway.socket("/ws?after=0").await;
    // From the first subscription on, only documents subscribed to are told of.
    while !seen.contains("document_update") {
        seen.insert(messages::check(&socket.next().await));
    }
    for request in [
        json!({"type": "ping"}),
        json!({"type": "get_status"}),
        json!({"type": "get_stats"}),
        json!({"type": "subscribe_document", "document_id": id}),
        json!({"type": "unsubscribe_document", "document_id": id}),
    ] {
        seen.insert(messages::check(&request));
        socket.send(request).await;
    }
    socket.send(json!({"type": "dance"})).await;
    let mut stream = Sse::open(&gateway, STREAM, Some(0)).await;
    seen.insert(messages::check(&stream.event().await));
    while seen != messages::names() {
        seen.insert(messages::check(&socket.next().await));
    }
}
