//! Evidence packs through the real program: made over HTTP and by the command, checked without it.

use crate::harness::{Gateway, World, expect_problem};
use crate::support::TempDir;
use std::path::Path;
use std::process::Output;

/// `audit verify PACK`, where there is no gateway, no database and no data folder.
fn verify(pack: &Path, arguments: &[&str]) -> (bool, String) {
    let nowhere = TempDir::new("auditor");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_kmrl-gateway"))
        .args(["audit", "verify"])
        .arg(pack)
        .args(arguments)
        .env("KMRL_DATA_DIR", nowhere.path())
        .output()
        .unwrap();
    (output.status.success(), said(&output))
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

async fn key(gateway: &Gateway) -> String {
    let answer = gateway
        .get("/.well-known/kmrl-log-key")
        .send()
        .await
        .unwrap();
    answer.text().await.unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_proves_itself_without_a_server() {
    let world = World::new().await;
    let gateway = world.start();
    let id = gateway.upload("job-card.txt", "Replace brake pads").await["id"].clone();
    let id = id.as_str().unwrap();
    gateway.finished(id).await;
    // Somebody reads it: that is part of the evidence.
    let read = gateway.get(&format!("/api/v1/documents/{id}/download"));
    assert_eq!(
        read.send().await.unwrap().text().await.unwrap(),
        "Replace brake pads"
    );
    let request = gateway.get(&format!(
        "/api/v1/documents/{id}/evidence?reason=CMRS%20inquiry"
    ));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/zip");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let bytes = answer.bytes().await.unwrap().to_vec();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("Replace brake pads") && text.contains("CMRS inquiry"));
    assert!(
        text.contains("\"action\":\"download\""),
        "the read is not in it"
    );

    let folder = TempDir::new("evidence");
    let (pack, other) = (
        folder.path().join("pack.zip"),
        folder.path().join("other.zip"),
    );
    std::fs::write(&pack, &bytes).unwrap();
    let key = key(&gateway).await;
    let (well, told) = verify(&pack, &["--key", &key]);
    assert!(well, "{told}");
    // By the command, of the same document.
    let mut command = world.tool_command(&["audit", "evidence", id, "-o"]);
    let address = gateway.base.trim_start_matches("http://");
    let made = command
        .arg(&other)
        .env("KMRL_LISTEN", address)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", said(&made));
    assert!(gateway.stop().await);
    let (well, told) = verify(&other, &["--key", &key]);
    assert!(well, "{told}");

    // One byte changed, here and there, and a foreign key.
    for at in (0..bytes.len()).step_by(bytes.len() / 12) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        std::fs::write(&pack, &changed).unwrap();
        let (well, told) = verify(&pack, &["--key", &key]);
        assert!(!well, "byte {at}: {told}");
    }
    let foreign = World::new().await;
    let stranger = foreign.start();
    let first = stranger.upload("a.txt", "a").await;
    stranger
        .covering_checkpoint(first["position"].as_i64().unwrap())
        .await;
    let (well, told) = verify(&other, &["--key", &self::key(&stranger).await]);
    assert!(!well, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_evidence_is_told() {
    let world = World::new().await;
    let gateway = world.start();
    let nobody = "/api/v1/documents/00000000-0000-7000-8000-000000000000/evidence";
    expect_problem(
        gateway.get(nobody).send().await.unwrap(),
        404,
        "document-not-found",
    )
    .await;
    let bad = "/api/v1/documents/nonsense/evidence";
    expect_problem(gateway.get(bad).send().await.unwrap(), 400, "invalid-id").await;
    let folder = TempDir::new("evidence");
    let file = folder.path().join("no-pack.zip");
    std::fs::write(&file, b"PK\x03\x04 and then nothing of a pack").unwrap();
    let (well, told) = verify(&file, &[]);
    assert!(!well && !told.contains("panicked"), "{told}");
}
