//! The main job: a document goes in by REST and comes out as text, events, rows and live pushes.

use crate::harness::{Gateway, World};
use reqwest::StatusCode;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

fn pdf() -> Vec<u8> {
    kmrl_extraction::fixtures::pdf(&[
        "Job card WO-1: replace brake pads",
        "Checked by night shift",
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_goes_the_whole_way() {
    let world = World::new().await;
    let gateway = world.start();
    let mut socket = gateway.socket("/ws").await;
    socket.find(|m| m["type"] == "system_status").await;

    let form = Form::new()
        .part("file", Part::bytes(pdf()).file_name("job-card.pdf"))
        .text("source", "maximo")
        .text("metadata", r#"{"wonum":"WO-1"}"#);
    let answer = gateway
        .post("/api/v1/documents/upload")
        .multipart(form)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let accepted: Value = answer.json().await.unwrap();
    let id = accepted["id"].as_str().unwrap();
    assert_eq!(location, format!("/api/v1/documents/{id}"));
    assert_eq!(accepted["status"], "queued");
    assert_eq!(accepted["metadata"], json!({"wonum": "WO-1"}));
    assert!(accepted["position"].as_i64().unwrap() >= 1);

    let pushed = socket.until(|m| m["status"] == "processed").await;
    let updates: Vec<_> = pushed
        .iter()
        .filter(|m| m["type"] == "document_update")
        .collect();
    assert!(updates.iter().all(|m| m["document_id"] == id));
    let statuses: Vec<_> = updates
        .iter()
        .map(|m| m["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses.first(), Some(&"queued"));
    assert!(statuses.contains(&"processing"));

    // Told of a change, a client can read it.
    let document = gateway.json(&location).await;
    assert_eq!(document["status"], "processed", "{document}");
    assert_eq!(document["original_filename"], "job-card.pdf");
    assert_eq!(document["content_type"], "application/pdf");
    assert_eq!(document["file_size"], pdf().len());
    assert_eq!(document["language"], "en");
    assert_eq!(document["page_count"], 2);
    let text = document["extracted_text"].as_str().unwrap();
    assert!(
        text.contains("replace brake pads") && text.contains("night shift"),
        "{text}"
    );

    let bytes = gateway
        .get(&format!("{location}/download"))
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(bytes.as_ref(), pdf());
    the_log_says_so(&gateway, id).await;
    assert!(gateway.stop().await);
}

async fn the_log_says_so(gateway: &Gateway, id: &str) {
    let log = gateway
        .json(&format!("/api/v1/events?document_id={id}"))
        .await;
    let events = log["events"].as_array().unwrap();
    let types: Vec<_> = events
        .iter()
        .map(|e| e["event_type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["Uploaded", "ProcessingStarted", "Extracted"]);
    // One correlation id from the request to the last event.
    let correlation = &events[0]["metadata"]["correlation_id"];
    assert!(correlation.is_string());
    assert!(
        events
            .iter()
            .all(|e| &e["metadata"]["correlation_id"] == correlation)
    );
    // Nothing personal in the log.
    let text = log.to_string();
    assert!(
        !text.contains("job-card.pdf") && !text.contains("WO-1"),
        "{text}"
    );
    let statistics = gateway.json("/api/v1/documents/statistics").await;
    assert_eq!(statistics["by_status"]["processed"], 1, "{statistics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_fails_with_a_reason_that_says_so() {
    let world = World::new().await;
    let gateway = world.start();
    let drawing = gateway.upload("plan.dwg", b"AC1032 drawing".to_vec()).await;
    let broken = gateway
        .upload("broken.pdf", b"%PDF-1.7\nnot really".to_vec())
        .await;
    let drawing = gateway.finished(drawing["id"].as_str().unwrap()).await;
    assert_eq!(drawing["status"], "failed");
    assert_eq!(drawing["error"]["code"], "unsupported_type", "{drawing}");
    assert_eq!(drawing["extracted_text"], Value::Null);
    let broken = gateway.finished(broken["id"].as_str().unwrap()).await;
    assert_eq!(broken["error"]["code"], "damaged", "{broken}");
    let errors = gateway.json("/api/v1/documents/validation-errors").await;
    assert!(errors.to_string().contains("unsupported_type"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_are_kept_once_and_name_the_first() {
    let world = World::new().await;
    let gateway = world.start();
    let uploads = (0..8).map(|n| gateway.upload_request(&format!("{n}.txt"), "same").send());
    let mut answers = Vec::new();
    for answer in futures::future::join_all(uploads).await {
        answers.push(answer.unwrap().json::<Value>().await.unwrap());
    }
    let (firsts, copies): (Vec<_>, Vec<_>) =
        answers.iter().partition(|d| d["duplicate_of"].is_null());
    assert_eq!((firsts.len(), copies.len()), (1, 7));
    assert!(copies.iter().all(|c| c["duplicate_of"] == firsts[0]["id"]));
    assert!(copies.iter().all(|c| c["s3_key"] == firsts[0]["s3_key"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn people_reprocess_correct_and_withdraw() {
    let world = World::new().await;
    let gateway = world.start();
    let id = gateway
        .upload("note.txt", "Track inspection at Aluva")
        .await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/v1/documents/{id}");
    gateway.finished(&id).await;

    let send = |what: &str, version: String, body: Value| {
        gateway
            .post(&format!("{path}/{what}"))
            .header("if-match", version)
            .json(&body)
            .send()
    };
    let version = |d: &Value| format!("\"{}\"", d["version"]);
    let current = gateway.json(&path).await;
    let answer = send(
        "correct",
        version(&current),
        json!({"department": "engineering", "metadata": {"checked": true}}),
    )
    .await
    .unwrap();
    assert!(
        answer.status().is_success(),
        "{}",
        answer.text().await.unwrap()
    );
    let position = answer.json::<Value>().await.unwrap()["position"].clone();
    let corrected = gateway
        .json(&format!("{path}?min_position={position}"))
        .await;
    assert_eq!(corrected["department"], "engineering");
    assert_eq!(corrected["metadata"], json!({"checked": true}));

    // The old version is refused now.
    let stale = send("withdraw", version(&current), json!({"reason": "old"}))
        .await
        .unwrap();
    crate::harness::expect_problem(stale, 412, "version-mismatch").await;

    let again = gateway
        .post(&format!("{path}/reprocess"))
        .send()
        .await
        .unwrap();
    assert!(
        again.status().is_success(),
        "{}",
        again.text().await.unwrap()
    );
    let position = again.json::<Value>().await.unwrap()["position"].clone();
    gateway
        .json(&format!("{path}?min_position={position}"))
        .await;
    let processed = gateway.finished(&id).await;
    assert_eq!(processed["run"], 2);
    assert_eq!(processed["department"], "engineering");

    let answer = send(
        "withdraw",
        version(&processed),
        json!({"reason": "sent twice"}),
    )
    .await
    .unwrap();
    assert!(answer.status().is_success());
    let position = answer.json::<Value>().await.unwrap()["position"].clone();
    let withdrawn = gateway
        .json(&format!("{path}?min_position={position}"))
        .await;
    assert_eq!(withdrawn["withdrawal_reason"], "sent twice");
    let list = gateway.json("/api/v1/documents/").await;
    assert_eq!(list["total"], 0);
    let gone = gateway
        .get(&format!("{path}/download"))
        .send()
        .await
        .unwrap();
    crate::harness::expect_problem(gone, 410, "document-withdrawn").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_correlation_id_runs_from_the_request_to_the_rows() {
    let world = World::with(&[("KMRL_LOG", "debug"), ("KMRL_LOG_FORMAT", "json")]).await;
    let path = world.data.path().join("gateway.log");
    let mut command = world.command("api,relay,projector,worker");
    command.stderr(std::fs::File::create(&path).unwrap());
    let gateway = Gateway::spawn(command);
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let answer = gateway
        .upload_request("a.txt", "traced")
        .header("traceparent", format!("00-{trace_id}-00f067aa0ba902b7-01"))
        .send()
        .await
        .unwrap();
    let id = answer.json::<Value>().await.unwrap()["id"].clone();
    gateway.finished(id.as_str().unwrap()).await;
    // The request, the job that NATS carried, and the projection each name it.
    crate::support::eventually("the trace is logged", || async {
        let log = std::fs::read_to_string(&path).unwrap();
        let names = |what: &str| {
            log.lines()
                .any(|line| line.contains(trace_id) && line.contains(what))
        };
        [
            "\"name\":\"request\"",
            "\"name\":\"job\"",
            "\"projection\":\"documents\"",
        ]
        .iter()
        .all(|what| names(what))
        .then_some(())
    })
    .await;
}
