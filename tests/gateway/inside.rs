//! What is inside a document: attachments and packed files become documents of their own, once.

use crate::harness::{Gateway, World};
use crate::support::eventually;
use kmrl_extraction::fixtures::office::{docx, eml, paragraph, zip};
use reqwest::StatusCode;
use serde_json::{Value, json};

const SECOND: &str = "second-person-0123456789";

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A message with a text and an archive attached, in which is a Word document.
fn message() -> Vec<u8> {
    let report = docx(&paragraph("സുരക്ഷാ report"), &[], &[]);
    let archive = zip(&[("reports/report.docx", &report)]);
    eml(&[
        ("notes.txt", "text/plain", &base64(b"Brakes checked")),
        ("all.zip", "application/zip", &base64(&archive)),
    ])
}

/// The document of a name inside another, once it has ended.
async fn inside(gateway: &Gateway, parent: &str, name: &str) -> Value {
    let path = format!("/api/v1/documents/?parent={parent}");
    let id = eventually(name, || async {
        let list = gateway.json(&path).await;
        let all = list["documents"].as_array().unwrap();
        let found = all.iter().find(|d| d["original_filename"] == name)?;
        Some(found["id"].as_str().unwrap().to_owned())
    })
    .await;
    gateway.finished(&id).await
}

async fn again(gateway: &Gateway, id: &str) {
    let path = format!("/api/v1/documents/{id}/reprocess");
    let answer = gateway.post(&path).header("if-match", "*").json(&json!({}));
    let answer = answer.send().await.unwrap();
    assert!(answer.status().is_success(), "{:?}", answer.text().await);
    eventually("the second run", || async {
        let document = gateway.json(&format!("/api/v1/documents/{id}")).await;
        (document["run"] == 2 && document["status"] == "processed").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_attached_lives_a_life_of_its_own_and_once() {
    let world = World::new().await;
    let gateway = world.start();
    let sent = gateway.upload("circular.eml", message()).await;
    let id = sent["id"].as_str().unwrap().to_owned();
    let parent = gateway.finished(&id).await;
    let text = parent["extracted_text"].as_str().unwrap();
    assert!(text.contains("Subject: സുരക്ഷാ circular"), "{text}");
    assert!(text.contains("Attachment: all.zip"), "{text}");
    assert_eq!(parent["parent"], Value::Null);

    let notes = inside(&gateway, &id, "notes.txt").await;
    assert_eq!(notes["extracted_text"], "Brakes checked");
    for field in ["source", "uploaded_by", "priority"] {
        assert_eq!(notes[field], parent[field], "{field}");
    }
    assert_eq!(notes["parent"], id.as_str());
    assert_eq!(notes["children"], json!([]));
    let archive = inside(&gateway, &id, "all.zip").await;
    let report = inside(&gateway, archive["id"].as_str().unwrap(), "report.docx").await;
    assert_eq!(report["extracted_text"], "സുരക്ഷാ report");
    assert_eq!(report["parent"], archive["id"]);

    let parent = gateway.json(&format!("/api/v1/documents/{id}")).await;
    let children = parent["children"].as_array().unwrap();
    let names: Vec<&Value> = children.iter().map(|c| &c["original_filename"]).collect();
    assert_eq!(names, ["notes.txt", "all.zip"]);

    again(&gateway, &id).await;
    let all = gateway.json("/api/v1/documents/").await;
    assert_eq!(all["total"], 4, "{all}");
    let of_it = gateway
        .json(&format!("/api/v1/documents/?parent={id}&limit=1"))
        .await;
    assert_eq!(of_it["total"], 2, "{of_it}");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_an_innermost_document() {
    let world = World::new().await;
    let gateway = world.start();
    let mut nested = b"the innermost".to_vec();
    for level in 0..6 {
        let name = format!("level-{level}.{}", if level == 0 { "txt" } else { "zip" });
        nested = zip(&[(name.as_str(), &nested)]);
    }
    let sent = gateway.upload("nested.zip", nested).await;
    let mut id = sent["id"].as_str().unwrap().to_owned();
    gateway.finished(&id).await;
    for level in (3..6).rev() {
        let child = inside(&gateway, &id, &format!("level-{level}.zip")).await;
        id = child["id"].as_str().unwrap().to_owned();
    }
    let last = gateway.json(&format!("/api/v1/documents/{id}")).await;
    let text = last["extracted_text"].as_str().unwrap();
    assert!(text.contains("What is inside was not taken"), "{text}");
    assert_eq!(last["children"], json!([]));
    assert_eq!(gateway.json("/api/v1/documents/").await["total"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_message_still_shows_what_came_out_of_it() {
    let world = World::with(&[("KMRL_APPROVER_KEY", SECOND)]).await;
    let gateway = world.start();
    let sent = gateway.upload("circular.eml", message()).await;
    let id = sent["id"].as_str().unwrap().to_owned();
    gateway.finished(&id).await;
    let notes = inside(&gateway, &id, "notes.txt").await;
    for (key, path) in [(None, "erasure"), (Some(SECOND), "erasure/approve")] {
        let path = format!("/api/v1/documents/{id}/{path}");
        let mut request = gateway.post(&path).header("if-match", "*");
        if let Some(key) = key {
            let url = format!("{}{path}", gateway.base);
            request = gateway.client.post(url).header("if-match", "*");
            request = request.header("x-api-key", key);
        }
        let answer = request.json(&json!({"reason": "asked for"})).send().await;
        let answer = answer.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }
    let erased = eventually("erased", || async {
        let document = gateway.json(&format!("/api/v1/documents/{id}")).await;
        document["erased_at"].is_string().then_some(document)
    })
    .await;
    assert_eq!(erased["original_filename"], "");
    let children = erased["children"].as_array().unwrap();
    assert!(children.iter().any(|c| c["id"] == notes["id"]), "{erased}");
    let path = format!(
        "/api/v1/documents/{}/download",
        notes["id"].as_str().unwrap()
    );
    let answer = gateway.get(&path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}
