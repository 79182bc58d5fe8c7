//! API2: broken authentication.

use crate::authority::{as_holder, key};
use crate::harness::{KEY, World, expect_problem};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// API2, broken authentication: a credential counts where the documentation says, and nothing wears it down.
#[tokio::test(flavor = "multi_thread")]
async fn api2_a_credential_counts_in_its_header_alone() {
    let world = World::new().await;
    let gateway = world.start();
    let stranger = Client::new();
    let url = |path: &str| format!("{}{path}", gateway.base);
    for query in [
        format!("api_key={KEY}"),
        format!("key={KEY}"),
        format!("x-api-key={KEY}"),
        format!("X-API-Key={KEY}"),
        format!("token={KEY}"),
        format!("access_token={KEY}"),
        format!("ticket={KEY}"),
    ] {
        for path in [
            "/api/v1/documents/",
            "/api/v1/events/stream",
            "/ws",
            "/metrics",
        ] {
            let answer = stranger
                .get(url(&format!("{path}?{query}")))
                .send()
                .await
                .unwrap();
            expect_problem(answer, 401, "unauthorized").await;
        }
    }
    let form = stranger
        .post(url("/api/v1/commands"))
        .json(&json!({"api_key": KEY, "commands": []}));
    expect_problem(form.send().await.unwrap(), 401, "unauthorized").await;
}

/// API2: guesses near the truth are answered as those far from it, and the key stays good.
#[tokio::test(flavor = "multi_thread")]
async fn api2_guesses_tell_nothing_and_wear_nothing_down() {
    let world = World::new().await;
    let gateway = world.start();
    let issued = key(
        &gateway,
        json!({"name": "k", "owner": "tests", "roles": ["reader"]}),
    )
    .await;
    let mut answers = BTreeSet::new();
    for n in 0..issued.len() {
        let mut guess = issued.clone().into_bytes();
        guess[n] = if guess[n] == b'0' { b'1' } else { b'0' };
        let guess = String::from_utf8(guess).unwrap();
        let answer = as_holder(&gateway, Method::GET, "/api/v1/documents/", &guess)
            .send()
            .await
            .unwrap();
        let mut problem = expect_problem(answer, 401, "unauthorized").await;
        assert!(!problem.to_string().contains(&guess), "{problem}");
        problem.as_object_mut().unwrap().remove("instance");
        answers.insert(problem.to_string());
    }
    for guess in [
        "",
        "x",
        &KEY[1..],
        &KEY[..KEY.len() - 1],
        "null",
        "undefined",
        "kmrl_",
    ] {
        let answer = as_holder(&gateway, Method::GET, "/api/v1/documents/", guess)
            .send()
            .await
            .unwrap();
        let mut problem = expect_problem(answer, 401, "unauthorized").await;
        problem.as_object_mut().unwrap().remove("instance");
        answers.insert(problem.to_string());
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let answer = as_holder(&gateway, Method::GET, "/api/v1/documents/", &issued)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

/// API2: a ticket opens one live connection, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn api2_a_ticket_is_good_once_and_for_one_thing() {
    let world = World::new().await;
    let gateway = world.start();
    let stranger = Client::new();
    let url = |path: &str| format!("{}{path}", gateway.base);
    let ticket = gateway
        .post("/api/v1/websocket/ticket")
        .send()
        .await
        .unwrap();
    let ticket: Value = ticket.json().await.unwrap();
    let ticket = ticket["ticket"].as_str().unwrap();
    let elsewhere = stranger.get(url(&format!("/api/v1/documents/?ticket={ticket}")));
    expect_problem(elsewhere.send().await.unwrap(), 401, "unauthorized").await;
    let stream = format!("/api/v1/events/stream?ticket={ticket}");
    let opened = stranger.get(url(&stream)).send().await.unwrap();
    assert_eq!(opened.status(), 200);
    expect_problem(
        stranger.get(url(&stream)).send().await.unwrap(),
        401,
        "unauthorized",
    )
    .await;
    let twice = format!("/api/v1/events/stream?ticket={ticket}&ticket={ticket}");
    expect_problem(
        stranger.get(url(&twice)).send().await.unwrap(),
        401,
        "unauthorized",
    )
    .await;
}
