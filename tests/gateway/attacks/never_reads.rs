//! Clients that open a stream or a WebSocket and never read, or never stop asking: they cost a bounded memory, are let
//! go after a bounded time, and others go on.

use super::wire;
use crate::authority::key;
use crate::harness::{Gateway, KEY, World};
use crate::sse::Sse;
use crate::support::{eventually, memory};
use futures::StreamExt;
use futures::stream;
use serde_json::json;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const STREAM: &str = "/api/v1/events/stream";
/// Of each kind.
const CLIENTS: usize = 16;
const EVENTS: usize = 300;
/// Characters of four bytes in each event, so that a client that does not read misses megabytes.
const LARGE: usize = 1_000;

/// A connection that takes in as little as the system allows.
async fn narrow(gateway: &Gateway) -> TcpStream {
    let address: SocketAddr = gateway
        .base
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(address).await.unwrap()
}

fn upgrade(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Reads the head of the answer alone.
async fn opened(stream: &mut TcpStream, request: &str, status: &str) {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
}

/// A text message of a client, masked by zeros.
fn message(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 126);
    let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    frame
}

async fn connections(gateway: &Gateway) -> u64 {
    let info = gateway.json("/api/v1/websocket/info").await;
    info["active_connections"].as_u64().unwrap()
}

/// Large events, by real commands. Gives the most memory that was used meanwhile.
async fn make_events(gateway: &Gateway, ids: &[String]) -> u64 {
    let reason = "\u{10400}".repeat(LARGE);
    let made = stream::iter(0..EVENTS).map(|n| {
        let path = format!("/api/v1/documents/{}/legal-holds", ids[n % ids.len()]);
        let body = json!({"matter": format!("case-{n}"), "reason": reason});
        let request = gateway.post(&path).header("if-match", "*").json(&body);
        async move {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
            memory(gateway.pid(), "VmRSS")
        }
    });
    made.buffer_unordered(8)
        .fold(0, async |most, now| most.max(now))
        .await
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_never_read_cost_little_and_others_go_on() {
    let settings = [
        ("KMRL_LIVE_RING", "16"),
        ("KMRL_LIVE_LONGEST_WRITE", "5"),
        ("KMRL_LIVE_HEARTBEAT", "8"),
    ];
    let world = World::with(&settings).await;
    let gateway = world.start_roles("api,relay,projector");
    let mut ids = Vec::new();
    for n in 0..25 {
        let document = gateway
            .upload(&format!("{n}.txt"), format!("text {n}"))
            .await;
        ids.push(document["id"].as_str().unwrap().to_owned());
    }
    let mut idle = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = narrow(&gateway).await;
        let head = format!("GET {STREAM}?after=0 HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n\r\n");
        opened(&mut stream, &head, "200").await;
        idle.push(stream);
        let mut socket = narrow(&gateway).await;
        opened(&mut socket, &upgrade("/ws?after=0"), "101").await;
        idle.push(socket);
    }
    let before = memory(gateway.pid(), "VmRSS");
    let most = make_events(&gateway, &ids).await;
    // Kept for each of them in both of its forms, what they miss would be 95 MB.
    let grown = most.saturating_sub(before) / (1 << 20);
    println!("{} clients that never read: {grown} MiB more", 2 * CLIENTS);
    assert!(grown < 80, "{grown} MiB");
    // Whoever reads is told everything, and what comes next.
    let mut reader = Sse::open(&gateway, STREAM, Some(0)).await;
    let mut told = 0;
    while told < ids.len() + EVENTS {
        told += usize::from(reader.frame().await.unwrap().data.is_some());
    }
    let mut socket = gateway.socket("/ws").await;
    let id = gateway.upload("next.txt", "next").await["id"].clone();
    socket
        .find(|message| message["document_id"] == id && message["status"] == "queued")
        .await;
    eventually("all that never read are let go", || async {
        (connections(&gateway).await <= 2).then_some(())
    })
    .await;
    drop(idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_answers_no_ping_is_let_go() {
    let world = World::with(&[("KMRL_LIVE_HEARTBEAT", "1")]).await;
    let gateway = world.start();
    let mut socket = wire::connect(&gateway).await;
    opened(&mut socket, &upgrade("/ws"), "101").await;
    assert_eq!(connections(&gateway).await, 1);
    eventually("it is let go", || async {
        (connections(&gateway).await == 0).then_some(())
    })
    .await;
    drop(socket);
}

/// Asks until the connection ends; how often it could.
async fn ask_for_ever(mut socket: TcpStream, reads: bool) -> usize {
    let questions = message(r#"{"type":"ping"}"#).repeat(64);
    let mut asked = 0;
    let (mut reader, mut writer) = socket.split();
    let asking = async {
        while writer.write_all(&questions).await.is_ok() {
            asked += 64;
        }
    };
    let reading = async {
        let mut buffer = [0; 16 * 1_024];
        while reads && matches!(reader.read(&mut buffer).await, Ok(1..)) {}
        if !reads {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! { () = asking => {}, () = reading => {} }
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_asks_and_never_reads_is_let_go() {
    let world = World::with(&[("KMRL_LIVE_LONGEST_WRITE", "2")]).await;
    let gateway = world.start();
    let mut socket = narrow(&gateway).await;
    opened(&mut socket, &upgrade("/ws"), "101").await;
    let asking = tokio::spawn(ask_for_ever(socket, false));
    eventually("it is let go", || async {
        (connections(&gateway).await == 0).then_some(())
    })
    .await;
    assert!(asking.await.unwrap() > 0);
    gateway.json("/api/v1/status").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_never_stops_asking_loses_its_revoked_key() {
    let world = World::new().await;
    let gateway = world.start();
    let terms = json!({"name": "asker", "owner": "tests", "roles": ["reader"]});
    let secret = key(&gateway, terms).await;
    let mut socket = wire::connect(&gateway).await;
    opened(&mut socket, &upgrade("/ws").replace(KEY, &secret), "101").await;
    let asking = tokio::spawn(ask_for_ever(socket, true));
    eventually("it is connected", || async {
        (connections(&gateway).await == 1).then_some(())
    })
    .await;
    // The id is the part of a key that may be shown.
    let id = secret.split('_').nth(1).unwrap();
    let revoke = gateway.post(&format!("/api/v1/keys/{id}/revoke"));
    let answer = revoke
        .json(&json!({"reason": "stolen"}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    eventually("it is let go", || async {
        (connections(&gateway).await == 0).then_some(())
    })
    .await;
    asking.await.unwrap();
}
