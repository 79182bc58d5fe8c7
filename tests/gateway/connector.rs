//! A connector of the gateway that this one replaces, written from its API alone: it uploads with a key and
//! form fields, polls the status, subscribes to the document, downloads it and asks for statistics.
//!
//! It knows nothing that is new here, and reads the fields and words that it always read.

use crate::authority::key;
use crate::harness::{Gateway, World};
use crate::support::{PATIENCE, eventually};
use futures::{SinkExt, StreamExt};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// What a document of the replaced gateway had.
const FIELDS: [&str; 14] = [
    "id",
    "original_filename",
    "s3_key",
    "source",
    "content_type",
    "file_size",
    "upload_time",
    "status",
    "extracted_text",
    "confidence_score",
    "language",
    "department",
    "metadata",
    "uploaded_by",
];
const STATUSES: [&str; 4] = ["queued", "processing", "processed", "failed"];

struct Connector {
    base: String,
    key: String,
    client: Client,
}

impl Connector {
    async fn get(&self, path: &str) -> Value {
        let request = self.client.get(format!("{}{path}", self.base));
        let answer = request.header("X-API-Key", &self.key).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json().await.unwrap()
    }

    async fn upload(&self, text: &str) -> Value {
        let part = Part::text(text.to_owned()).file_name("work-order.txt");
        let form = Form::new()
            .part("file", part.mime_str("text/plain").unwrap())
            .text("source", "maximo")
            .text("metadata", r#"{"wonum": "WO-1"}"#);
        let request = self
            .client
            .post(format!("{}/api/v1/documents/upload", self.base));
        let request = request.header("X-API-Key", &self.key).multipart(form);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.json().await.unwrap()
    }

    /// Messages about a document until it is processed.
    async fn follow(&self, id: &str) -> Vec<Value> {
        let url = format!("{}/ws", self.base.replace("http", "ws"));
        let mut request = url.into_client_request().unwrap();
        let bearer = format!("Bearer {}", self.key).parse().unwrap();
        request.headers_mut().insert("Authorization", bearer);
        let (mut socket, _) = connect_async(request).await.unwrap();
        let subscribe = json!({"type": "subscribe_document", "document_id": id});
        socket
            .send(Message::text(subscribe.to_string()))
            .await
            .unwrap();
        let mut updates = Vec::new();
        let following = async {
            while let Some(Ok(message)) = socket.next().await {
                let Message::Text(text) = message else {
                    continue;
                };
                let message: Value = serde_json::from_str(&text).unwrap();
                match message["type"].as_str().unwrap() {
                    // From here on nothing is missed: what was before, the status tells.
                    "subscribed" => {
                        let status = self.get(&format!("/api/v1/documents/{id}/status")).await;
                        if status["status"] == "processed" {
                            return;
                        }
                    }
                    "document_update" => {
                        let done = message["status"] == "processed";
                        updates.push(message);
                        if done {
                            return;
                        }
                    }
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, following).await.unwrap();
        updates
    }
}

async fn connector(gateway: &Gateway) -> Connector {
    let terms = json!({
        "name": "maximo", "owner": "tests", "roles": ["connector"], "sources": ["maximo"],
    });
    Connector {
        base: gateway.base.clone(),
        key: key(gateway, terms).await,
        client: Client::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_of_the_replaced_gateway_works_unchanged() {
    let world = World::new().await;
    let gateway = world.start();
    let connector = connector(&gateway).await;
    let text = "Work order WO-1: replace the brake pads of car 3.";
    let uploaded = connector.upload(text).await;
    assert!(
        FIELDS.iter().all(|field| uploaded.get(field).is_some()),
        "{uploaded}"
    );
    assert!(STATUSES.contains(&uploaded["status"].as_str().unwrap()));
    let id = uploaded["id"].as_str().unwrap();
    // Connectors poll at once: what was accepted is there.
    let status = connector
        .get(&format!("/api/v1/documents/{id}/status"))
        .await;
    assert!(STATUSES.contains(&status["status"].as_str().unwrap()));
    for update in connector.follow(id).await {
        for field in ["document_id", "status", "progress", "message", "timestamp"] {
            assert!(update.get(field).is_some(), "{field}: {update}");
        }
        assert_eq!(update["document_id"], id);
    }
    let document = eventually("it to be processed", async || {
        let document = connector.get(&format!("/api/v1/documents/{id}")).await;
        (document["status"] == "processed").then_some(document)
    })
    .await;
    assert!(
        FIELDS.iter().all(|field| document.get(field).is_some()),
        "{document}"
    );
    assert_eq!(document["extracted_text"].as_str().unwrap().trim(), text);
    assert_eq!(
        (&document["metadata"]["wonum"], &document["source"]),
        (&json!("WO-1"), &json!("maximo"))
    );
    let page = connector
        .get("/api/v1/documents/?skip=0&limit=10&source=maximo&status=processed")
        .await;
    for field in ["documents", "total", "page", "per_page", "total_pages"] {
        assert!(page.get(field).is_some(), "{field}");
    }
    assert_eq!(page["documents"][0]["id"], id);
    let statistics = connector.get("/api/v1/documents/statistics").await;
    assert_eq!(statistics["total"], 1);
    let url = format!("{}/api/v1/documents/{id}/download", connector.base);
    let download = connector
        .client
        .get(url)
        .header("X-API-Key", &connector.key);
    assert_eq!(download.send().await.unwrap().text().await.unwrap(), text);
    for path in [
        "/health",
        "/api/v1/status",
        "/api/v1/websocket/info",
        "/api/v1/documents/validation-errors",
    ] {
        connector.get(path).await;
    }
}
