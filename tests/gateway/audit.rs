//! The audit trail from outside: every access is there, and none is answered without its record.

use crate::harness::{Gateway, KEY, World, expect_problem};
use crate::support::{PATIENCE, eventually};
use futures::StreamExt;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn entries(page: &Value) -> &Vec<Value> {
    page["entries"].as_array().unwrap()
}

/// Waits until the trail has an entry that fits, and gives it.
async fn entry(gateway: &Gateway, query: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("the trail has what {query} asks for"), || async {
        let page = gateway
            .json(&format!("/api/v1/audit?limit=1000&{query}"))
            .await;
        entries(&page).iter().find(|e| fits(e)).cloned()
    })
    .await
}

async fn processed(gateway: &Gateway, name: &str) -> String {
    let id = gateway.upload(name, name.to_owned()).await["id"].clone();
    let id = id.as_str().unwrap().to_owned();
    gateway.finished(&id).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_access_is_recorded_with_who_what_and_whence() {
    let world = World::new().await;
    let gateway = world.start();
    let id = processed(&gateway, "a.txt").await;
    for path in ["", "/status", "/audit"] {
        gateway.json(&format!("/api/v1/documents/{id}{path}")).await;
    }
    let part = gateway.get(&format!("/api/v1/documents/{id}/download"));
    let part = part
        .header("range", "bytes=1-2")
        .header("user-agent", "inspector/1");
    assert_eq!(
        part.send().await.unwrap().status(),
        StatusCode::PARTIAL_CONTENT
    );
    for path in [
        "/api/v1/documents/?source=manual",
        "/api/v1/documents/statistics",
        "/api/v1/documents/validation-errors",
        "/api/v1/events?limit=1",
        "/api/v1/status",
        "/api/v1/websocket/info",
    ] {
        gateway.json(path).await;
    }
    let of = format!("document_id={id}&outcome=shown");
    let view = entry(&gateway, &of, |e| {
        e["action"] == "view" && e["version"] == 3
    })
    .await;
    assert_eq!(view["actor"], "key:admin");
    assert_eq!(view["address"], "127.0.0.1");
    assert_eq!(view["status"], 200);
    assert!(view["shown_at"].as_i64().unwrap() >= 3, "{view}");
    assert!(view["request_id"].is_string() && view["traceparent"].is_string());
    let download = entry(&gateway, &of, |e| e["action"] == "download").await;
    assert_eq!(download["parameters"]["range"], "bytes=1-2");
    assert_eq!(download["user_agent"], "inspector/1");
    assert_eq!(
        (&download["status"], &download["version"]),
        (&json!(206), &json!(3))
    );
    let list = entry(&gateway, "action=list", |_| true).await;
    assert_eq!(
        (&list["parameters"]["source"], &list["count"]),
        (&json!("manual"), &json!(1))
    );
    for action in [
        "status",
        "document_audit",
        "statistics",
        "validation_errors",
        "events",
    ] {
        entry(&gateway, &format!("action={action}"), |e| {
            e["outcome"] == "shown"
        })
        .await;
    }
    for action in ["system_status", "live_info", "audit"] {
        entry(&gateway, &format!("action={action}"), |_| true).await;
    }
    let timeline = gateway
        .json(&format!("/api/v1/documents/{id}/audit?limit=1000"))
        .await;
    let actions: Vec<_> = entries(&timeline)
        .iter()
        .map(|e| e["action"].clone())
        .collect();
    assert_eq!(
        actions[0], "upload",
        "changes and reads in one order: {timeline}"
    );
    assert!(actions.contains(&json!("extracted")) && actions.contains(&json!("view")));
    assert!(
        entries(&timeline)
            .iter()
            .all(|e| e["document_id"] == json!(id))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_commands_and_denied_attempts_are_recorded_without_secrets() {
    let world = World::new().await;
    let gateway = world.start();
    let id = processed(&gateway, "a.txt").await;
    let withdraw = |key: &'static str| {
        let request = gateway.post(&format!("/api/v1/documents/{id}/withdraw"));
        let request = request
            .header("if-match", "*")
            .header("idempotency-key", key);
        request.json(&json!({"reason": "sent twice"})).send()
    };
    assert_eq!(withdraw("k-1").await.unwrap().status(), 200);
    assert_eq!(withdraw("k-1").await.unwrap().status(), 200);
    expect_problem(withdraw("k-2").await.unwrap(), 409, "command-refused").await;
    let of = format!("document_id={id}&action=withdraw");
    let refused = entry(&gateway, &of, |e| e["outcome"] == "refused").await;
    assert_eq!(refused["problem"], "command-refused");
    assert!(
        refused["reason"].as_str().unwrap().contains("withdrawn"),
        "{refused}"
    );
    entry(&gateway, &of, |e| {
        e["outcome"] == "replayed" && e["status"] == 200
    })
    .await;
    let page = gateway
        .json(&format!("/api/v1/audit?{of}&outcome=accepted"))
        .await;
    assert_eq!(
        entries(&page).len(),
        1,
        "its event is the one record: {page}"
    );
    assert_eq!(entries(&page)[0]["kind"], "change");
    assert_eq!(entries(&page)[0]["address"], "127.0.0.1");

    let unknown = "00000000-0000-7000-8000-000000000000";
    let batch = json!({"commands": [
        {"type": "correct", "document_id": id, "department": "finance"},
        {"type": "reprocess", "document_id": unknown},
    ]});
    let batch = gateway.post("/api/v1/commands").json(&batch);
    assert_eq!(batch.send().await.unwrap().status(), 200);
    entry(&gateway, "action=correct", |e| {
        e["outcome"] == "refused" && e["document_id"] == json!(id)
    })
    .await;
    let missing = entry(&gateway, "action=reprocess", |e| e["outcome"] == "refused").await;
    assert_eq!(
        (&missing["document_id"], &missing["status"]),
        (&json!(unknown), &json!(404))
    );

    let stranger = Client::new();
    let url = format!(
        "{}/api/v1/documents/{id}?api_key=very-secret-1",
        gateway.base
    );
    let denied = stranger
        .get(url)
        .header("x-api-key", "very-secret-2")
        .send();
    expect_problem(denied.await.unwrap(), 401, "unauthorized").await;
    let denied = entry(&gateway, "outcome=denied", |_| true).await;
    assert_eq!(
        (&denied["actor"], &denied["action"]),
        (&json!("anonymous"), &json!("view"))
    );
    assert_eq!(denied["document_id"], json!(id));
    assert_eq!(denied["parameters"]["credential"], "api_key");
    let secret: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events WHERE payload::text LIKE '%very-secret%' OR payload::text LIKE $1",
    )
    .bind(format!("%{KEY}%"))
    .fetch_one(&world.database.pool)
    .await
    .unwrap();
    assert_eq!(secret, 0);
    let gone = gateway
        .get(&format!("/api/v1/documents/{unknown}"))
        .send()
        .await
        .unwrap();
    expect_problem(gone, 404, "document-not-found").await;
    entry(
        &gateway,
        &format!("document_id={unknown}&outcome=refused"),
        |e| e["action"] == "view",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_connection_leaves_what_it_asked_for_and_how_far_it_came() {
    let world = World::new().await;
    let gateway = world.start();
    let id = processed(&gateway, "a.txt").await;
    let mut socket = gateway.socket("/ws/admin?after=0&source=manual").await;
    let subscribe = json!({"type": "subscribe_document", "document_id": id});
    socket.send(subscribe).await;
    socket.find(|m| m["type"] == "subscribed").await;
    let opened = entry(&gateway, "action=live", |_| true).await;
    assert_eq!(opened["status"], 101);
    assert_eq!(opened["parameters"]["source"], "manual");
    assert_eq!(opened["parameters"]["user_id"], "admin");
    entry(&gateway, "action=live_subscribe", |e| {
        e["document_id"] == json!(id)
    })
    .await;
    drop(socket);
    let end = entry(&gateway, "action=live_end", |_| true).await;
    assert!(end["shown_at"].as_i64().unwrap() >= 3, "{end}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_right_after_an_answer_loses_no_record() {
    let world = World::new().await;
    let gateway = world.start();
    let id = processed(&gateway, "a.txt").await;
    let readers = (0..16).map(|reader| {
        let (client, id) = (gateway.client.clone(), id.clone());
        let url = format!("{}/api/v1/documents/{id}", gateway.base);
        tokio::spawn(async move {
            let mut answered = Vec::new();
            for n in 0.. {
                let request = format!("reader-{reader}-{n}");
                let read = client.get(&url).header("x-request-id", &request).send();
                match read.await {
                    Ok(answer) if answer.status() == StatusCode::OK => answered.push(request),
                    Ok(answer) => panic!("{}", answer.status()),
                    Err(_) => break,
                }
            }
            answered
        })
    });
    let readers: Vec<_> = readers.collect();
    let written = || async {
        let sql = "SELECT count(*) FROM events WHERE aggregate_type = 'access'";
        let n: i64 = sqlx::query_scalar(sql)
            .fetch_one(&world.database.pool)
            .await
            .unwrap();
        (n > 40).then_some(())
    };
    eventually("some reads are recorded", written).await;
    gateway.kill();
    let mut answered = Vec::new();
    for reader in readers {
        answered.extend(reader.await.unwrap());
    }
    assert!(answered.len() > 40, "{}", answered.len());
    let second = world.start();
    let mut recorded = BTreeSet::new();
    eventually("the trail has come to the head", || async {
        let page = second.json("/api/v1/audit?limit=1").await;
        let sql = "SELECT max(position) FROM events WHERE event_type = 'Extracted'";
        let there: i64 = sqlx::query_scalar(sql)
            .fetch_one(&world.database.pool)
            .await
            .unwrap();
        (page["position"].as_i64().unwrap() > there).then_some(())
    })
    .await;
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT r->>'request_id' FROM events e, json_array_elements(e.payload->'records') r \
         WHERE e.aggregate_type = 'access' AND r->>'outcome' = 'shown'",
    )
    .fetch_all(&world.database.pool)
    .await
    .unwrap();
    recorded.extend(rows);
    let lost: Vec<_> = answered.iter().filter(|r| !recorded.contains(*r)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recorded_is_not_shown() {
    let world = World::new().await;
    let gateway = world.start();
    let id = processed(&gateway, "a.txt").await;
    // Whoever appends waits for this row: rows can be read, and nothing can be recorded.
    let mut tx = world.database.pool.begin().await.unwrap();
    sqlx::query("SELECT * FROM es_head FOR UPDATE")
        .execute(&mut *tx)
        .await
        .unwrap();
    for path in ["", "/download"] {
        let answer = gateway
            .get(&format!("/api/v1/documents/{id}{path}"))
            .send()
            .await
            .unwrap();
        assert!(answer.headers().contains_key("retry-after"));
        assert!(!answer.headers().contains_key("etag"));
        expect_problem(answer, 503, "not-recorded").await;
    }
    let ready = gateway.get("/health/live").send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::OK);
    tx.rollback().await.unwrap();
    eventually("reads are answered again", || async {
        let answer = gateway
            .get(&format!("/api/v1/documents/{id}"))
            .send()
            .await
            .unwrap();
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgresql_a_read_shows_nothing() {
    let dir = crate::support::TempDir::new("audit-pg");
    let options = crate::support::engine_options(dir.path());
    let postgres = kmrl_gateway::engines::Postgres::start(&options)
        .await
        .unwrap();
    let mut world = World::new().await;
    world.database.url = postgres.database_url().to_owned();
    let mut command = world.command("api,relay,projector,worker");
    command.arg("--migrate");
    let gateway = Gateway::spawn(command);
    let id = processed(&gateway, "a.txt").await;
    postgres.kill().await.unwrap();
    for path in ["", "/status", "/download"] {
        let answer = gateway
            .get(&format!("/api/v1/documents/{id}{path}"))
            .send()
            .await
            .unwrap();
        expect_problem(answer, 503, "unavailable").await;
    }
    // Not even an attempt is answered that nobody will find in the trail.
    let stranger = Client::new()
        .get(format!("{}/api/v1/status", gateway.base))
        .send();
    expect_problem(stranger.await.unwrap(), 503, "not-recorded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_strangers_is_bounded_and_every_answer_is_recorded() {
    let world = World::new().await;
    let gateway = world.start_roles("api,relay,projector");
    let stranger = Client::new();
    let attempts = futures::stream::iter(0..3_000).map(|_| {
        let request = stranger.get(format!("{}/api/v1/documents/", gateway.base));
        let request = request.header("user-agent", "x".repeat(4_000));
        async move { request.send().await.unwrap().status().as_u16() }
    });
    let answers: Vec<u16> = attempts.buffer_unordered(256).collect().await;
    assert!(
        answers.iter().all(|s| [401, 503].contains(s)),
        "{answers:?}"
    );
    let denied = answers.iter().filter(|s| **s == 401).count();
    let sql = "SELECT count(*) FROM events e, json_array_elements(e.payload->'records') r \
               WHERE e.aggregate_type = 'access' AND r->>'outcome' = 'denied'";
    let recorded: i64 = sqlx::query_scalar(sql)
        .fetch_one(&world.database.pool)
        .await
        .unwrap();
    assert!(
        recorded >= i64::try_from(denied).unwrap(),
        "{recorded} of {denied}"
    );
    assert!(denied > 0);
    let sql = "SELECT count(*) FROM events WHERE aggregate_type = 'access'";
    let events: i64 = sqlx::query_scalar(sql)
        .fetch_one(&world.database.pool)
        .await
        .unwrap();
    assert!(
        events * 2 < recorded,
        "{recorded} records in {events} events"
    );
    gateway.json("/api/v1/documents/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_questions_have_their_problems() {
    let world = World::new().await;
    let gateway = world.start();
    let id = processed(&gateway, "a.txt").await;
    for (query, slug) in [
        (
            "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
            "range-reversed",
        ),
        ("after=9&before=3", "range-reversed"),
        ("action=dance", "invalid-parameter"),
        ("outcome=seen", "invalid-parameter"),
        ("order=sideways", "invalid-parameter"),
        ("format=xml", "invalid-parameter"),
        ("format=csv&limit=5", "invalid-parameter"),
        ("limit=0", "invalid-parameter"),
        ("limit=1001", "invalid-parameter"),
        ("after=-1", "invalid-parameter"),
        ("since=yesterday", "invalid-parameter"),
        ("cursor=42", "invalid-cursor"),
        ("colour=red", "unknown-parameter"),
    ] {
        for path in [
            "/api/v1/audit".to_owned(),
            format!("/api/v1/documents/{id}/audit"),
        ] {
            let answer = gateway
                .get(&format!("{path}?{query}"))
                .send()
                .await
                .unwrap();
            expect_problem(answer, 400, slug).await;
        }
    }
    let one = gateway
        .get("/api/v1/audit?document_id=42")
        .send()
        .await
        .unwrap();
    expect_problem(one, 400, "invalid-parameter").await;
    let none = "/api/v1/documents/00000000-0000-7000-8000-000000000000/audit";
    expect_problem(
        gateway.get(none).send().await.unwrap(),
        404,
        "document-not-found",
    )
    .await;
    let late = gateway
        .get("/api/v1/audit?min_position=100000000")
        .send()
        .await
        .unwrap();
    expect_problem(late, 503, "position-not-reached").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_live_leave_access_out_unless_asked() {
    let world = World::new().await;
    let gateway = world.start();
    processed(&gateway, "a.txt").await;
    let types = |page: &Value| -> BTreeSet<String> {
        let events = page["events"].as_array().unwrap().iter();
        events
            .map(|e| e["event_type"].as_str().unwrap().to_owned())
            .collect()
    };
    let plain = gateway.json("/api/v1/events?limit=1000").await;
    assert!(!types(&plain).contains("AccessRecorded"));
    assert!(plain["next_after"].as_i64().unwrap() >= plain["head"].as_i64().unwrap());
    for query in ["access=true", "type=AccessRecorded"] {
        let page = gateway
            .json(&format!("/api/v1/events?limit=1000&{query}"))
            .await;
        assert!(types(&page).contains("AccessRecorded"), "{query}");
    }
}

/// A figure of a process's memory, in MiB.
fn memory(pid: u32, field: &str) -> u64 {
    crate::support::memory(pid, field) >> 20
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_stream_everything_in_bounded_memory() {
    const ROWS: usize = 200_000;
    let world = World::new().await;
    let gateway = world.start_roles("api,relay,projector");
    gateway.json("/api/v1/audit").await;
    // Rows before the log's first position: none of them is in anybody's way.
    sqlx::query(
        "INSERT INTO rm_audit_1.audit (position, index, kind, at, recorded_at, actor, action, outcome, \
         user_agent, reason, parameters) SELECT -n, 0, 'access', now(), now(), 'key:seed', 'view', 'shown', \
         repeat('u', 200), '=1+1', '{}' FROM generate_series(1, $1) n",
    )
    .bind(ROWS as i64)
    .execute(&world.database.pool)
    .await
    .unwrap();
    let before = memory(gateway.pid(), "VmRSS");
    for (format, ending) in [("jsonl", "\n"), ("csv", "\r\n")] {
        let path = format!("/api/v1/audit?format={format}&actor=key:seed&reason=inspection%207");
        // The bound is for the whole body, which is long.
        let request = gateway.get(&path).timeout(PATIENCE * 10);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let mut body = answer.bytes_stream();
        let (mut lines, mut bytes) = (0, 0);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.unwrap();
            bytes += chunk.len();
            lines += chunk.iter().filter(|b| **b == b'\n').count();
        }
        let header = usize::from(ending == "\r\n");
        assert_eq!(lines, ROWS + header, "{format}");
        assert!(bytes > ROWS * 250, "{format}: {bytes}");
    }
    let added = memory(gateway.pid(), "VmHWM").saturating_sub(before);
    println!("{ROWS} rows exported twice: {before} MiB before, {added} MiB more at the peak");
    assert!(added < 48, "{added} MiB");
    let export = entry(&gateway, "action=audit_export", |_| true).await;
    assert_eq!(export["reason"], "inspection 7");
    assert_eq!(export["parameters"]["format"], "csv");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_asks_and_is_recorded() {
    let world = World::new().await;
    let gateway = world.start();
    let id = processed(&gateway, "a.txt").await;
    // The first one may have been asked for before it was there.
    let seen = |view: &Value| view["outcome"] == "shown";
    entry(
        &gateway,
        &format!("document_id={id}&action=view&outcome=shown"),
        seen,
    )
    .await;
    let program = |args: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_kmrl-gateway"))
            .args(args)
            .env("KMRL_DATA_DIR", world.data.path())
            .env("DATABASE_URL", &world.database.url)
            .env("KMRL_LOG", "warn")
            .output()
            .unwrap()
    };
    let listed = program(&[
        "audit",
        "list",
        "--document-id",
        &id,
        "--oldest-first",
        "--limit",
        "4",
    ]);
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    assert!(text.lines().next().unwrap().contains("upload"), "{text}");
    assert!(text.contains("more: --cursor "), "{text}");
    let file = world.data.path().join("trail.csv");
    let file = file.to_str().unwrap();
    let export = [
        "audit",
        "export",
        "--format",
        "csv",
        "-o",
        file,
        "--reason",
        "inspection",
    ];
    let exported = program(&export);
    assert!(
        exported.status.success(),
        "{}",
        String::from_utf8_lossy(&exported.stderr)
    );
    assert!(
        std::fs::read_to_string(file)
            .unwrap()
            .starts_with("position,index,kind,at,")
    );
    assert!(
        !program(&export).status.success(),
        "a file that is there stays"
    );
    let jsonl = program(&["audit", "export", "--format", "jsonl", "--action", "view"]);
    let lines = String::from_utf8(jsonl.stdout).unwrap();
    assert!(lines.lines().count() > 0);
    for line in lines.lines() {
        assert_eq!(
            serde_json::from_str::<Value>(line).unwrap()["action"],
            "view"
        );
    }
    let bad = program(&["audit", "list", "--action", "dance"]);
    assert!(!bad.status.success());
    assert!(String::from_utf8_lossy(&bad.stderr).contains("`dance` is no action"));
    let record = entry(&gateway, "action=audit_export", |e| {
        e["reason"] == "inspection"
    })
    .await;
    assert!(
        record["actor"].as_str().unwrap().starts_with("cli:"),
        "{record}"
    );
}
