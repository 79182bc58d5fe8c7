//! What a client sent and what it was told: the side of the promise that the gateway must keep.
//!
//! Every upload and command has a key of its own, which is its idempotency key and correlation id,
//! so that what was not answered can be sent again and is found in the log by it.

use crate::support::eventually;
use crate::support::gateway::Gateway;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// A message with as many files attached as its name says.
pub const MESSAGE: &str = "two-attached.eml";
pub const ATTACHED: usize = 2;

fn message(tag: &str) -> Vec<u8> {
    let part = |name: &str| {
        format!(
            "--b\r\nContent-Type: text/plain; name={name}\r\n\
             Content-Disposition: attachment; filename={name}\r\n\r\n{tag} {name}\r\n"
        )
    };
    format!(
        "From: a@example.org\r\nSubject: {tag}\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\n{tag}\r\n{}{}--b--\r\n",
        part("one.txt"),
        part("two.txt")
    )
    .into()
}

/// Something sent, and whether the client was told that it is done.
pub struct Sent {
    pub key: String,
    pub what: What,
    /// The document; of an upload only once it was accepted.
    pub id: Option<String>,
    pub accepted: bool,
    /// The gateway said no for good.
    pub refused: bool,
}

pub enum What {
    Upload { name: String, bytes: Vec<u8> },
    Correct,
    Withdraw,
}

#[derive(Default)]
pub struct Ledger {
    tag: String,
    pub sent: Vec<Sent>,
    /// Request ids of reads that were answered.
    pub reads: Vec<String>,
    count: u32,
}

impl Ledger {
    pub fn new(tag: &str) -> Self {
        Self {
            tag: tag.into(),
            ..Self::default()
        }
    }

    fn key(&mut self) -> String {
        self.count += 1;
        format!("{}-{}", self.tag, self.count)
    }

    /// Sends an upload once; whether it was accepted.
    pub async fn upload(&mut self, api: &Gateway, name: &str, bytes: impl Into<Vec<u8>>) -> bool {
        let (name, bytes) = (name.to_owned(), bytes.into());
        self.send(api, What::Upload { name, bytes }, None).await
    }

    /// Sends a command once; whether it was accepted.
    pub async fn command(&mut self, api: &Gateway, what: What, id: String) -> bool {
        self.send(api, what, Some(id)).await
    }

    async fn send(&mut self, api: &Gateway, what: What, id: Option<String>) -> bool {
        let mut sent = Sent {
            key: self.key(),
            what,
            id,
            accepted: false,
            refused: false,
        };
        sent.send(api).await;
        let accepted = sent.accepted;
        self.sent.push(sent);
        accepted
    }

    /// A few uploads of different kinds with reads between them, until one is not answered.
    pub async fn some_uploads(&mut self, api: &Gateway) {
        let tag = self.tag.clone();
        let pages: Vec<String> = (0..20).map(|n| format!("{tag} page {n}")).collect();
        let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
        let uploads: [(&str, Vec<u8>); 6] = [
            ("first.txt", format!("{tag} first").into()),
            ("manual.pdf", kmrl_extraction::fixtures::pdf(&pages)),
            ("again.txt", format!("{tag} first").into()),
            ("broken.pdf", format!("%PDF-1.7\n{tag} not really").into()),
            ("last.txt", format!("{tag} last").into()),
            (MESSAGE, message(&tag)),
        ];
        for (name, bytes) in uploads {
            if !self.upload(api, name, bytes).await {
                return;
            }
            for path in ["/api/v1/documents/", "/api/v1/events"] {
                if !self.read(api, path).await {
                    return;
                }
            }
        }
    }

    /// Reads; whether it was answered.
    pub async fn read(&mut self, api: &Gateway, path: &str) -> bool {
        let id = format!("read-{}", self.key());
        let request = api.get(path).header("x-request-id", &id);
        let Ok(answer) = request.send().await else {
            return false;
        };
        let shown = answer.status() == StatusCode::OK;
        if shown && answer.bytes().await.is_ok() {
            self.reads.push(id);
        }
        shown
    }

    /// Sends again what was neither accepted nor refused, until it is.
    pub async fn send_again(&mut self, api: &Gateway) {
        for sent in &mut self.sent {
            let sent = tokio::sync::Mutex::new(sent);
            eventually("it is answered", || async {
                let mut sent = sent.lock().await;
                if !sent.accepted && !sent.refused {
                    sent.send(api).await;
                }
                (sent.accepted || sent.refused).then_some(())
            })
            .await;
        }
    }

    /// One of the documents that were accepted, if there is any.
    pub fn document(&self, number: usize) -> Option<String> {
        let all = self.documents();
        all.get(number % all.len().max(1)).cloned()
    }

    /// Takes over what another client sent and was told.
    pub fn append(&mut self, mut other: Self) {
        self.sent.append(&mut other.sent);
        self.reads.append(&mut other.reads);
    }

    /// Documents that were accepted.
    pub fn documents(&self) -> Vec<String> {
        let is_upload = |s: &&Sent| matches!(s.what, What::Upload { .. }) && s.accepted;
        let uploads = self.sent.iter().filter(is_upload);
        uploads.filter_map(|s| s.id.clone()).collect()
    }
}

impl Sent {
    async fn send(&mut self, api: &Gateway) {
        let id = self.id.as_deref().unwrap_or_default();
        let path = |verb: &str| format!("/api/v1/documents/{id}/{verb}");
        let command = |verb: &str, body: Value| api.post(&path(verb)).json(&body);
        let request: RequestBuilder = match &self.what {
            What::Upload { name, bytes } => api.upload_request(name, bytes.clone()),
            What::Correct => command("correct", json!({"metadata": {"mark": self.key}})),
            What::Withdraw => command("withdraw", json!({ "reason": "sent by mistake" })),
        };
        let request = request
            .header("idempotency-key", &self.key)
            .header("x-correlation-id", &self.key)
            .header("if-match", "*");
        let Ok(answer) = request.send().await else {
            return;
        };
        let status = answer.status();
        if status.is_success() {
            if let Ok(document) = answer.json::<Value>().await {
                self.accepted = true;
                if matches!(self.what, What::Upload { .. }) {
                    self.id = document["id"].as_str().map(Into::into);
                }
            }
        } else if status.is_client_error() {
            let text = answer.text().await.unwrap_or_default();
            let may_be = !matches!(self.what, What::Upload { .. }) && status == 409;
            assert!(may_be, "{status}: {text}");
            self.refused = true;
        }
    }
}
