//! What a PDF is beside its text: what it says of itself and carries, the files in it, and where
//! its words stand.

use crate::harness::{Gateway, World, expect_problem};
use crate::support::eventually;
use kmrl_extraction::fixtures::{assemble, utf16_hex};
use reqwest::StatusCode;
use serde_json::{Value, json};

const SECOND: &str = "second-person-0123456789";

/// A report with a title, a script, and two attachments, one of which is not what its name says.
fn report() -> Vec<u8> {
    let stream = |entries: &str, content: &str| {
        let length = content.len();
        format!("<<{entries}/Length {length}>>stream\n{content}\nendstream")
    };
    let attached = |name: &str, number: u32| {
        format!("<</Type/Filespec/F({name})/UF({name})/EF<</F {number} 0 R>>>>")
    };
    assemble(&[
        "<</Type/Catalog/Pages 2 0 R/OpenAction 10 0 R\
         /Names<</EmbeddedFiles<</Names[(a)6 0 R(b)8 0 R]>>>>>>"
            .to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 595 842]\
         /Resources<</Font<</F1 5 0 R>>>>>>"
            .to_owned(),
        "<</Type/Page/Parent 2 0 R/Contents 4 0 R>>".to_owned(),
        stream(
            "",
            "BT /F1 12 Tf 72 770 Td (Bogie inspection of car 3) Tj ET",
        ),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_owned(),
        attached("notes.txt", 7),
        stream("/Type/EmbeddedFile/Subtype/text#2Fplain", "Brakes checked"),
        attached("plan.docx", 9),
        stream("/Type/EmbeddedFile", "This is no Word document"),
        "<</S/JavaScript/JS(app.alert\\(1\\))>>".to_owned(),
        format!(
            "<</Title {}/Producer(Depot Writer 2)>>",
            utf16_hex("ബോഗി inspection")
        ),
    ])
    .replace("/Root 1 0 R>>", "/Root 1 0 R/Info 11 0 R>>")
    .into_bytes()
}

