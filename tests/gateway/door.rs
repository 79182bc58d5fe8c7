//! The door through the real program: what is refused, what is put into quarantine and comes out of it by
//! two persons, and a real virus scanner that is there or away.

use crate::harness::{Gateway, World, expect_problem};
use crate::support::clamd::{Clamd, eicar};
use crate::support::eventually;
use kmrl_extraction::fixtures;
use reqwest::multipart::{Form, Part};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use std::io::{Cursor, Write};
use std::path::Path;

const APPROVER: &str = "second-person-0123456789";

fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn docm() -> Vec<u8> {
    zipped(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", b"<w:document/>"),
        ("word/vbaProject.bin", b"project"),
    ])
}

fn pdf_with_script() -> Vec<u8> {
    let objects = [
        "<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 300 300]\
         /Resources<</Font<</F1 5 0 R>>>>>>",
        "<</Type/Page/Parent 2 0 R/Contents 4 0 R>>",
        "<</Length 44>>stream\nBT /F1 12 Tf 20 200 Td (scripted form) Tj ET  \nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ];
    fixtures::assemble(&objects.map(str::to_owned)).into_bytes()
}

/// Within the limits, and more than can be unpacked in a second.
fn slow_to_unpack() -> Vec<u8> {
    let one = zipped(&[("0.txt", &vec![b' '; 16 << 20])]);
    let mut one = zip::ZipArchive::new(Cursor::new(one)).unwrap();
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for n in 0..50 {
        let entry = one.by_index_raw(0).unwrap();
        zip.raw_copy_file_rename(entry, format!("{n}.txt")).unwrap();
    }
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("padding.txt", stored).unwrap();
    zip.write_all(&vec![b'x'; 5 << 20]).unwrap();
    zip.finish().unwrap().into_inner()
}

async fn refused(gateway: &Gateway, name: &str, bytes: &[u8], slug: &str) -> Value {
    let answer = gateway.upload_request(name, bytes).send().await.unwrap();
    let status = if slug == "file-type-not-allowed" {
        415
    } else {
        422
    };
    expect_problem(answer, status, slug).await
}

/// A command as one of the two persons.
async fn tell(gateway: &Gateway, key: Option<&str>, path: &str, body: Value) -> Response {
    let request = gateway
        .post(&format!("/api/v1/documents/{path}"))
        .header("if-match", "*");
    let request = match key {
        Some(key) => request.header("x-api-key", key),
        None => request,
    };
    let request = if body.is_null() {
        request
    } else {
        request.json(&body)
    };
    request.send().await.unwrap()
}

async fn done(answer: Response, status: StatusCode) {
    let got = answer.status();
    assert_eq!(got, status, "{}", answer.text().await.unwrap());
}

fn id_of(document: &Value) -> String {
    document["id"].as_str().unwrap().to_owned()
}

fn files(dir: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    entries
        .map(|e| e.unwrap().path())
        .map(|p| if p.is_dir() { files(&p) } else { 1 })
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_it_says_is_refused_and_leaves_nothing() {
    let world = World::with(&[("KMRL_DOOR_MAX_BYTES", "csv=10")]).await;
    let gateway = world.start();
    let bomb = zipped(&[("a.txt", &vec![b' '; 70 << 20])]);
    let program = b"\x7FELF\x02\x01\x01\0 and so on";
    let archive = zipped(&[("a.txt", b"x")]);
    let polyglot = [fixtures::pdf(&["words"]), archive.clone()].concat();
    for (name, bytes, slug) in [
        ("setup.exe", &b"MZ"[..], "file-type-not-allowed"),
        ("a.pdf%2Eexe", b"%PDF-1.7", "file-type-not-allowed"),
        ("a.pdf.", &archive, "file-type-mismatch"),
        ("a.docx", &archive, "file-type-mismatch"),
        ("a.pdf", b"plain words", "file-type-mismatch"),
        ("a.pdf", &polyglot, "file-polyglot"),
        ("a.zip", &bomb, "archive-bomb"),
        ("a.txt", program, "executable-content"),
        (
            "a.zip",
            &zipped(&[("run.bat", b"echo")]),
            "executable-content",
        ),
        ("unnamed", program, "executable-content"),
        ("unnamed", b"\x01\x02\x03", "file-type-not-allowed"),
    ] {
        refused(&gateway, name, bytes, slug).await;
    }
    let answer = gateway.upload_request("a.csv", "1,2,3,4,5,6").send().await;
    expect_problem(answer.unwrap(), 413, "file-too-large").await;
    let part = Part::bytes(fixtures::pdf(&["words"])).file_name("a.pdf");
    let part = part.mime_str("image/png").unwrap();
    let form = Form::new().text("source", "manual").part("file", part);
    let answer = gateway.post("/api/v1/documents/upload").multipart(form);
    expect_problem(answer.send().await.unwrap(), 422, "file-type-mismatch").await;

    assert_eq!(gateway.json("/api/v1/documents/").await["total"], 0);
    assert_eq!(files(&world.data.path().join("blobs/sha256")), 0);
    assert_eq!(files(&world.data.path().join("spool")), 0);
    eventually(
        "refusals are listed with what the door objected to",
        || async {
            let list = gateway.json("/api/v1/documents/validation-errors").await;
            let bomb = list["errors"]
                .as_array()?
                .iter()
                .find(|e| e["problem"] == "archive-bomb")?;
            (bomb["objections"][0]["code"] == "archive_bomb" && bomb["file_name"] == "a.zip")
                .then_some(())
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manual_of_bash_and_a_text_about_macros_are_taken_in() {
    let world = World::new().await;
    let gateway = world.start();
    let pdf = fixtures::pdf(&["A macro in JavaScript, /JS and cmd.exe"]);
    for (name, bytes) in [
        (
            "manual.md",
            b"# bash\n\n```\n#!/bin/bash\nrm -rf /\n```\n".to_vec(),
        ),
        ("macro.pdf", pdf),
        ("no extension", b"%PDF-1.7\nnot really".to_vec()),
        ("broken.pdf", b"%PDF-1.7\nnot really".to_vec()),
    ] {
        let document = gateway.upload(name, bytes).await;
        assert_eq!(document["quarantine_state"], Value::Null, "{name}");
        let document = gateway.finished(&id_of(&document)).await;
        let expected = if name.starts_with('m') {
            "processed"
        } else {
            "failed"
        };
        assert_eq!(document["status"], expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_in_a_pdf_is_treated_by_policy() {
    let world = World::with(&[("KMRL_DOOR_JAVASCRIPT", "reject")]).await;
    let gateway = world.start();
    refused(&gateway, "form.pdf", &pdf_with_script(), "active-content").await;
    assert!(gateway.stop().await);

    let mut world = world;
    world.settings = vec![("KMRL_DOOR_JAVASCRIPT".into(), "quarantine".into())];
    let gateway = world.start();
    let document = gateway.upload("form.pdf", pdf_with_script()).await;
    assert_eq!(document["quarantine_state"], "quarantined");
    assert_eq!(
        document["quarantine"]["objections"][0]["code"],
        "javascript"
    );
    assert!(gateway.stop().await);

    world.settings = vec![("KMRL_DOOR_JAVASCRIPT".into(), "accept".into())];
    let gateway = world.start();
    let document = gateway.upload("form.pdf", pdf_with_script()).await;
    assert_eq!(document["accepted_risks"][0]["code"], "javascript");
    let id = id_of(&document);
    let document = gateway.finished(&id).await;
    assert_eq!(document["status"], "processed");
    assert_eq!(document["accepted_risks"][0]["code"], "javascript");
    let log = gateway
        .json(&format!(
            "/api/v1/events?document_id={id}&type=RisksAccepted"
        ))
        .await;
    assert_eq!(log["events"].as_array().unwrap().len(), 1);
}

/// A document with macros, in quarantine.
async fn quarantined(gateway: &Gateway) -> String {
    let document = gateway.upload("form.docx", docm()).await;
    let id = id_of(&document);
    assert_eq!(document["status"], "queued");
    assert_eq!(document["quarantine_state"], "quarantined");
    assert_eq!(document["quarantine"]["objections"][0]["code"], "macros");
    let shown = eventually("it is shown in quarantine", || async {
        let list = gateway.json("/api/v1/documents/?quarantined=true").await;
        let found = list["documents"]
            .as_array()?
            .iter()
            .find(|d| d["id"] == id)?;
        assert_eq!(
            list["total"].as_u64()? as usize,
            list["documents"].as_array()?.len()
        );
        Some(found.clone())
    })
    .await;
    assert_eq!(shown["quarantine"], document["quarantine"]);
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_document_is_released_by_a_second_person_and_processed() {
    let world = World::with(&[("KMRL_APPROVER_KEY", APPROVER)]).await;
    let gateway = world.start();
    let id = quarantined(&gateway).await;
    let get = |path: String| gateway.get(&path).send();
    let path = format!("/api/v1/documents/{id}");
    expect_problem(
        get(format!("{path}/download")).await.unwrap(),
        403,
        "quarantined",
    )
    .await;
    let status = gateway.json(&format!("{path}/status")).await;
    assert_eq!(
        (&status["status"], &status["quarantined"]),
        (&json!("queued"), &json!(true))
    );
    let reprocess = tell(&gateway, None, &format!("{id}/reprocess"), json!({})).await;
    expect_problem(reprocess, 403, "quarantined").await;

    let release = format!("{id}/quarantine/release");
    let approve = format!("{release}/approve");
    let early = tell(&gateway, Some(APPROVER), &approve, Value::Null).await;
    expect_problem(early, 409, "release-not-requested").await;
    let because = || json!({"reason": "the macros number the rows"});
    let wordless = tell(&gateway, None, &release, json!({"reason": "..."})).await;
    expect_problem(wordless, 422, "command-invalid").await;
    done(
        tell(&gateway, None, &release, because()).await,
        StatusCode::ACCEPTED,
    )
    .await;
    let same = tell(&gateway, None, &approve, Value::Null).await;
    expect_problem(same, 403, "second-person-required").await;
    let reject = format!("{release}/reject");
    done(
        tell(
            &gateway,
            Some(APPROVER),
            &reject,
            json!({"reason": "say more"}),
        )
        .await,
        StatusCode::OK,
    )
    .await;
    done(
        tell(&gateway, None, &release, because()).await,
        StatusCode::ACCEPTED,
    )
    .await;
    // Until then nothing has worked on it.
    let started = gateway
        .json(&format!(
            "/api/v1/events?document_id={id}&type=ProcessingStarted"
        ))
        .await;
    assert_eq!(started["events"], json!([]));
    let check = world.tool(&["check"]);
    assert!(
        check.status.success(),
        "{}",
        String::from_utf8_lossy(&check.stdout)
    );

    done(
        tell(&gateway, Some(APPROVER), &approve, Value::Null).await,
        StatusCode::ACCEPTED,
    )
    .await;
    let document = gateway.finished(&id).await;
    assert_eq!(document["quarantine_state"], "released");
    assert_eq!(document["run"], 2);
    assert_eq!(document["quarantine"]["released_by"], "key:approver");
    done(
        get(format!("{path}/download")).await.unwrap(),
        StatusCode::OK,
    )
    .await;
    let list = gateway.json("/api/v1/documents/?quarantined=true").await;
    assert_eq!(list["total"], 0);
    let check = world.tool(&["check"]);
    assert!(
        check.status.success(),
        "{}",
        String::from_utf8_lossy(&check.stdout)
    );
    let trail = gateway.json(&format!("{path}/audit")).await.to_string();
    for action in ["request_release", "reject_release", "approve_release"] {
        assert!(trail.contains(action), "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_document_is_destroyed_as_an_erased_one_is() {
    let world = World::with(&[("KMRL_APPROVER_KEY", APPROVER)]).await;
    let gateway = world.start();
    let id = quarantined(&gateway).await;
    let destroy = format!("{id}/quarantine/destroy");
    let because = json!({"reason": "sent by nobody we know"});
    done(
        tell(&gateway, None, &destroy, because).await,
        StatusCode::ACCEPTED,
    )
    .await;
    let release = tell(
        &gateway,
        None,
        &format!("{id}/quarantine/release"),
        json!({"reason": "or is it"}),
    )
    .await;
    expect_problem(release, 409, "erasure-already-requested").await;
    let approve = format!("{id}/erasure/approve");
    let same = tell(&gateway, None, &approve, Value::Null).await;
    expect_problem(same, 403, "second-person-required").await;
    done(
        tell(&gateway, Some(APPROVER), &approve, Value::Null).await,
        StatusCode::ACCEPTED,
    )
    .await;
    eventually("its content is destroyed", || async {
        let document = gateway.json(&format!("/api/v1/documents/{id}")).await;
        (document["erasure_state"] == "done" && document["original_filename"] == "").then_some(())
    })
    .await;
    assert_eq!(files(&world.data.path().join("blobs/sha256")), 0);
    let list = gateway
        .json("/api/v1/documents/?quarantined=true&include_erased=false")
        .await;
    assert_eq!(list["total"], 0);
    let check = world.tool(&["check"]);
    assert!(
        check.status.success(),
        "{}",
        String::from_utf8_lossy(&check.stdout)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_scanner_finds_its_test_file_and_nothing_comes_in_while_it_is_away() {
    let mut clamd = Clamd::start().await;
    let world = World::with(&[("KMRL_CLAMD_ADDRESS", &clamd.address())]).await;
    let gateway = world.start();
    let problem = refused(&gateway, "a.txt", &eicar(), "malware-found").await;
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("Eicar-Test-Signature")
    );
    let packed = zipped(&[("a.txt", &eicar())]);
    refused(&gateway, "a.zip", &packed, "malware-found").await;
    let clean = gateway.upload("clean.txt", "plain words").await;
    gateway.finished(&id_of(&clean)).await;
    let log = gateway.json("/api/v1/events?type=UploadRefused").await;
    let objections = &log["events"][0]["payload"]["objections"];
    assert_eq!(objections[0]["code"], "malware");
    assert!(
        objections[0]["detail"]
            .as_str()
            .unwrap()
            .contains("Eicar-Test-Signature")
    );
    let component = |health: &Value| {
        let all = health["components"].as_array().unwrap().iter();
        all.clone().find(|c| c["name"] == "clamd").unwrap()["status"].clone()
    };
    let health = gateway.json("/health/detailed").await;
    assert_eq!(component(&health), "up");

    clamd.stop();
    let before = files(&world.data.path().join("blobs/sha256"));
    let answer = gateway
        .upload_request("b.txt", "other words")
        .send()
        .await
        .unwrap();
    assert!(answer.headers().contains_key("retry-after"));
    expect_problem(answer, 503, "inspector-unavailable").await;
    assert_eq!(files(&world.data.path().join("blobs/sha256")), before);
    assert_eq!(files(&world.data.path().join("spool")), 0);
    assert_eq!(gateway.json("/api/v1/documents/").await["total"], 1);
    let health = eventually("the last round of probes is over", || async {
        let health = gateway.json("/health/detailed").await;
        (component(&health) == "down").then_some(health)
    })
    .await;
    // What needs no scanner is served.
    assert_eq!(health["status"], "degraded");
    gateway.json("/health/ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_found_virus_can_be_kept_in_quarantine() {
    let clamd = Clamd::start().await;
    let world = World::with(&[
        ("KMRL_CLAMD_ADDRESS", &clamd.address()),
        ("KMRL_DOOR_MALWARE", "quarantine"),
        ("KMRL_CLAMD_MAX_BYTES", "100"),
    ])
    .await;
    let gateway = world.start();
    let document = gateway.upload("a.txt", eicar()).await;
    assert_eq!(document["quarantine"]["objections"][0]["code"], "malware");
    // Beyond what the scanner reads, its `OK` is not taken for clean.
    let document = gateway.upload("long.txt", "x".repeat(101)).await;
    assert_eq!(document["quarantine"]["objections"][0]["code"], "unscanned");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_the_inspector_does_not_get_through_is_kept_in_quarantine() {
    let world = World::with(&[("KMRL_DOOR_WITHIN", "1")]).await;
    let gateway = world.start();
    let document = gateway.upload("long.zip", slow_to_unpack()).await;
    let objection = &document["quarantine"]["objections"][0];
    assert_eq!(objection["code"], "uninspectable", "{document}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_packed_in_a_released_archive_is_judged_by_itself() {
    let world = World::with(&[("KMRL_APPROVER_KEY", APPROVER)]).await;
    let gateway = world.start();
    let archive = zipped(&[("rows.docx", &docm()), ("notes.txt", b"Brakes checked")]);
    let sent = gateway.upload("forms.zip", archive).await;
    let id = id_of(&sent);
    let release = format!("{id}/quarantine/release");
    let because = json!({"reason": "the macros number the rows"});
    done(
        tell(&gateway, None, &release, because).await,
        StatusCode::ACCEPTED,
    )
    .await;
    let approve = format!("{release}/approve");
    let approved = tell(&gateway, Some(APPROVER), &approve, Value::Null).await;
    assert!(
        approved.status().is_success(),
        "{:?}",
        approved.text().await
    );

    let children = eventually("the files inside are documents", || async {
        let list = gateway
            .json(&format!("/api/v1/documents/?parent={id}"))
            .await;
        let all = list["documents"].as_array().unwrap().clone();
        (all.len() == 2).then_some(all)
    })
    .await;
    let of_name = |name: &str| {
        let found = children.iter().find(|d| d["original_filename"] == name);
        id_of(found.unwrap())
    };
    let notes = gateway.finished(&of_name("notes.txt")).await;
    assert_eq!(notes["extracted_text"], "Brakes checked");
    let rows = gateway
        .json(&format!("/api/v1/documents/{}", of_name("rows.docx")))
        .await;
    assert_eq!(rows["quarantine_state"], "quarantined", "{rows}");
    assert_eq!(rows["status"], "queued");
}
