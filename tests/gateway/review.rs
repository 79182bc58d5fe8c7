//! Texts that nobody can trust go to a person, and what the person says stands.

use crate::harness::{Gateway, World, expect_problem};
use crate::support::eventually;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

/// A text as a font with an encoding of its own gives it away.
const GARBLED: &str = "zhmlaf jpyjbshy 14. hss zahmm vu wshamvytz zohss dlhy opno cpzpipspaf \
                       qhjrlaz ilaallu aol mpyza huk aol shza ayhpu. ylwvya huf khthnlk ihyyply.";
const RIGHT: &str =
    "Safety circular 14. All staff on platforms shall wear high visibility jackets.";

async fn review(gateway: &Gateway, document: &Value, body: Value) -> Response {
    let id = document["id"].as_str().unwrap();
    gateway
        .post(&format!("/api/v1/documents/{id}/review"))
        .header("if-match", format!("\"{}\"", document["version"]))
        .json(&body)
        .send()
        .await
        .unwrap()
}

/// The document once the change can be read.
async fn changed(gateway: &Gateway, document: &Value, answer: Response) -> Value {
    assert_eq!(answer.status(), StatusCode::OK);
    let changed: Value = answer.json().await.unwrap();
    assert_eq!(changed["changed"], true, "{changed}");
    read(gateway, document, changed["position"].as_i64().unwrap()).await
}

async fn read(gateway: &Gateway, document: &Value, position: i64) -> Value {
    let id = document["id"].as_str().unwrap();
    gateway
        .json(&format!("/api/v1/documents/{id}?min_position={position}"))
        .await
}

async fn ids(gateway: &Gateway, filter: &str) -> Vec<String> {
    let list = gateway.json(&format!("/api/v1/documents/?{filter}")).await;
    let documents = list["documents"].as_array().unwrap();
    assert_eq!(list["total"], documents.len(), "{list}");
    let id = |d: &Value| d["id"].as_str().unwrap().to_owned();
    documents.iter().map(id).collect()
}

async fn uploaded(gateway: &Gateway, name: &str, text: &str) -> Value {
    let accepted = gateway.upload(name, text).await;
    let id = accepted["id"].as_str().unwrap();
    let document = gateway.finished(id).await;
    assert_eq!(document["status"], "processed", "{document}");
    document
}

