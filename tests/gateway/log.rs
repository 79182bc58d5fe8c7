//! Proofs of the log through the real program: endpoints, and `audit verify` beside it and offline.

use crate::harness::{Gateway, KEY, World, expect_problem};
use crate::support::eventually;
use kmrl_gateway::proof::checkpoint::Checkpoint;
use kmrl_gateway::proof::export::LeafEntry;
use kmrl_gateway::proof::note::{SigningKey, VerifyingKey};
use kmrl_gateway::proof::{Hash, hash_from_hex, hex, tree};
use reqwest::StatusCode;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};

async fn text(gateway: &Gateway, path: &str) -> String {
    let answer = gateway.get(path).send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{path}: {text}");
    text
}

/// The newest checkpoint once it has so many entries.
async fn checkpoint(gateway: &Gateway, at_least: u64) -> (String, Checkpoint) {
    eventually("a checkpoint covers the entries", || async {
        let answer = gateway.get("/api/v1/log/checkpoint").send().await.ok()?;
        if answer.status() != StatusCode::OK {
            return None;
        }
        let note = answer.text().await.ok()?;
        let checkpoint = Checkpoint::parse(&note).unwrap();
        (checkpoint.size >= at_least).then_some((note, checkpoint))
    })
    .await
}

async fn key(gateway: &Gateway) -> VerifyingKey {
    // Open to everybody: asked for without an API key.
    let url = format!("{}/.well-known/kmrl-log-key", gateway.base);
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    VerifyingKey::parse(&answer.text().await.unwrap()).unwrap()
}

fn hashes(value: &Value) -> Vec<Hash> {
    let hash = |v: &Value| hash_from_hex(v.as_str().unwrap()).unwrap();
    value.as_array().unwrap().iter().map(hash).collect()
}

fn hash(value: &Value) -> Hash {
    hash_from_hex(value.as_str().unwrap()).unwrap()
}

async fn started() -> (World, Gateway) {
    let world = World::with(&[("KMRL_LOG_CHECKPOINT_EVERY", "1")]).await;
    let gateway = world.start();
    (world, gateway)
}

