//! Documents that are read with the help of programs beside the gateway, and old formats: really run,
//! in the jail, over HTTP and from the shell. The files are made by `extraction/fixtures/generate.sh`.

use crate::harness::{Gateway, World};
use crate::support::TempDir;
use serde_json::Value;

const ENGLISH: &[u8] = include_bytes!("../../extraction/fixtures/notice-english.doc");
const ENGLISH_TEXT: &str = include_str!("../../extraction/fixtures/notice-english.txt");
const MALAYALAM: &[u8] = include_bytes!("../../extraction/fixtures/circular-malayalam.doc");
const MALAYALAM_TEXT: &str = include_str!("../../extraction/fixtures/circular-malayalam.txt");
const MIXED: &[u8] = include_bytes!("../../extraction/fixtures/report-mixed.doc");
const MIXED_TEXT: &str = include_str!("../../extraction/fixtures/report-mixed.txt");
const SLIDES: &[u8] = include_bytes!("../../extraction/fixtures/slides.ppt");

async fn ended(gateway: &Gateway, name: &str, bytes: &[u8]) -> Value {
    let id = gateway.upload(name, bytes).await["id"].clone();
    gateway.finished(id.as_str().unwrap()).await
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_old_become_text_in_both_languages() {
    let world = World::new().await;
    let gateway = world.start();
    for (name, bytes, text, language) in [
        ("notice.doc", ENGLISH, ENGLISH_TEXT, "en"),
        ("circular.doc", MALAYALAM, MALAYALAM_TEXT, "ml"),
        ("report.doc", MIXED, MIXED_TEXT, "mixed"),
    ] {
        let document = ended(&gateway, name, bytes).await;
        assert_eq!(document["status"], "processed", "{document}");
        let read = document["extracted_text"].as_str().unwrap();
        assert_eq!(words(read), words(text), "{name}");
        assert_eq!(document["language"], language, "{document}");
    }

    let document = ended(&gateway, "briefing.ppt", SLIDES).await;
    assert_eq!(document["status"], "processed", "{document}");
    let text = document["extracted_text"].as_str().unwrap();
    let (first, second) = text.split_once('\u{c}').unwrap();
    assert!(
        first.contains("Safety briefing for the night shift"),
        "{text}"
    );
    assert!(first.contains("ലൈനിന് സമീപം ജോലി ചെയ്യരുത്."), "{text}");
    assert!(first.contains("Notes: Read this slide aloud"), "{text}");
    assert_eq!(second.trim(), "Isolate the third rail before work.");

    let health = gateway.json("/health/detailed").await;
    let helper = health["jail"]["helpers"]["doc"].as_str().unwrap();
    assert!(helper.ends_with("/catdoc"), "{health}");
    let check = world.tool(&["check"]);
    let told = String::from_utf8_lossy(&check.stdout);
    assert!(told.contains(&format!("doc: read by {helper}")), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_helper_reads_and_the_next_is_asked_when_one_cannot() {
    let folder = TempDir::new("helpers");
    let file = folder.path().join("circular.doc");
    std::fs::write(&file, MALAYALAM).unwrap();
    let file = file.to_str().unwrap();
    for helpers in ["antiword", "catdoc", "/nowhere/catdoc,antiword"] {
        let world = World::with(&[("KMRL_HELPERS", helpers)]).await;
        let read = world.tool(&["extract", file]);
        assert!(read.status.success(), "{helpers}: {read:?}");
        let text = String::from_utf8(read.stdout).unwrap();
        assert_eq!(words(&text), words(MALAYALAM_TEXT), "{helpers}");
    }

    // What is no Word document is none to any of them.
    let damaged = folder.path().join("damaged.doc");
    let bytes = kmrl_extraction::fixtures::office::compound(&[("/WordDocument", b"no document")]);
    std::fs::write(&damaged, bytes).unwrap();
    let world = World::new().await;
    let read = world.tool(&["extract", damaged.to_str().unwrap()]);
    assert_eq!(read.status.code(), Some(3), "{read:?}");
    let said = String::from_utf8_lossy(&read.stderr);
    assert!(said.contains("(damaged)"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_helper_a_document_ends_with_what_to_install() {
    let world = World::with(&[("KMRL_HELPERS", "none")]).await;
    let gateway = world.start();
    let document = ended(&gateway, "notice.doc", ENGLISH).await;
    assert_eq!(document["status"], "failed", "{document}");
    assert_eq!(document["error"]["code"], "unsupported_type", "{document}");
    let detail = document["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("apt-get install catdoc"), "{detail}");
    assert!(detail.contains("save it as docx or PDF"), "{detail}");
    let health = gateway.json("/health/detailed").await;
    assert!(health["jail"]["helpers"]["doc"].is_null(), "{health}");
}
