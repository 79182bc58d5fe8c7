//! Bytes on a connection as no HTTP client would send them, and all answers that come back.

use crate::harness::Gateway;
use crate::support::PATIENCE;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is sent after an attack: its answer tells that the connection is still good, and its end that nothing
/// else comes.
pub const LAST: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// One answer of a connection.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// The stable word of the problem, or nothing.
    pub fn slug(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let kind = body["type"].as_str().unwrap_or_default();
        kind.trim_start_matches("/problems/").to_owned()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub async fn connect(gateway: &Gateway) -> TcpStream {
    let address = gateway.base.strip_prefix("http://").unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// Sends the bytes on a connection of their own, and [`LAST`] after them: all answers until the end.
pub async fn attack(gateway: &Gateway, bytes: impl AsRef<[u8]>) -> Vec<Answer> {
    let mut sent = bytes.as_ref().to_vec();
    sent.extend_from_slice(LAST.as_bytes());
    exchange(gateway, &sent).await
}

/// Sends the bytes: all answers until the gateway closes the connection.
pub async fn exchange(gateway: &Gateway, bytes: &[u8]) -> Vec<Answer> {
    let (mut reader, mut writer) = connect(gateway).await.into_split();
    let mut got = Vec::new();
    let talking = async {
        // What is refused in the middle is not read to its end: writing may fail then.
        let writing = async {
            let _ = writer.write_all(bytes).await;
            std::future::pending::<()>().await;
        };
        let reading = async {
            let mut buffer = vec![0; 64 * 1024];
            // A reset ends a connection as well as a close does.
            while let Ok(n @ 1..) = reader.read(&mut buffer).await {
                got.extend_from_slice(&buffer[..n]);
            }
        };
        tokio::select! { () = writing => {}, () = reading => {} }
    };
    let ended = tokio::time::timeout(PATIENCE, talking).await;
    let said = String::from_utf8_lossy(&got).into_owned();
    ended.unwrap_or_else(|_| panic!("the connection stays open after: {said}"));
    answers(&got)
}

/// Statuses in the order of the answers.
pub fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}

fn answers(mut bytes: &[u8]) -> Vec<Answer> {
    let mut found = Vec::new();
    while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer: {head}"));
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let rest = &bytes[end + 4..];
        // What has no length lasts until the end.
        let length = length.map_or(rest.len(), |length| length.parse().unwrap());
        let (body, after) = rest.split_at(length.min(rest.len()));
        found.push(Answer {
            status,
            head,
            body: body.to_vec(),
        });
        bytes = after;
    }
    assert!(bytes.is_empty(), "{}", String::from_utf8_lossy(bytes));
    found
}

/// Statuses of answers without bodies.
pub async fn heads(gateway: &Gateway, bytes: &str) -> Vec<u16> {
    let mut stream = connect(gateway).await;
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    let reading = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut got)).await;
    // A reset is an end too.
    let _ = reading.expect("the connection stays open");
    let said = String::from_utf8_lossy(&got).into_owned();
    let words = said.split("HTTP/1.1 ").skip(1);
    words.map(|rest| rest[..3].parse().unwrap()).collect()
}