/// The document after it was processed once more.
async fn reprocessed(gateway: &Gateway, document: &Value) -> Value {
    let id = document["id"].as_str().unwrap();
    let path = format!("/api/v1/documents/{id}/reprocess");
    let answer = gateway.post(&path).json(&json!({})).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    let path = format!("/api/v1/documents/{id}");
    eventually("it was processed again", async || {
        let now = gateway.json(&path).await;
        let is_over = now["status"] == "processed" && now["run"] != document["run"];
        is_over.then_some(now)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_garbled_text_waits_in_the_queue_until_it_is_accepted() {
    let world = World::new().await;
    let gateway = world.start();
    let good = uploaded(&gateway, "good.txt", RIGHT).await;
    assert_eq!(good["needs_review"], false, "{good}");
    assert!(good["confidence_score"].as_f64().unwrap() > 0.85);
    let bad = uploaded(&gateway, "bad.txt", GARBLED).await;
    assert!(bad["confidence_score"].as_f64().unwrap() < 0.7, "{bad}");
    assert_eq!(bad["review_reasons"][0]["code"], "low_confidence", "{bad}");
    assert_eq!(
        ids(&gateway, "needs_review=true").await,
        [bad["id"].as_str().unwrap()]
    );
    assert_eq!(
        ids(&gateway, "needs_review=false").await,
        [good["id"].as_str().unwrap()]
    );
    let statistics = gateway.json("/api/v1/documents/statistics").await;
    assert_eq!(statistics["needs_review"], 1);

    let answer = review(&gateway, &bad, json!({"verdict": "accept"})).await;
    let accepted = changed(&gateway, &bad, answer).await;
    assert_eq!(accepted["needs_review"], false, "{accepted}");
    assert_eq!(accepted["review"]["verdict"], "accepted");
    assert_eq!(accepted["review"]["reviewer"], "key:admin");
    assert_eq!(accepted["extracted_text"], GARBLED);
    assert_eq!(ids(&gateway, "needs_review=true").await, [""; 0]);
    // What was looked at need not be looked at again.
    let again = reprocessed(&gateway, &accepted).await;
    assert_eq!(again["needs_review"], false, "{again}");
    let id = bad["id"].as_str().unwrap();
    let trail = gateway.json(&format!("/api/v1/documents/{id}/audit")).await;
    assert!(trail.to_string().contains("\"review\""), "{trail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_text_stands_and_the_earlier_one_stays_readable() {
    let world = World::new().await;
    let gateway = world.start();
    let two = format!("{RIGHT}\u{c}{GARBLED}");
    let bad = uploaded(&gateway, "bad.txt", &two).await;
    let pages = json!([{"number": 2, "text": "Report any damaged barrier.\r\n"}]);
    let correct = json!({"verdict": "correct", "pages": pages});
    let answer = review(&gateway, &bad, correct.clone()).await;
    let corrected = changed(&gateway, &bad, answer).await;
    let right = format!("{RIGHT}\u{c}Report any damaged barrier.\n");
    assert_eq!(corrected["extracted_text"], right, "{corrected}");
    assert_eq!(corrected["text_corrected"], true);
    assert_eq!(corrected["needs_review"], false);
    assert_eq!(corrected["character_count"], right.chars().count() - 1);

    let id = bad["id"].as_str().unwrap();
    let path = format!("/api/v1/documents/{id}?as_of=v{}", bad["version"]);
    let before = gateway.json(&path).await;
    assert_eq!(before["extracted_text"], two);
    assert_eq!(
        (&before["needs_review"], &before["text_corrected"]),
        (&json!(true), &json!(false))
    );

    // Two people at once: the second is told.
    let late = review(&gateway, &bad, correct).await;
    expect_problem(late, 412, "version-mismatch").await;
    // What is written by a person outlasts a reading of the same text.
    let again = reprocessed(&gateway, &corrected).await;
    assert_eq!(again["extracted_text"], right);
    assert_eq!(
        (&again["text_corrected"], &again["needs_review"]),
        (&json!(true), &json!(false))
    );
    // The machine's text is taken only when a person says so.
    let answer = review(&gateway, &again, json!({"verdict": "reread"})).await;
    let reread = changed(&gateway, &again, answer).await;
    assert_eq!(reread["extracted_text"], two);
    assert_eq!(reread["text_corrected"], false);

    let check = world.tool(&["check", "--deep"]);
    let told = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(
        check.status.success() && told.contains("documents             "),
        "{told}"
    );
    // Three texts of three events and the bytes; none an orphan, none missing.
    let pack = world.data.path().join("pack.zip");
    let pack = pack.to_str().unwrap();
    let made = world.tool(&["audit", "evidence", id, "--output", pack]);
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let verified = world.tool(&["audit", "verify", pack]);
    let told = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success(), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused() {
    let world = World::new().await;
    let gateway = world.start();
    let document = uploaded(&gateway, "bad.txt", GARBLED).await;
    for (body, status, problem) in [
        (json!({"verdict": "correct"}), 422, "command-invalid"),
        (
            json!({"verdict": "correct", "pages": []}),
            422,
            "command-invalid",
        ),
        (
            json!({"verdict": "accept", "pages": [{"number": 1, "text": "x"}]}),
            422,
            "command-invalid",
        ),
        (
            json!({"verdict": "correct", "pages": [{"number": 2, "text": "x"}]}),
            422,
            "command-invalid",
        ),
        (json!({"verdict": "burn"}), 400, "json-malformed"),
    ] {
        let answer = review(&gateway, &document, body.clone()).await;
        expect_problem(answer, status, problem).await;
    }
    let id = document["id"].as_str().unwrap();
    let path = format!("/api/v1/documents/{id}/review");
    let unconditional = gateway.post(&path).json(&json!({"verdict": "accept"}));
    expect_problem(
        unconditional.send().await.unwrap(),
        428,
        "precondition-required",
    )
    .await;
    let unreadable = gateway.upload("plan.dwg", b"AC1032 drawing".to_vec()).await;
    let unreadable = gateway.finished(unreadable["id"].as_str().unwrap()).await;
    let answer = review(&gateway, &unreadable, json!({"verdict": "accept"})).await;
    expect_problem(answer, 409, "command-refused").await;
    // As one of many commands.
    let batch = json!({"commands": [
        {"type": "review", "document_id": id, "verdict": "correct", "pages": [{"number": 1, "text": RIGHT}]},
        {"type": "review", "document_id": id, "verdict": "accept", "if_version": 1},
    ]});
    let answer = gateway
        .post("/api/v1/commands")
        .json(&batch)
        .send()
        .await
        .unwrap();
    let results: Value = answer.json().await.unwrap();
    assert_eq!(results["results"][0]["changed"], true, "{results}");
    assert_eq!(results["results"][1]["problem"]["status"], 412, "{results}");
    let position = results["results"][0]["position"].as_i64().unwrap();
    let corrected = read(&gateway, &document, position).await;
    assert_eq!(corrected["extracted_text"], RIGHT);
}