async fn upload(gateway: &Gateway, n: usize) {
    for n in 0..n {
        let document = gateway.upload("a.txt", format!("text {n}")).await;
        gateway.finished(document["id"].as_str().unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoints_prove_the_log() {
    let (_world, gateway) = started().await;
    upload(&gateway, 3).await;
    let (note, signed) = checkpoint(&gateway, 9).await;
    let key = key(&gateway).await;
    assert_eq!(Checkpoint::open(&note, &key).unwrap(), signed);
    let json = gateway
        .get("/api/v1/log/checkpoint")
        .header("accept", "application/json");
    let json: Value = json.send().await.unwrap().json().await.unwrap();
    assert!(json["size"].as_u64().unwrap() >= signed.size);

    let lines = text(
        &gateway,
        &format!("/api/v1/log/entries?limit={}", signed.size),
    )
    .await;
    let entries: Vec<LeafEntry> = lines
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let leaves: Vec<Hash> = entries.iter().map(|e| e.entry.leaf()).collect();
    assert_eq!(tree::root(&leaves), signed.root);
    assert!(entries.iter().all(|e| hex(&e.entry.leaf()) == e.leaf));
    let after = text(&gateway, "/api/v1/log/entries?after=2&limit=1").await;
    assert_eq!(after.trim(), lines.lines().nth(2).unwrap());

    let size = signed.size;
    for position in 1..=size {
        let path = format!("/api/v1/log/proof/inclusion?position={position}&size={size}");
        let proof = gateway.json(&path).await;
        let leaf = leaves[position as usize - 1];
        assert_eq!(hash(&proof["leaf"]), leaf);
        assert_eq!(proof["checkpoint"].as_str().unwrap(), note);
        let hashes = hashes(&proof["proof"]);
        tree::verify_inclusion(&leaf, position - 1, size, &hashes, &signed.root).unwrap();
        let path = format!("/api/v1/log/proof/consistency?from={position}&to={size}");
        let proof = gateway.json(&path).await;
        let old = tree::root(&leaves[..position as usize]);
        assert_eq!(hash(&proof["from_root"]), old);
        let hashes = self::hashes(&proof["proof"]);
        tree::verify_consistency(position, size, &hashes, &old, &signed.root).unwrap();
    }
    let newest = gateway.json("/api/v1/log/proof/inclusion?position=1").await;
    assert!(newest["checkpoint"].is_string());
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_proven_is_told_clearly() {
    let (_world, gateway) = started().await;
    for path in ["/api/v1/log/checkpoint", "/.well-known/kmrl-log-key"] {
        let answer = gateway.get(path).send().await.unwrap();
        // Unless something has been recorded, and signed, already.
        if answer.status() != StatusCode::OK {
            expect_problem(answer, 404, "log-not-signed").await;
        }
    }
    upload(&gateway, 1).await;
    checkpoint(&gateway, 3).await;
    for (path, status, slug) in [
        (
            "proof/inclusion?position=1&size=0",
            400,
            "invalid-parameter",
        ),
        (
            "proof/inclusion?position=1&size=1000000",
            404,
            "log-size-unknown",
        ),
        (
            "proof/inclusion?position=3&size=2",
            400,
            "log-position-beyond-size",
        ),
        (
            "proof/inclusion?position=1000000&size=2",
            404,
            "log-position-future",
        ),
        (
            "proof/inclusion?position=9223372036854775807",
            404,
            "log-position-future",
        ),
        ("proof/inclusion?position=0", 400, "invalid-parameter"),
        ("proof/inclusion?position=x", 400, "invalid-parameter"),
        ("proof/inclusion?position=1&siz=1", 400, "unknown-parameter"),
        ("proof/inclusion", 400, "invalid-parameter"),
        ("proof/consistency?from=2&to=1", 400, "log-range-reversed"),
        ("proof/consistency?from=0&to=2", 400, "invalid-parameter"),
        ("proof/consistency?from=1&to=0", 400, "invalid-parameter"),
        (
            "proof/consistency?from=1&to=1000000",
            404,
            "log-size-unknown",
        ),
        ("entries?after=1000000", 404, "log-position-future"),
        ("entries?limit=0", 400, "invalid-parameter"),
        ("checkpoint?size=1", 400, "unknown-parameter"),
    ] {
        let answer = gateway
            .get(&format!("/api/v1/log/{path}"))
            .send()
            .await
            .unwrap();
        expect_problem(answer, status, slug).await;
    }
    let url = format!("{}/api/v1/log/checkpoint", gateway.base);
    expect_problem(reqwest::get(url).await.unwrap(), 401, "unauthorized").await;
}

/// Wherever notaries are killed, and however many there are, the log stays whole and signed.
#[tokio::test(flavor = "multi_thread")]
async fn notaries_that_are_killed_leave_nothing_wrong() {
    let (world, gateway) = started().await;
    let mut others = vec![
        world.start_roles("projector"),
        world.start_roles("projector"),
    ];
    let before = world.database.checkpoints().await;
    for round in 0..4 {
        upload(&gateway, 2).await;
        let signed = before + round;
        eventually("a checkpoint is made", || async {
            (world.database.checkpoints().await > signed).then_some(())
        })
        .await;
        others.remove(0).kill();
        others.push(world.start_roles("projector"));
    }
    gateway.kill();
    expect(&world, &["verify"], true, "the log is as it was signed");
    let gateway = world.start();
    upload(&gateway, 1).await;
    assert!(gateway.stop().await);
    expect(&world, &["verify"], true, "the log is as it was signed");
}

fn audit(world: &World, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kmrl-gateway"))
        .arg("audit")
        .args(arguments)
        .env("KMRL_API_KEY", KEY)
        .env("KMRL_DATA_DIR", world.data.path())
        .env("DATABASE_URL", &world.database.url)
        .env("NATS_URL", world.nats.nats_url())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

fn expect(world: &World, arguments: &[&str], success: bool, words: &str) {
    let output = audit(world, arguments);
    let told = told(&output);
    assert_eq!(output.status.success(), success, "{arguments:?}: {told}");
    assert!(told.contains(words), "{arguments:?}: {told}");
}

fn path(dir: &Path, name: &str) -> String {
    dir.join(name).display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_verify_passes_beside_the_program_and_offline_and_finds_attacks() {
    let (world, gateway) = started().await;
    upload(&gateway, 2).await;
    checkpoint(&gateway, 6).await;
    let key = key(&gateway).await.vkey();
    expect(&world, &["verify"], true, "the log is as it was signed");
    // The checkpoint at the end covers everything.
    assert!(gateway.stop().await);
    let (head, signed): (i64, i64) =
        sqlx::query_as("SELECT position, (SELECT max(size) FROM log_checkpoints) FROM es_head")
            .fetch_one(&world.database.pool)
            .await
            .unwrap();
    assert_eq!(head, signed);
    let json = audit(&world, &["verify", "--json"]);
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["proven"], head);
    assert_eq!(report["findings"], serde_json::json!([]));

    let dir = world.data.path();
    let (file, note) = (path(dir, "log.jsonl"), path(dir, "note"));
    expect(
        &world,
        &["export", "--format", "log", "-o", &file],
        true,
        "entries written",
    );
    expect(
        &world,
        &["export", "--format", "log", "-o", &file],
        false,
        "because",
    );
    let newest: String =
        sqlx::query_scalar("SELECT note FROM log_checkpoints ORDER BY size DESC LIMIT 1")
            .fetch_one(&world.database.pool)
            .await
            .unwrap();
    std::fs::write(&note, &newest).unwrap();
    let whole = ["verify", &file, "--checkpoint", &note, "--key", &key];
    expect(&world, &whole, true, "the log is as it was signed");
    expect(&world, &["verify", &file], false, "--key");
    offline_attacks(&world, &file, &note, &key);

    world
        .database
        .attack("UPDATE events SET payload = '{}' WHERE position = 3")
        .await;
    expect(&world, &["verify"], false, "entry 3: altered");
    let json = audit(&world, &["verify", "--json"]);
    assert!(!json.status.success());
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["findings"][0]["kind"], "altered");
    assert_eq!(report["findings"][0]["position"], 3);
    let other = path(dir, "altered.jsonl");
    expect(
        &world,
        &["export", "--format", "log", "-o", &other],
        true,
        "entries written",
    );
    let altered = ["verify", &other, "--checkpoint", &note, "--key", &key];
    expect(&world, &altered, false, "entry 3: altered");
}

fn offline_attacks(world: &World, file: &str, note: &str, key: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    let dir = world.data.path();
    let bad = path(dir, "bad.jsonl");
    let line = text.lines().find(|l| l.contains("\"position\":4")).unwrap();
    let arguments = ["verify", &bad, "--checkpoint", note, "--key", key];
    for (changed, words) in [
        (
            text.replace(line, &line.replace("application", "applicatiom")),
            "entry 4",
        ),
        (text.replace(&format!("{line}\n"), ""), "entry 4: removed"),
        (
            text.replace(line, &format!("{line}\n{line}")),
            "entry 5: inserted",
        ),
        (
            text.split(line).next().unwrap().to_owned(),
            "entry 4: cut off",
        ),
        (
            text.replace("{\"entry\"", "{\"entri\""),
            "none of a log export",
        ),
    ] {
        if changed == text {
            continue;
        }
        std::fs::write(&bad, changed).unwrap();
        expect(world, &arguments, false, words);
    }
    // Another log's checkpoint and key.
    let other = SigningKey::generate("kmrl-gateway/log/another", [1; 32]).unwrap();
    let mut checkpoint = Checkpoint::parse(&std::fs::read_to_string(note).unwrap()).unwrap();
    checkpoint.origin = other.name().to_owned();
    let foreign = path(dir, "foreign");
    std::fs::write(&foreign, checkpoint.sign(&other)).unwrap();
    let arguments = ["verify", file, "--checkpoint", &foreign, "--key", key];
    expect(
        world,
        &arguments,
        false,
        "checkpoint of the log kmrl-gateway/log/another",
    );
    let vkey = other.vkey();
    let arguments = ["verify", file, "--key", &vkey];
    expect(world, &arguments, false, "the file is of the log");
    let name = key.split('+').next().unwrap();
    let forged = SigningKey::generate(name, [2; 32]).unwrap().vkey();
    expect(
        world,
        &["verify", file, "--key", &forged],
        false,
        "checkpoint altered",
    );
    expect(
        world,
        &["verify", file, "--key", "nonsense"],
        false,
        "public key",
    );
}