async fn processed(gateway: &Gateway) -> Value {
    let sent = gateway.upload("report.pdf", report()).await;
    let document = gateway.finished(sent["id"].as_str().unwrap()).await;
    assert_eq!(document["status"], "processed", "{document}");
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pdf_says_of_itself_and_carries_is_shown() {
    let world = World::new().await;
    let gateway = world.start();
    let document = processed(&gateway).await;
    assert_eq!(document["title"], "ബോഗി inspection");
    assert_eq!(document["producer"], "Depot Writer 2");
    let findings = &document["findings"];
    assert_eq!(findings["version"], "1.7", "{document}");
    assert_eq!(findings["javascript"], true, "{document}");
    assert_eq!(findings["open_action"], true, "{document}");
    assert_eq!(findings["embedded_files"], 2, "{document}");
    assert_eq!(findings["signatures"], false, "{document}");
    assert_eq!(
        document["accepted_risks"][0]["code"], "javascript",
        "{document}"
    );

    // The past says the same, and the log, which is for good, none of what may be personal.
    let id = document["id"].as_str().unwrap();
    let version = document["version"].as_i64().unwrap();
    let past = format!("/api/v1/documents/{id}?as_of=v{version}");
    let past = gateway.json(&past).await;
    assert_eq!(past["title"], document["title"]);
    let early = gateway
        .json(&format!("/api/v1/documents/{id}?as_of=v1"))
        .await;
    assert!(
        early["title"].is_null() && early["findings"].is_null(),
        "{early}"
    );
    let log = gateway
        .json(&format!("/api/v1/events?document_id={id}"))
        .await;
    let log = log.to_string();
    assert!(log.contains("\"javascript\":true"), "{log}");
    assert!(
        !log.contains("Depot Writer") && !log.contains("inspection"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn files_embedded_in_a_pdf_become_documents_through_the_door() {
    let world = World::new().await;
    let gateway = world.start();
    let document = processed(&gateway).await;
    let children = document["children"].as_array().unwrap();
    let of = |name: &str| {
        let found = children.iter().find(|c| c["original_filename"] == name);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(children.len(), 2, "{document}");
    let notes = gateway.finished(&of("notes.txt")).await;
    assert_eq!(notes["extracted_text"], "Brakes checked", "{notes}");
    assert_eq!(notes["parent"], document["id"]);
    assert_eq!(notes["source"], document["source"]);

    let plan = gateway
        .json(&format!("/api/v1/documents/{}", of("plan.docx")))
        .await;
    assert_eq!(plan["quarantine_state"], "quarantined", "{plan}");
    assert_eq!(
        plan["quarantine"]["objections"][0]["code"], "type_mismatch",
        "{plan}"
    );
    let path = format!("/api/v1/documents/{}/download", of("plan.docx"));
    expect_problem(gateway.get(&path).send().await.unwrap(), 403, "quarantined").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_tells_where_its_words_stand_until_it_reads_otherwise_or_is_erased() {
    let world = World::with(&[("KMRL_APPROVER_KEY", SECOND)]).await;
    let gateway = world.start();
    let document = processed(&gateway).await;
    let id = document["id"].as_str().unwrap();
    let path = format!("/api/v1/documents/{id}/pages/1");
    let answer = gateway.get(&path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let tag = answer.headers()["etag"].clone();
    let page: Value = answer.json().await.unwrap();
    assert_eq!(page["text"], "Bogie inspection of car 3");
    assert_eq!(
        (&page["page_count"], &page["version"]),
        (&json!(1), &document["version"])
    );
    let words = page["words"].as_array().unwrap();
    let texts: Vec<_> = words
        .iter()
        .map(|word| word["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["Bogie", "inspection", "of", "car", "3"]);
    assert_eq!(words[1]["start"], 6);
    let number = |word: &Value, field: &str| word[field].as_f64().unwrap();
    // The line stands 72 points below the upper edge.
    assert!((number(&words[0], "x") - 72.0).abs() < 1.0, "{page}");
    let bottom = number(&words[0], "y") + number(&words[0], "height");
    assert!((68.0..80.0).contains(&bottom), "{page}");
    assert!(number(&words[1], "x") > number(&words[0], "x") + number(&words[0], "width"));

    let same = gateway.get(&path).header("if-none-match", tag);
    assert_eq!(
        same.send().await.unwrap().status(),
        StatusCode::NOT_MODIFIED
    );
    let beyond = format!("/api/v1/documents/{id}/pages/2");
    expect_problem(
        gateway.get(&beyond).send().await.unwrap(),
        404,
        "page-not-found",
    )
    .await;
    let none = format!("/api/v1/documents/{id}/pages/x");
    expect_problem(
        gateway.get(&none).send().await.unwrap(),
        400,
        "invalid-parameter",
    )
    .await;

    let review = json!({"verdict": "correct", "pages": [{"number": 1, "text": "Bogie of car 4"}]});
    let answer = gateway.post(&format!("/api/v1/documents/{id}/review"));
    let answer = answer
        .header("if-match", "*")
        .json(&review)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let corrected = gateway.json(&path).await;
    assert_eq!(corrected["text"], "Bogie of car 4");
    assert_eq!(corrected["words"], json!([]), "{corrected}");

    for (key, step) in [(None, "erasure"), (Some(SECOND), "erasure/approve")] {
        let step = format!("/api/v1/documents/{id}/{step}");
        let mut request = gateway.post(&step);
        if let Some(key) = key {
            let url = format!("{}{step}", gateway.base);
            request = gateway.client.post(url).header("x-api-key", key);
        }
        let request = request
            .header("if-match", "*")
            .json(&json!({"reason": "asked for"}));
        assert!(request.send().await.unwrap().status().is_success());
    }
    eventually("no text of it is left", || async {
        let folder = world.data.path().join("blobs/text").join(id);
        let left = std::fs::read_dir(folder).map_or(0, Iterator::count);
        (left == 0).then_some(())
    })
    .await;
    expect_problem(gateway.get(&path).send().await.unwrap(), 410, "erased").await;
}
