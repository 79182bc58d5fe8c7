//! The life of API keys through the real program: issued, used, rotated, revoked on every replica.

use crate::authority::{as_holder, key};
use crate::harness::{Gateway, KEY, World, expect_problem};
use crate::support::eventually;
use futures::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn status(gateway: &Gateway, key: &str) -> u16 {
    let path = "/api/v1/documents/statistics";
    let answer = as_holder(gateway, Method::GET, path, key)
        .send()
        .await
        .unwrap();
    answer.status().as_u16()
}

async fn listed(gateway: &Gateway, name: &str) -> Option<Value> {
    let page = gateway.json("/api/v1/keys").await;
    let keys = page["keys"].as_array().unwrap();
    keys.iter().find(|key| key["name"] == name).cloned()
}

fn reader(name: &str) -> Value {
    json!({"name": name, "owner": "tests", "roles": ["reader"]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_holds_on_every_replica_once_it_is_answered() {
    let world = World::new().await;
    let (one, two) = (world.start(), world.start());
    let secret = key(&one, reader("desk")).await;
    // Both have looked the key up and remember it.
    assert_eq!(
        (status(&one, &secret).await, status(&two, &secret).await),
        (200, 200)
    );
    let row = eventually("the key to be listed", async || listed(&one, "desk").await).await;
    let id = row["id"].as_str().unwrap();
    assert_eq!(
        (&row["state"], &row["issued_by"]),
        (&json!("active"), &json!("key:admin"))
    );
    assert!(secret.starts_with(row["prefix"].as_str().unwrap()));
    eventually("its last use to be told", async || {
        listed(&one, "desk").await?["last_used_at"]
            .as_str()
            .map(drop)
    })
    .await;
    let mut socket = two
        .socket_with("/ws", &[("x-api-key", &secret)])
        .await
        .unwrap();
    let path = "/api/v1/events/stream";
    let stream = as_holder(&two, Method::GET, path, &secret)
        .send()
        .await
        .unwrap();
    let revoke = one.post(&format!("/api/v1/keys/{id}/revoke"));
    let answer = revoke
        .json(&json!({"reason": "the laptop was stolen"}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(
        (status(&one, &secret).await, status(&two, &secret).await),
        (401, 401)
    );
    // What was open is closed, too.
    assert_eq!(socket.closed().await, 1008);
    let mut chunks = stream.bytes_stream();
    let ended = async { while let Some(Ok(_)) = chunks.next().await {} };
    tokio::time::timeout(crate::support::PATIENCE, ended)
        .await
        .unwrap();
    let row = eventually("it to be listed as revoked", async || {
        listed(&one, "desk")
            .await
            .filter(|row| row["state"] == "revoked")
    })
    .await;
    assert_eq!(row["revoked_by"], "key:admin");
    let rotate = one
        .post(&format!("/api/v1/keys/{id}/rotate"))
        .send()
        .await
        .unwrap();
    expect_problem(rotate, 409, "key-over").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_has_two_secrets_for_a_while() {
    let world = World::new().await;
    let gateway = world.start();
    let first = key(&gateway, reader("desk")).await;
    let row = eventually("the key to be listed", async || {
        listed(&gateway, "desk").await
    })
    .await;
    let rotate = |seconds: i64| {
        let path = format!("/api/v1/keys/{}/rotate", row["id"].as_str().unwrap());
        gateway
            .post(&path)
            .json(&json!({"overlap_seconds": seconds}))
    };
    let answer: Value = rotate(3_600).send().await.unwrap().json().await.unwrap();
    let second = answer["key"].as_str().unwrap().to_owned();
    assert_eq!(
        (
            status(&gateway, &first).await,
            status(&gateway, &second).await
        ),
        (200, 200)
    );
    let answer: Value = rotate(0).send().await.unwrap().json().await.unwrap();
    let third = answer["key"].as_str().unwrap().to_owned();
    assert_eq!(status(&gateway, &third).await, 200);
    assert_eq!(
        (
            status(&gateway, &first).await,
            status(&gateway, &second).await
        ),
        (401, 401)
    );
    expect_problem(rotate(-1).send().await.unwrap(), 422, "key-invalid").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_managed_from_the_command_line() {
    let world = World::new().await;
    let gateway = world.start();
    let listen = gateway.base.trim_start_matches("http://").to_owned();
    let tool = |arguments: &[&str]| {
        let mut command = world.tool_command(&[&["keys"], arguments].concat());
        let output = command.env("KMRL_LISTEN", &listen).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.success(), text.trim().to_owned())
    };
    let issue = ["issue", "desk", "--owner", "tests", "--role", "reader"];
    let (issued, secret) = tool(&issue);
    assert!(issued && status(&gateway, &secret).await == 200);
    assert!(!tool(&issue).0, "a name is given once");
    let prefix = &secret[..37];
    let (rotated, other) = tool(&["rotate", prefix, "--overlap", "0"]);
    assert!(rotated && status(&gateway, &other).await == 200);
    assert_eq!(status(&gateway, &secret).await, 401);
    assert!(tool(&["revoke", prefix, "--reason", "the desk is closed"]).0);
    assert_eq!(status(&gateway, &other).await, 401);
    eventually("it to be listed as revoked", async || {
        let (listed, lines) = tool(&["list"]);
        (listed && lines.contains("revoked  desk  reader")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_given_once_and_nobody_gives_more_than_they_have() {
    let world = World::new().await;
    let gateway = world.start();
    key(&gateway, reader("desk")).await;
    let issue = async |key: &str, terms: Value| {
        let request = as_holder(&gateway, Method::POST, "/api/v1/keys", key);
        request.json(&terms).send().await.unwrap()
    };
    expect_problem(issue(KEY, reader("desk")).await, 409, "key-name-taken").await;
    let mut wrong = reader("other");
    wrong["roles"] = json!(["root"]);
    expect_problem(issue(KEY, wrong).await, 422, "key-invalid").await;
    let mut wrong = reader("other");
    wrong["roles"] = json!(["connector"]);
    expect_problem(issue(KEY, wrong).await, 422, "key-invalid").await;
    let mut wrong = reader("other");
    wrong["expires_at"] = json!("2020-01-01T00:00:00Z");
    expect_problem(issue(KEY, wrong).await, 422, "key-invalid").await;
    let narrowed = json!({
        "name": "clerk", "owner": "tests", "roles": ["administrator"],
        "scopes": ["keys:manage", "documents:read"], "departments": ["hr"],
    });
    let clerk = key(&gateway, narrowed).await;
    let mut wide = reader("third");
    expect_problem(issue(&clerk, wide.clone()).await, 403, "forbidden").await;
    wide["departments"] = json!(["hr"]);
    assert_eq!(issue(&clerk, wide).await.status(), StatusCode::CREATED);
    let officer = json!({
        "name": "fourth", "owner": "tests", "roles": ["officer"], "departments": ["hr"],
    });
    expect_problem(issue(&clerk, officer).await, 403, "forbidden").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_anywhere_but_with_its_holder() {
    let world = World::new().await;
    let gateway = world.start();
    let secret = key(&gateway, reader("desk")).await;
    assert_eq!(status(&gateway, &secret).await, 200);
    let secret_part = &secret[38..102];
    for table in ["events", "claims"] {
        let sql = format!("SELECT count(*) FROM {table} t WHERE t::text LIKE '%' || $1 || '%'");
        let found: i64 = sqlx::query_scalar(&sql)
            .bind(secret_part)
            .fetch_one(&world.database.pool)
            .await
            .unwrap();
        assert_eq!(found, 0, "{table}");
    }
    let pepper = world.data.path().join("keys.pepper");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&pepper).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    // With another pepper, nobody who stole the database alone gets in.
    drop(gateway);
    std::fs::remove_file(pepper).unwrap();
    let gateway = world.start();
    assert_eq!(status(&gateway, &secret).await, 401);
}
