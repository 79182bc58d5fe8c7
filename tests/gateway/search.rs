//! Search, end to end: what was uploaded is found by what it says, in either language.

use crate::harness::{Gateway, KEY, World, expect_problem};
use crate::support::eventually;
use reqwest::Url;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SEARCH: &str = "/api/v1/search";

/// The path of a search, with its parameters encoded.
fn path(parameters: &[(&str, &str)]) -> String {
    let url = Url::parse_with_params("http://gateway/", parameters).unwrap();
    format!("{SEARCH}?{}", url.query().unwrap())
}

async fn found(gateway: &Gateway, query: &str) -> Value {
    gateway.json(&path(&[("q", query)])).await
}

fn ids(answer: &Value) -> Vec<&str> {
    let hits = answer["hits"].as_array().unwrap();
    hits.iter()
        .map(|hit| hit["document"]["id"].as_str().unwrap())
        .collect()
}

fn marked(answer: &Value) -> Vec<String> {
    let highlights = answer["hits"][0]["highlights"].as_array().unwrap();
    let pieces = highlights
        .iter()
        .flat_map(|h| h["pieces"].as_array().unwrap());
    pieces
        .filter(|piece| piece["marked"] == true)
        .map(|piece| piece["text"].as_str().unwrap().to_owned())
        .collect()
}

async fn refused(gateway: &Gateway, parameters: &[(&str, &str)], slug: &str) -> Value {
    let answer = gateway.get(&path(parameters)).send().await.unwrap();
    expect_problem(answer, 400, slug).await
}

