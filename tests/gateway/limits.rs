//! Limits through the real program: rates over replicas, what is open at once, slow clients, queues, blocked addresses.

use crate::authority::{as_holder, key};
use crate::harness::{Gateway, KEY, World, expect_problem};
use crate::support::scrape::Scraped;
use crate::support::{PATIENCE, eventually};
use reqwest::{Method, Response, StatusCode};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const STATISTICS: &str = "/api/v1/documents/statistics";

async fn asked(gateway: &Gateway, key: &str) -> Response {
    let request = as_holder(gateway, Method::GET, STATISTICS, key);
    request.send().await.unwrap()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

async fn hits(gateway: &Gateway, limit: &str) -> f64 {
    let sample = format!("kmrl_limits_hit_total{{limit=\"{limit}\"}}");
    Scraped::of(gateway).await.get(&sample).unwrap()
}

async fn reader(gateway: &Gateway, name: &str) -> String {
    let terms = json!({"name": name, "owner": "tests", "roles": ["reader"]});
    key(gateway, terms).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_budget_holds_over_all_replicas() {
    let settings = [
        ("KMRL_LIMITS_QUERIES", "8"),
        ("KMRL_LIMITS_EXCEPTIONS", "actor=key:admin,queries=0"),
    ];
    let world = World::with(&settings).await;
    let (one, two) = (world.start(), world.start());
    let (desk, other) = (reader(&one, "desk").await, reader(&one, "other").await);
    let first = asked(&one, &desk).await;
    assert_eq!(header(&first, "ratelimit-policy"), "\"queries\";q=8;w=60");
    assert!(header(&first, "ratelimit").starts_with("\"queries\";r=7;t="));
    let mut answered = 1;
    let refused = loop {
        let gateway = if answered % 2 == 0 { &one } else { &two };
        let answer = asked(gateway, &desk).await;
        if answer.status() != StatusCode::OK {
            break answer;
        }
        answered += 1;
        assert!(answered < 100, "nothing is limited");
    };
    // One comes back every 7.5 s; the test may take longer than that.
    assert!((8..20).contains(&answered), "{answered}");
    let after: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=8).contains(&after), "{after}");
    assert!(header(&refused, "ratelimit").starts_with("\"queries\";r=0;t="));
    expect_problem(refused, 429, "rate-limited").await;
    assert_eq!(asked(&two, &other).await.status(), StatusCode::OK);
    assert!(hits(&one, "rate").await + hits(&two, "rate").await >= 1.0);
    // Whoever is exempt is told of no limit.
    let exempt = asked(&one, KEY).await;
    assert_eq!(header(&exempt, "ratelimit"), "");
    // What was not looked at is not in the trail, which is kept for ever.
    let trail = one
        .json("/api/v1/audit?actor=key:desk&outcome=refused")
        .await;
    assert_eq!(
        trail["entries"].as_array().map(Vec::len),
        Some(0),
        "{trail}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn classes_sources_and_exceptions_have_rates_of_their_own() {
    let settings = [
        ("KMRL_LIMITS_UPLOADS", "100"),
        ("KMRL_LIMITS_COMMANDS", "1"),
        ("KMRL_LIMITS_EXCEPTIONS", "source=manual,uploads=2"),
    ];
    let world = World::with(&settings).await;
    let gateway = world.start();
    for text in ["one", "two"] {
        gateway.upload("a.txt", text).await;
    }
    let third = gateway
        .upload_request("a.txt", "three")
        .send()
        .await
        .unwrap();
    assert!(header(&third, "ratelimit").starts_with("\"source\";r=0;t="));
    expect_problem(third, 429, "rate-limited").await;
    let ticket = || gateway.post("/api/v1/websocket/ticket").send();
    // A ticket is a question, not a command.
    for _ in 0..3 {
        assert!(ticket().await.unwrap().status().is_success());
    }
    let command = || {
        gateway
            .post("/api/v1/commands")
            .json(&json!({"commands": []}))
    };
    let first = command().send().await.unwrap();
    assert_eq!(header(&first, "ratelimit-policy"), "\"commands\";q=1;w=60");
    assert_ne!(first.status(), StatusCode::TOO_MANY_REQUESTS);
    expect_problem(command().send().await.unwrap(), 429, "rate-limited").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_counted_before_it_is_known_who_asks() {
    let settings = [
        ("KMRL_LIMITS_ADDRESS_REQUESTS", "5"),
        ("KMRL_HTTP_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let world = World::with(&settings).await;
    let gateway = world.start();
    let from = |address: &'static str| {
        let request = gateway.client.get(format!("{}/health/live", gateway.base));
        request.header("x-forwarded-for", address).send()
    };
    for _ in 0..5 {
        assert_eq!(from("198.51.100.1").await.unwrap().status(), StatusCode::OK);
    }
    let refused = from("198.51.100.1").await.unwrap();
    assert!(header(&refused, "ratelimit").starts_with("\"address\";r=0;t="));
    expect_problem(refused, 429, "rate-limited").await;
    // What the client wrote itself does not make it another.
    let forged = from("203.0.113.77, 198.51.100.1").await.unwrap();
    expect_problem(forged, 429, "rate-limited").await;
    assert_eq!(from("198.51.100.2").await.unwrap().status(), StatusCode::OK);
}

/// A world whose clients may say which address they come from.
async fn behind_a_proxy() -> World {
    World::with(&[
        ("KMRL_LIMITS_FAILURES", "3"),
        ("KMRL_HTTP_TRUSTED_PROXIES", "127.0.0.1"),
    ])
    .await
}

async fn from(gateway: &Gateway, address: &str, key: &str) -> Response {
    let request = as_holder(gateway, Method::GET, STATISTICS, key);
    let request = request.header("x-forwarded-for", address);
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_guesses_is_blocked_everywhere_until_it_is_let_in() {
    let world = behind_a_proxy().await;
    let (one, two) = (world.start(), world.start());
    let guesser = "2001:db8:1:2::7";
    for guess in ["wrong-1", "wrong-2", "wrong-3"] {
        let answer = from(&one, guesser, guess).await;
        expect_problem(answer, 401, "unauthorized").await;
    }
    // Also with a good key, from anywhere in the same /64, on every replica.
    let answer = from(&one, "2001:db8:1:2:ffff::1", KEY).await;
    let after: u64 = header(&answer, "retry-after").parse().unwrap();
    assert!((800..=900).contains(&after), "{after}");
    expect_problem(answer, 429, "address-blocked").await;
    eventually("the other replica to know it", async || {
        let status = from(&two, guesser, KEY).await.status();
        (status == StatusCode::TOO_MANY_REQUESTS).then_some(())
    })
    .await;
    assert_eq!(
        from(&one, "2001:db8:1:3::7", KEY).await.status(),
        StatusCode::OK
    );
    assert!(hits(&one, "blocked").await >= 1.0);
    let list = two.json("/api/v1/blocked-addresses").await;
    let block = &list["blocked_addresses"][0];
    assert_eq!(block["address"], "2001:db8:1:2::");
    assert_eq!(block["failures"], 3);
    let shown = String::from_utf8(world.tool(&["blocked", "list"]).stdout).unwrap();
    assert!(shown.starts_with("2001:db8:1:2::  until "), "{shown}");
    let lift = |address: &str| {
        let path = format!("{}/api/v1/blocked-addresses/{address}", two.base);
        two.client.delete(path).send()
    };
    let lifted = lift("2001:db8:1:2::9").await.unwrap();
    assert_eq!(lifted.status(), StatusCode::NO_CONTENT);
    expect_problem(
        lift("2001:db8:1:2::9").await.unwrap(),
        404,
        "block-not-found",
    )
    .await;
    expect_problem(lift("the-moon").await.unwrap(), 400, "invalid-parameter").await;
    eventually("it to be let in", async || {
        let status = from(&one, guesser, KEY).await.status();
        (status == StatusCode::OK).then_some(())
    })
    .await;
    // Its failures are forgotten: one more is no block.
    assert_eq!(from(&one, guesser, "wrong").await.status(), 401);
    assert_eq!(from(&one, guesser, KEY).await.status(), StatusCode::OK);
    eventually("the trail to have all three", async || {
        let trail = one.json("/api/v1/audit?action=lift_block").await;
        (trail["entries"].as_array()?.len() == 3).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_blocked_for_having_no_credential_or_on_this_machine() {
    let world = behind_a_proxy().await;
    let gateway = world.start();
    let url = format!("{}{STATISTICS}", gateway.base);
    for _ in 0..6 {
        let bare = reqwest::Client::new().get(&url);
        let answer = bare.header("x-forwarded-for", "198.51.100.9").send().await;
        assert_eq!(answer.unwrap().status(), 401);
        assert_eq!(asked(&gateway, "wrong").await.status(), 401);
    }
    assert_eq!(
        from(&gateway, "198.51.100.9", KEY).await.status(),
        StatusCode::OK
    );
    assert_eq!(asked(&gateway, KEY).await.status(), StatusCode::OK);
}

/// Opens a connection and sends the beginning of an upload, until the gateway wants to read on.
async fn begin_upload(gateway: &Gateway) -> TcpStream {
    let address = gateway.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/v1/documents/upload HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 25];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

/// Everything that the other end says until it closes.
async fn all_of(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let reading = stream.read_to_end(&mut all);
    // A reset after the answer is a close, too.
    let _reset = tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("it goes on");
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_uploads_at_once_and_no_more() {
    let world = World::with(&[("KMRL_LIMITS_UPLOADS_AT_ONCE_OF_ONE", "1")]).await;
    let gateway = world.start();
    let held = begin_upload(&gateway).await;
    let second = gateway.upload_request("a.txt", "text").send();
    let refused = second.await.unwrap();
    assert_eq!(header(&refused, "retry-after"), "1");
    expect_problem(refused, 429, "too-many-at-once").await;
    drop(held);
    eventually("the place to be given back", async || {
        let answer = gateway
            .upload_request("a.txt", "text")
            .send()
            .await
            .unwrap();
        (answer.status() == StatusCode::ACCEPTED).then_some(())
    })
    .await;
    assert!(hits(&gateway, "uploads").await >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_are_too_slow_are_let_go() {
    let world = World::with(&[("KMRL_HTTP_PATIENCE", "1")]).await;
    let gateway = world.start();
    // A body that stands still.
    let mut upload = begin_upload(&gateway).await;
    let answer = all_of(&mut upload).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("/problems/body-too-slow"), "{answer}");
    // A head that never ends.
    let address = gateway.base.strip_prefix("http://").unwrap();
    let mut head = TcpStream::connect(address).await.unwrap();
    head.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        .await
        .unwrap();
    assert_eq!(all_of(&mut head).await, "");
    // A connection on which nothing is asked.
    let mut idle = TcpStream::connect(address).await.unwrap();
    assert_eq!(all_of(&mut idle).await, "");
    assert!(hits(&gateway, "time").await >= 1.0);
    assert_eq!(asked(&gateway, KEY).await.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_reads_is_given_up() {
    let world = World::with(&[("KMRL_HTTP_PATIENCE", "1")]).await;
    let gateway = world.start();
    let document = gateway.upload("a.txt", vec![b'x'; 32 << 20]).await;
    let id = document["id"].as_str().unwrap();
    let address = gateway.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET /api/v1/documents/{id}/download HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let local = stream.local_addr().unwrap().port();
    eventually("the gateway to have taken it", async || {
        held_by(gateway.pid(), local).then_some(())
    })
    .await;
    eventually("the gateway to let it go", async || {
        (!held_by(gateway.pid(), local)).then_some(())
    })
    .await;
    // Only what fits into the buffers between us has come.
    let read = all_of(&mut stream).await;
    assert!(read.len() < 32 << 20, "all of it came");
}

/// Tells whether a process has a connection from a port, by `/proc`.
fn held_by(pid: u32, port: u16) -> bool {
    let links = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = links
        .flatten()
        .filter_map(|fd| std::fs::read_link(fd.path()).ok());
    let held: Vec<String> = links
        .map(|link| link.to_string_lossy().into_owned())
        .collect();
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let mut rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.any(|words| {
        let (Some(remote), Some(inode)) = (words.get(2), words.get(9)) else {
            return false;
        };
        remote.ends_with(&format!(":{port:04X}")) && held.contains(&format!("socket:[{inode}]"))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_connections_of_an_address_and_no_more() {
    let settings = [
        ("KMRL_HTTP_CONNECTIONS_OF_AN_ADDRESS", "2"),
        ("KMRL_LIMITS_LIVE_OF_ONE", "1"),
    ];
    let world = World::with(&settings).await;
    let gateway = world.start();
    let address = gateway.base.strip_prefix("http://").unwrap();
    let mut held = Vec::new();
    let answer = tokio::time::timeout(PATIENCE, async {
        loop {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let mut first = [0; 512];
            let told = tokio::time::timeout(Duration::from_millis(500), stream.read(&mut first));
            match told.await {
                Ok(Ok(n)) if n > 0 => return String::from_utf8_lossy(&first[..n]).into_owned(),
                _ => held.push(stream),
            }
        }
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("Retry-After: 1"), "{answer}");
    assert!(held.len() <= 2, "{}", held.len());
    drop(held);
    // Live connections are counted for each key.
    let socket = eventually("a place for a socket", async || {
        gateway.socket_with("/ws", &[("x-api-key", KEY)]).await.ok()
    })
    .await;
    let second = gateway.socket_with("/ws", &[("x-api-key", KEY)]).await;
    assert_eq!(second.err(), Some(429));
    drop(socket);
    eventually("the place to be given back", async || {
        gateway.socket_with("/ws", &[("x-api-key", KEY)]).await.ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_wait_while_too_many_documents_do() {
    let world = World::with(&[("KMRL_LIMITS_WAITING", "2")]).await;
    // Nobody takes in what is uploaded.
    let gateway = world.start_roles("api,projector");
    let refused = eventually("the limit to be reached", async || {
        let answer = gateway
            .upload_request("a.txt", "text")
            .send()
            .await
            .unwrap();
        (answer.status() != StatusCode::ACCEPTED).then_some(answer)
    })
    .await;
    assert_eq!(header(&refused, "retry-after"), "30");
    expect_problem(refused, 503, "queue-full").await;
    // Everything else goes on.
    assert_eq!(asked(&gateway, KEY).await.status(), StatusCode::OK);
    assert!(hits(&gateway, "queue").await >= 1.0);
    let _others = world.start_roles("relay,worker");
    eventually("room for further ones", async || {
        let answer = gateway
            .upload_request("b.txt", "more")
            .send()
            .await
            .unwrap();
        (answer.status() == StatusCode::ACCEPTED).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_talkative_socket_is_closed() {
    let world = World::new().await;
    let gateway = world.start();
    let mut socket = gateway.socket("/ws").await;
    for _ in 0..3_100 {
        socket.send(json!({"type": "ping"})).await;
    }
    assert_eq!(socket.closed().await, 1008);
}
