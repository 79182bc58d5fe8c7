//! Erasure through the real program: two persons, legal holds, retention, and nothing left of the
//! content in database and object store while the log stays whole.

use crate::harness::{Gateway, World, expect_problem};
use crate::support::eventually;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};

const APPROVER: &str = "second-person-0123456789";
const TEXT: &str = "marker-of-the-text-4711";

async fn world(settings: &[(&str, &str)]) -> World {
    let mut all = vec![
        ("KMRL_APPROVER_KEY", APPROVER),
        ("KMRL_ERASURE_SWEEP_EVERY", "1"),
        ("KMRL_LOG_CHECKPOINT_EVERY", "1"),
    ];
    all.extend(settings);
    World::with(&all).await
}

/// A processed document with markers in its name, its metadata and its text.
async fn document(gateway: &Gateway, marker: &str) -> String {
    let text = format!("Report on {TEXT}, in plain words.");
    let part = Part::bytes(text.into_bytes()).file_name(format!("name-{marker}.txt"));
    let form = Form::new()
        .text("source", "scan")
        .text("metadata", format!(r#"{{"person":"meta-{marker}"}}"#))
        .part("file", part);
    let answer = gateway.post("/api/v1/documents/upload").multipart(form);
    let answer: Value = answer.send().await.unwrap().json().await.unwrap();
    let id = answer["id"].as_str().unwrap().to_owned();
    let document = gateway.finished(&id).await;
    assert!(document["extracted_text"].as_str().unwrap().contains(TEXT));
    id
}

/// A command as one of the two persons.
async fn tell(gateway: &Gateway, key: Option<&str>, path: &str, body: Value) -> Response {
    let (method, path) = match path.strip_prefix("DELETE ") {
        Some(path) => (Method::DELETE, path),
        None => (Method::POST, path),
    };
    let url = format!("{}/api/v1/documents/{path}", gateway.base);
    let mut request = gateway.client.request(method, url).header("if-match", "*");
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    if !body.is_null() {
        request = request.json(&body);
    }
    request.send().await.unwrap()
}

async fn done(answer: Response, status: StatusCode) -> Value {
    let got = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(got, status, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Requests by the administrator, approves by the other, and waits until the content is destroyed.
async fn erase(gateway: &Gateway, id: &str) {
    let reason = json!({"reason": "asked by the person concerned"});
    done(
        tell(gateway, None, &format!("{id}/erasure"), reason).await,
        StatusCode::ACCEPTED,
    )
    .await;
    let approve = format!("{id}/erasure/approve");
    expect_problem(
        tell(gateway, None, &approve, Value::Null).await,
        403,
        "second-person-required",
    )
    .await;
    done(
        tell(gateway, Some(APPROVER), &approve, Value::Null).await,
        StatusCode::ACCEPTED,
    )
    .await;
    destroyed(gateway, id).await;
}

async fn destroyed(gateway: &Gateway, id: &str) -> Value {
    eventually("the content is destroyed", || async {
        let document = gateway.json(&format!("/api/v1/documents/{id}")).await;
        (document["erasure_state"] == "done").then_some(document)
    })
    .await
}

/// The tables of the whole database in which some row, as text, holds a word.
async fn tables_with(world: &World, word: &str) -> Vec<String> {
    let pool = &world.database.pool;
    let tables: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_schema::text, table_name::text FROM information_schema.tables \
         WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(tables.iter().any(|(_, name)| name == "private_parts"));
    let mut found = Vec::new();
    for (schema, name) in tables {
        let sql =
            format!("SELECT count(*) FROM {schema}.{name} t WHERE t::text LIKE '%' || $1 || '%'");
        let rows: i64 = sqlx::query_scalar(&sql)
            .bind(word)
            .fetch_one(pool)
            .await
            .unwrap();
        if rows > 0 {
            found.push(format!("{schema}.{name}"));
        }
    }
    found
}

/// The files below a folder that hold a word.
fn files_with(folder: &Path, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, word));
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(word.len()).any(|w| w == word.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

fn audit_verifies(world: &World) {
    let output = Command::new(env!("CARGO_BIN_EXE_kmrl-gateway"))
        .args(["audit", "verify"])
        .env("KMRL_DATA_DIR", world.data.path())
        .env("DATABASE_URL", &world.database.url)
        .env("NATS_URL", world.nats.nats_url())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_erased_content_is_left_and_the_log_stays_whole() {
    let world = world(&[]).await;
    let gateway = world.start();
    let (one, two) = (
        document(&gateway, "one").await,
        document(&gateway, "two").await,
    );
    for word in ["name-one", "meta-one", TEXT] {
        assert!(!tables_with(&world, word).await.is_empty(), "{word}");
    }
    erase(&gateway, &one).await;

    for word in ["name-one", "meta-one"] {
        assert_eq!(
            tables_with(&world, word).await,
            Vec::<String>::new(),
            "{word}"
        );
        assert_eq!(
            files_with(world.data.path(), word),
            Vec::<String>::new(),
            "{word}"
        );
    }
    let of_one = files_with(world.data.path(), TEXT)
        .into_iter()
        .filter(|f| f.contains(&one));
    assert_eq!(of_one.count(), 0);
    let erased = gateway.json(&format!("/api/v1/documents/{one}")).await;
    assert_eq!(erased["original_filename"], "");
    assert_eq!(erased["metadata"], json!({}));
    assert_eq!(erased["extracted_text"], Value::Null);
    assert!(erased["erased_at"].is_string());
    assert_eq!(erased["erasure"]["approved_by"], "key:approver");
    assert_eq!(erased["erasure"]["objects_kept"], 1, "{erased}");
    let download = gateway.get(&format!("/api/v1/documents/{one}/download"));
    expect_problem(download.send().await.unwrap(), 410, "erased").await;

    // The other has the same bytes: they stay until it is erased too.
    let other = gateway.get(&format!("/api/v1/documents/{two}/download"));
    assert!(
        other
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains(TEXT)
    );
    let list = gateway.json("/api/v1/documents/").await;
    assert_eq!(
        (&list["total"], &list["documents"][0]["id"]),
        (&json!(1), &json!(two))
    );
    let list = gateway.json("/api/v1/documents/?include_erased=true").await;
    assert_eq!(list["total"], 2);
    erase(&gateway, &two).await;
    for word in ["name-two", "meta-two", TEXT] {
        assert_eq!(
            tables_with(&world, word).await,
            Vec::<String>::new(),
            "{word}"
        );
        assert_eq!(
            files_with(world.data.path(), word),
            Vec::<String>::new(),
            "{word}"
        );
    }
    let done = gateway.json("/api/v1/erasures?state=done").await;
    assert_eq!(done["erasures"].as_array().unwrap().len(), 2);

    // The bytes may come again, as a document of their own.
    let again = document(&gateway, "again").await;
    let again = gateway.get(&format!("/api/v1/documents/{again}/download"));
    assert!(
        again
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains(TEXT)
    );
    assert!(gateway.stop().await);
    audit_verifies(&world);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_after_destruction_shows_the_same() {
    let world = world(&[]).await;
    let gateway = world.start();
    let id = document(&gateway, "one").await;
    erase(&gateway, &id).await;
    let before = gateway.json(&format!("/api/v1/documents/{id}")).await;
    for name in kmrl_projections::NAMES {
        let status = Command::new(env!("CARGO_BIN_EXE_kmrl-gateway"))
            .args(["rebuild", name])
            .env("KMRL_DATA_DIR", world.data.path())
            .env("DATABASE_URL", &world.database.url)
            .env("NATS_URL", world.nats.nats_url())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{name}");
    }
    assert_eq!(
        gateway.json(&format!("/api/v1/documents/{id}")).await,
        before
    );
    let parked: i64 = sqlx::query_scalar("SELECT count(*) FROM parked_events")
        .fetch_one(&world.database.pool)
        .await
        .unwrap();
    assert_eq!(parked, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn legal_holds_stop_withdrawal_and_erasure() {
    let world = world(&[]).await;
    let gateway = world.start();
    let id = document(&gateway, "held").await;
    let reason = json!({"reason": "asked by the person concerned"});
    done(
        tell(&gateway, None, &format!("{id}/erasure"), reason.clone()).await,
        StatusCode::ACCEPTED,
    )
    .await;
    let holds = format!("{id}/legal-holds");
    for matter in ["case-1", "case-2"] {
        let hold = json!({"matter": matter, "reason": "inquiry"});
        done(
            tell(&gateway, None, &holds, hold.clone()).await,
            StatusCode::OK,
        )
        .await;
        expect_problem(
            tell(&gateway, None, &holds, hold).await,
            409,
            "command-refused",
        )
        .await;
    }
    let bad = json!({"matter": "no / name", "reason": "inquiry"});
    expect_problem(
        tell(&gateway, None, &holds, bad).await,
        422,
        "command-invalid",
    )
    .await;

    let approve = format!("{id}/erasure/approve");
    for matter in ["case-1", "case-2"] {
        let withdraw = tell(&gateway, None, &format!("{id}/withdraw"), reason.clone()).await;
        expect_problem(withdraw, 409, "legal-hold").await;
        let approved = tell(&gateway, Some(APPROVER), &approve, Value::Null).await;
        expect_problem(approved, 409, "legal-hold").await;
        let release = format!("DELETE {holds}/{matter}");
        let released = tell(&gateway, None, &release, json!({"reason": "closed"})).await;
        let position = done(released, StatusCode::OK).await["position"].clone();
        let left = gateway
            .json(&format!(
                "/api/v1/documents/{holds}?min_position={position}"
            ))
            .await;
        let count = left["legal_holds"].as_array().unwrap().len();
        assert_eq!(count, if matter == "case-1" { 1 } else { 0 }, "{left}");
        let again = tell(&gateway, None, &release, json!({"reason": "closed"})).await;
        expect_problem(again, 404, "legal-hold-not-found").await;
    }
    done(
        tell(&gateway, Some(APPROVER), &approve, Value::Null).await,
        StatusCode::ACCEPTED,
    )
    .await;
    destroyed(&gateway, &id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_of_an_erasure_is_refused_where_it_does_not_belong() {
    let world = world(&[]).await;
    let gateway = world.start();
    let id = document(&gateway, "refused").await;
    let (request, approve) = (format!("{id}/erasure"), format!("{id}/erasure/approve"));
    let reason = json!({"reason": "asked by the person concerned"});
    let approver = Some(APPROVER);
    expect_problem(
        tell(&gateway, approver, &approve, Value::Null).await,
        409,
        "erasure-not-requested",
    )
    .await;
    expect_problem(
        tell(&gateway, None, &request, json!({"reason": " ..."})).await,
        422,
        "command-invalid",
    )
    .await;
    let no_condition = gateway
        .post(&format!("/api/v1/documents/{request}"))
        .json(&reason);
    expect_problem(
        no_condition.send().await.unwrap(),
        428,
        "precondition-required",
    )
    .await;
    done(
        tell(&gateway, None, &request, reason.clone()).await,
        StatusCode::ACCEPTED,
    )
    .await;
    expect_problem(
        tell(&gateway, approver, &request, reason.clone()).await,
        409,
        "erasure-already-requested",
    )
    .await;
    let reject = format!("{id}/erasure/reject");
    let rejected = tell(
        &gateway,
        approver,
        &reject,
        json!({"reason": "still needed"}),
    )
    .await;
    done(rejected, StatusCode::OK).await;
    expect_problem(
        tell(&gateway, approver, &approve, Value::Null).await,
        409,
        "erasure-not-requested",
    )
    .await;
    erase(&gateway, &id).await;
    expect_problem(
        tell(&gateway, approver, &approve, Value::Null).await,
        410,
        "erased",
    )
    .await;
    for (command, body) in [
        ("reprocess", json!({})),
        ("correct", json!({"department": "safety"})),
        ("withdraw", reason.clone()),
        ("erasure", reason.clone()),
        (
            "legal-holds",
            json!({"matter": "case-1", "reason": "inquiry"}),
        ),
    ] {
        let answer = tell(&gateway, None, &format!("{id}/{command}"), body).await;
        expect_problem(answer, 410, "erased").await;
    }
    let bad = gateway
        .get("/api/v1/erasures?state=lost")
        .send()
        .await
        .unwrap();
    expect_problem(bad, 400, "invalid-parameter").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_second_key_the_answer_says_what_is_missing() {
    let world = World::new().await;
    let gateway = world.start();
    let id = document(&gateway, "alone").await;
    let reason = json!({"reason": "asked by the person concerned"});
    done(
        tell(&gateway, None, &format!("{id}/erasure"), reason).await,
        StatusCode::ACCEPTED,
    )
    .await;
    let approve = tell(
        &gateway,
        None,
        &format!("{id}/erasure/approve"),
        Value::Null,
    )
    .await;
    let problem = expect_problem(approve, 409, "approver-not-configured").await;
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("KMRL_APPROVER_KEY")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_long_enough_is_requested_and_one_person_approves() {
    let rules = "source=scan,department=legal,days=3650;source=scan,days=0";
    let world = world(&[("KMRL_RETENTION", rules)]).await;
    // Without the relay role nothing is looked for yet: time to place a hold.
    let api = world.start_roles("api,projector");
    let upload = |name: &'static str, source: &'static str| {
        let form = Form::new()
            .text("source", source)
            .part("file", Part::bytes(name.as_bytes()).file_name(name));
        let request = api.post("/api/v1/documents/upload").multipart(form);
        async move {
            let answer: Value = request.send().await.unwrap().json().await.unwrap();
            answer["id"].as_str().unwrap().to_owned()
        }
    };
    let (old, held, other) = (
        upload("old.txt", "scan").await,
        upload("held.txt", "scan").await,
        upload("other.txt", "manual").await,
    );
    let hold = json!({"matter": "case-1", "reason": "inquiry"});
    let placed = tell(&api, None, &format!("{held}/legal-holds"), hold).await;
    let position = done(placed, StatusCode::OK).await["position"].clone();
    api.json(&format!("/api/v1/documents/{held}?min_position={position}"))
        .await;
    let rest = world.start_roles("relay,worker");
    let found = eventually("an erasure is requested", || async {
        let page = api.json("/api/v1/erasures?state=requested").await;
        let erasures = page["erasures"].as_array().unwrap().clone();
        (!erasures.is_empty()).then_some(erasures)
    })
    .await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["document_id"], json!(old));
    assert_eq!(found[0]["erasure"]["requested_by"], "system:retention");
    assert_eq!(found[0]["retention_rule"], "source=scan,days=0");
    let approve = tell(&api, None, &format!("{old}/erasure/approve"), Value::Null).await;
    done(approve, StatusCode::ACCEPTED).await;
    destroyed(&api, &old).await;
    for kept in [&held, &other] {
        let document = api.json(&format!("/api/v1/documents/{kept}")).await;
        assert_eq!(document["erasure_state"], Value::Null, "{document}");
    }
    drop(rest);
}

#[tokio::test(flavor = "multi_thread")]
async fn text_put_after_the_erasure_goes_too() {
    let world = world(&[]).await;
    let gateway = world.start();
    let id = document(&gateway, "late").await;
    erase(&gateway, &id).await;
    // As a worker would leave it that stood still while the document was erased.
    let folder = world.data.path().join("blobs/text").join(&id);
    std::fs::create_dir_all(&folder).unwrap();
    let late = folder.join("1-2-0123456789abcdef.json");
    std::fs::write(&late, TEXT).unwrap();
    eventually("the late text is gone", || async {
        (!late.exists()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_eraser_killed_again_and_again_destroys_everything_in_the_end() {
    let world = world(&[]).await;
    let gateway = world.start_roles("api,projector,worker");
    let mut relay = world.start_roles("relay");
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(document(&gateway, &format!("killed-{n}")).await);
    }
    for id in &ids {
        let reason = json!({"reason": "asked by the person concerned"});
        done(
            tell(&gateway, None, &format!("{id}/erasure"), reason).await,
            StatusCode::ACCEPTED,
        )
        .await;
        let approve = format!("{id}/erasure/approve");
        done(
            tell(&gateway, Some(APPROVER), &approve, Value::Null).await,
            StatusCode::ACCEPTED,
        )
        .await;
        relay.kill();
        relay = world.start_roles("relay");
    }
    let second = world.start_roles("relay");
    for id in &ids {
        destroyed(&gateway, id).await;
    }
    assert_eq!(tables_with(&world, "killed-").await, Vec::<String>::new());
    assert_eq!(tables_with(&world, TEXT).await, Vec::<String>::new());
    assert_eq!(files_with(world.data.path(), TEXT), Vec::<String>::new());
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = 'ContentDestroyed'")
            .fetch_one(&world.database.pool)
            .await
            .unwrap();
    assert_eq!(count, 5);
    drop((relay, second));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_repeated_after_the_erasure_does_not_bring_the_bytes_back() {
    let world = world(&[]).await;
    let gateway = world.start();
    let upload = || {
        let request = gateway.upload_request("repeated.txt", TEXT);
        request.header("idempotency-key", "repeated-1").send()
    };
    let first = done(upload().await.unwrap(), StatusCode::ACCEPTED).await;
    let id = first["id"].as_str().unwrap();
    gateway.finished(id).await;
    erase(&gateway, id).await;
    // Nor is there a digest left from which the name could be guessed.
    let fingerprints: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT fingerprint FROM command_keys WHERE key LIKE 'http:%' AND aggregate_id = $1",
    )
    .bind(id)
    .fetch_all(&world.database.pool)
    .await
    .unwrap();
    assert!(!fingerprints.is_empty() && fingerprints.iter().all(Vec::is_empty));
    let again = done(upload().await.unwrap(), StatusCode::ACCEPTED).await;
    assert_eq!(
        (&again["id"], &again["original_filename"]),
        (&json!(id), &json!(""))
    );
    assert_eq!(files_with(world.data.path(), TEXT), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_a_person_wrote_is_erased_too() {
    let world = world(&[]).await;
    let gateway = world.start();
    let id = document(&gateway, "one").await;
    let written = "written-by-hand-4712";
    let page = json!([{"number": 1, "text": format!("A note: {written}.")}]);
    let review = json!({"verdict": "correct", "pages": page});
    let answer = tell(&gateway, None, &format!("{id}/review"), review).await;
    let changed = done(answer, StatusCode::OK).await;
    let path = format!(
        "/api/v1/documents/{id}?min_position={}",
        changed["position"]
    );
    let corrected = gateway.json(&path).await;
    assert!(
        corrected["extracted_text"]
            .as_str()
            .unwrap()
            .contains(written)
    );
    assert!(!files_with(world.data.path(), written).is_empty());
    erase(&gateway, &id).await;
    assert_eq!(tables_with(&world, written).await, Vec::<String>::new());
    assert_eq!(files_with(world.data.path(), written), Vec::<String>::new());
    audit_verifies(&world);
}
