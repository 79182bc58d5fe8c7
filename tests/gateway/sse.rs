//! A client of server-sent events, after WHATWG HTML, section 9.2.6.

use crate::harness::Gateway;
use crate::support::PATIENCE;
use crate::support::messages;
use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::Response;
use serde_json::Value;

/// What lies between two empty lines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    pub id: Option<i64>,
    pub event: Option<String>,
    pub data: Option<Value>,
    pub comments: usize,
    pub retry: Option<u64>,
}

pub struct Sse {
    chunks: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    buffer: Vec<u8>,
    /// The last id of any frame: what a browser would come back with.
    pub last_id: Option<i64>,
}

impl Sse {
    /// Opens a stream, after an id when one is given.
    pub async fn open(gateway: &Gateway, path: &str, last_id: Option<i64>) -> Self {
        let mut request = gateway.get(path);
        if let Some(id) = last_id {
            request = request.header("last-event-id", id.to_string());
        }
        Self::of(request.send().await.unwrap(), last_id)
    }

    pub fn of(answer: Response, last_id: Option<i64>) -> Self {
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self {
            chunks: answer.bytes_stream().boxed(),
            buffer: Vec::new(),
            last_id,
        }
    }

    /// The next frame; `None` at an end in order.
    pub async fn frame(&mut self) -> Option<Frame> {
        let reading = async {
            loop {
                // A chunk may end within a character.
                if let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                    let rest = self.buffer.split_off(end + 2);
                    let text = std::mem::replace(&mut self.buffer, rest);
                    let frame = parse(std::str::from_utf8(&text[..end]).unwrap());
                    self.last_id = frame.id.or(self.last_id);
                    return Some(frame);
                }
                let chunk = self.chunks.next().await?.expect("the stream broke off");
                self.buffer.extend_from_slice(&chunk);
            }
        };
        let frame = tokio::time::timeout(PATIENCE, reading).await;
        frame.expect("no frame came")
    }

    /// The next CloudEvent.
    pub async fn event(&mut self) -> Value {
        loop {
            let frame = self.frame().await.expect("the stream ended");
            let Some(event) = frame.data else { continue };
            assert_eq!(messages::check(&event), "cloud_event");
            let position: i64 = event["id"].as_str().unwrap().parse().unwrap();
            assert_eq!(frame.id, Some(position));
            assert_eq!(event["position"], event["id"]);
            assert_eq!(event["data"]["type"].as_str(), frame.event.as_deref());
            return event;
        }
    }

    /// So many CloudEvents.
    pub async fn events(&mut self, n: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < n {
            events.push(self.event().await);
        }
        events
    }
}

fn parse(text: &str) -> Frame {
    let mut frame = Frame::default();
    for line in text.lines() {
        let (field, value) = line.split_once(':').unwrap();
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => frame.comments += 1,
            "id" => frame.id = Some(value.parse().unwrap()),
            "event" => frame.event = Some(value.to_owned()),
            "data" => frame.data = Some(serde_json::from_str(value).unwrap()),
            "retry" => frame.retry = Some(value.parse().unwrap()),
            other => panic!("field {other}"),
        }
    }
    frame
}