/// A Malayalam text and an English PDF of three pages, processed.
async fn two_documents(gateway: &Gateway) -> (String, String) {
    let malayalam = "കൊച്ചി മെട്രോയുടെ പാളത്തിലെ തകരാർ പരിശോധിച്ചു.\n<b>സ്റ്റേഷനുകൾ</b> തുറന്നു.\n";
    let english = kmrl_extraction::fixtures::pdf(&[
        "Job card WO-17 for the depot",
        "Brake pads were inspected by the night shift",
        "The escalator needs maintenance",
    ]);
    let mut made = Vec::new();
    for (name, bytes) in [("പാളം.txt", malayalam.into()), ("card.pdf", english)] {
        let id = gateway.upload(name, bytes).await["id"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(gateway.finished(&id).await["status"], "processed");
        made.push(id);
    }
    eventually("both are found", || async {
        let all = found(gateway, "മെട്രോ OR brake").await;
        (all["total"] == 2).then_some(())
    })
    .await;
    (made[0].clone(), made[1].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_found_by_what_they_say() {
    let world = World::new().await;
    let gateway = world.start();
    let (malayalam, english) = two_documents(&gateway).await;
    for (query, expected) in [
        ("inspecting", Some(&english)),
        ("\"brake pads\"", Some(&english)),
        ("\"pads brake\"", None),
        ("brake -escalators", None),
        ("brake -train", Some(&english)),
        ("WO-17", Some(&english)),
        ("card.pdf", Some(&english)),
        ("maintainance", Some(&english)),
        ("പാളങ്ങൾ", Some(&malayalam)),
        // The chillu in the spelling that the text does not have.
        ("തകരാര\u{d4d}\u{200d}", Some(&malayalam)),
        ("സ്റ്റേഷൻ", Some(&malayalam)),
        ("സ്റ്റേഷന\u{d4d}\u{200d}", Some(&malayalam)),
        ("മെട്രോയിൽ", Some(&malayalam)),
        ("\"പാളത്തിലെ തകരാർ\"", Some(&malayalam)),
    ] {
        let answer = found(&gateway, query).await;
        let expected: Vec<&str> = expected.map(String::as_str).into_iter().collect();
        assert_eq!(ids(&answer), expected, "{query}: {answer}");
    }
    let answer = found(&gateway, "inspecting").await;
    assert_eq!(answer["hits"][0]["pages"], json!([2]));
    assert_eq!(answer["hits"][0]["highlights"][0]["page"], 2);
    assert_eq!(marked(&answer), ["inspected"]);
    let answer = found(&gateway, "സ്റ്റേഷൻ").await;
    assert_eq!(marked(&answer), ["സ്റ്റേഷനുകൾ"]);
    // The document's own markup is text like any other.
    assert!(answer.to_string().contains("<b>"), "{answer}");
    let answer = found(&gateway, "maintainance").await;
    assert_eq!(answer["read_as"][0]["read_as"], json!(["mainten"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn facets_filters_and_pages_agree() {
    let world = World::new().await;
    let gateway = world.start();
    let mut position = json!(0);
    for n in 0..9 {
        let body = format!("shared words {}", "and more ".repeat(n % 3));
        position = gateway.upload(&format!("{n}.txt"), body).await["position"].clone();
    }
    // One's own write is found by its name at once.
    let own = path(&[("q", "8.txt"), ("min_position", &position.to_string())]);
    assert_eq!(gateway.json(&own).await["total"], 1);
    let all = eventually("all are processed", || async {
        let all = found(&gateway, "shared").await;
        (all["total"] == 9).then_some(all)
    })
    .await;
    assert_eq!(
        all["facets"]["source"],
        json!([{"value": "manual", "count": 9}])
    );
    assert_eq!(
        all["facets"]["status"],
        json!([{"value": "processed", "count": 9}])
    );
    assert_eq!(all["order"], "relevance");
    let none = gateway
        .json(&path(&[("q", "shared"), ("source", "scan")]))
        .await;
    assert_eq!(none["total"], 0);
    assert_eq!(
        none["facets"]["source"][0]["count"], 9,
        "what else could be chosen"
    );

    let (mut walked, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut parameters = vec![("q", "shared"), ("limit", "2")];
        parameters.extend(cursor.as_deref().map(|c| ("cursor", c)));
        let page = gateway.json(&path(&parameters)).await;
        walked.extend(ids(&page).into_iter().map(str::to_owned));
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        match &cursor {
            Some(c) if walked.len() == 2 => {
                let other = [("q", "words"), ("cursor", c.as_str())];
                let problem = refused(&gateway, &other, "invalid-cursor").await;
                let why = problem["detail"].as_str().unwrap();
                assert!(why.contains("another search"), "{why}");
            }
            Some(_) => {}
            None => break,
        }
    }
    assert_eq!(walked, ids(&all));
    assert_eq!(walked.iter().collect::<BTreeSet<_>>().len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawn_is_left_out_corrected_moves_and_each_search_is_recorded() {
    let world = World::new().await;
    let gateway = world.start();
    let (malayalam, english) = two_documents(&gateway).await;
    let send = async |id: &str, what: &str, body: Value| {
        let request = gateway.post(&format!("/api/v1/documents/{id}/{what}"));
        let answer = request
            .header("if-match", "*")
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        answer.json::<Value>().await.unwrap()["position"].to_string()
    };
    let correction = json!({"department": "safety", "metadata": {"note": "uncommonword"}});
    let position = send(&malayalam, "correct", correction).await;
    let corrected = [
        ("q", "uncommonword"),
        ("department", "safety"),
        ("min_position", &position),
    ];
    let answer = gateway.json(&path(&corrected)).await;
    assert_eq!(ids(&answer), [malayalam.as_str()]);
    assert_eq!(answer["hits"][0]["highlights"][0]["field"], "metadata.note");
    let position = send(&english, "withdraw", json!({"reason": "sent twice"})).await;
    let brake = [("q", "brake"), ("min_position", position.as_str())];
    assert_eq!(gateway.json(&path(&brake)).await["total"], 0);
    let all = [("q", "brake"), ("include_withdrawn", "true")];
    assert_eq!(gateway.json(&path(&all)).await["total"], 1);
    let record = eventually("the search is in the trail", || async {
        let trail = gateway
            .json("/api/v1/audit?action=search&outcome=shown")
            .await;
        let entries = trail["entries"].as_array()?.clone();
        entries
            .into_iter()
            .find(|e| e["parameters"]["q"] == "uncommonword")
    })
    .await;
    assert_eq!(
        (record["count"].clone(), record["actor"].clone()),
        (json!(1), json!("key:admin"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_searched_says_why() {
    let world = World::new().await;
    let gateway = world.start();
    let long = "x".repeat(10_000);
    for (q, why) in [
        ("", "empty"),
        ("-brake", "what not to find"),
        ("\"brake", "no partner"),
        ("the of", "too common"),
        ("brake OR", "OR"),
    ] {
        let problem = refused(&gateway, &[("q", q)], "search-query-invalid").await;
        assert!(
            problem["detail"].as_str().unwrap().contains(why),
            "{problem}"
        );
    }
    for (q, why) in [(long.as_str(), "at most 1000"), ("a\0b", "U+0000")] {
        let problem = refused(&gateway, &[("q", q)], "invalid-parameter").await;
        assert!(
            problem["detail"].as_str().unwrap().contains(why),
            "{problem}"
        );
    }
    let q = ("q", "brake");
    refused(&gateway, &[], "search-query-invalid").await;
    refused(&gateway, &[q, ("source", "pigeon")], "source-unknown").await;
    refused(&gateway, &[q, ("status", "lost")], "invalid-parameter").await;
    refused(&gateway, &[q, ("department", "a\0")], "invalid-parameter").await;
    refused(&gateway, &[q, ("language", "")], "invalid-parameter").await;
    refused(&gateway, &[q, ("order", "best")], "invalid-parameter").await;
    refused(&gateway, &[q, ("limit", "0")], "invalid-parameter").await;
    refused(&gateway, &[q, ("from", "yesterday")], "invalid-parameter").await;
    refused(&gateway, &[q, ("cursor", "7")], "invalid-cursor").await;
    refused(&gateway, &[q, ("page", "7")], "unknown-parameter").await;
    let times = [
        q,
        ("from", "2026-01-02T00:00:00Z"),
        ("to", "2026-01-01T00:00:00Z"),
    ];
    refused(&gateway, &times, "range-reversed").await;
    // None of these can break out of the words.
    for odd in [
        "'",
        "\\ x",
        "x:*",
        "a & !b | (c)",
        "100%_",
        "\u{1b}[31m x",
        "'; DROP x --",
    ] {
        let answer = gateway.get(&path(&[("q", odd)])).send().await.unwrap();
        assert!([200, 400].contains(&answer.status().as_u16()), "{odd}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_prints_hits() {
    let world = World::new().await;
    let gateway = world.start();
    let (_, english) = two_documents(&gateway).await;
    let listen = gateway.base.trim_start_matches("http://");
    let run = |arguments: &[&str]| {
        let mut command = world.tool_command(arguments);
        command
            .env("KMRL_LISTEN", listen)
            .env("KMRL_API_KEY", KEY)
            .output()
            .unwrap()
    };
    let output = run(&["search", "brakes -train"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.contains(&english) && text.contains("card.pdf  page 2"),
        "{text}"
    );
    assert!(text.contains("   2: «Brake» pads were inspected"), "{text}");
    assert!(text.contains("1 of 1 shown"), "{text}");
    assert_eq!(run(&["search", "zebra"]).status.code(), Some(1));
    let bad = run(&["search", "-x"]);
    assert!(String::from_utf8_lossy(&bad.stderr).contains("what not to find"));
}
