//! Time travel: a document as it was, what changed in it, and what a reader was shown.

use crate::harness::{Gateway, World, expect_problem};
use crate::support::eventually;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What `GET` showed first at each version.
type Seen = BTreeMap<i64, Value>;

async fn look(gateway: &Gateway, path: &str, seen: &mut Seen) -> Value {
    let document = gateway.json(path).await;
    let version = document["version"].as_i64().unwrap();
    let mut shown = document.clone();
    // What was found inside are documents with versions of their own: the past does not tell them.
    assert_eq!(shown["children"].take(), json!([]));
    seen.entry(version).or_insert(shown);
    document
}

async fn watch(gateway: &Gateway, path: &str, seen: &mut Seen, status: &str) {
    while look(gateway, path, seen).await["status"] != status {}
}

async fn command(gateway: &Gateway, path: &str, what: &str, body: Value) -> i64 {
    let request = gateway.post(&format!("{path}/{what}")).json(&body);
    let answer = request.header("if-match", "*").send().await.unwrap();
    assert_eq!(answer.status(), 200, "{what}");
    let changed: Value = answer.json().await.unwrap();
    changed["position"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_shown_as_it_was_shown_then() {
    let world = World::new().await;
    let gateway = world.start_roles("api,projector");
    let pages: Vec<String> = (0..400)
        .map(|n| format!("Page {n} of the manual"))
        .collect();
    let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
    let pdf = kmrl_extraction::fixtures::pdf(&pages);
    let id = gateway.upload("manual.pdf", pdf).await["id"].clone();
    let path = format!("/api/v1/documents/{}", id.as_str().unwrap());
    let mut seen = Seen::new();
    look(&gateway, &format!("{path}?min_position=1"), &mut seen).await;
    let _workers = world.start_roles("relay,worker");
    watch(&gateway, &path, &mut seen, "processed").await;
    let body = json!({"department": "safety", "metadata": {"checked": true}});
    let position = command(&gateway, &path, "correct", body).await;
    look(
        &gateway,
        &format!("{path}?min_position={position}"),
        &mut seen,
    )
    .await;
    let position = command(&gateway, &path, "reprocess", json!({})).await;
    look(
        &gateway,
        &format!("{path}?min_position={position}"),
        &mut seen,
    )
    .await;
    watch(&gateway, &path, &mut seen, "processed").await;
    let reason = json!({"reason": "sent twice"});
    let position = command(&gateway, &path, "withdraw", reason).await;
    let last = look(
        &gateway,
        &format!("{path}?min_position={position}"),
        &mut seen,
    )
    .await;

    let last = last["version"].as_i64().unwrap();
    assert!(
        seen.len() >= 6 && seen.contains_key(&3),
        "{:?}",
        seen.keys()
    );
    let history = gateway.json(&format!("{path}/history")).await;
    let versions = history["versions"].as_array().unwrap();
    assert_eq!(versions.len() as i64, last);
    for (version, then) in &seen {
        let record = &versions[usize::try_from(*version).unwrap() - 1];
        let (position, time) = (&record["position"], record["recorded_at"].as_str().unwrap());
        assert_eq!(&then["position"], position);
        for moment in [format!("v{version}"), position.to_string(), time.to_owned()] {
            let request = gateway.get(&path).query(&[("as_of", &moment)]);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200, "{moment}");
            assert_eq!(answer.headers()["etag"], format!("\"{version}\""));
            if *version < last {
                let cache = answer.headers()["cache-control"].to_str().unwrap();
                assert!(cache.starts_with("private") && cache.contains("immutable"));
            }
            assert_eq!(&answer.json::<Value>().await.unwrap(), then, "{moment}");
        }
    }
    let kept = gateway.get(&format!("{path}?as_of=v1"));
    let kept = kept.header("if-none-match", "\"1\"").send().await.unwrap();
    assert_eq!(kept.status(), 304);
    each_step_says_what_changed(versions);
    what_a_reader_was_shown(&gateway, id.as_str().unwrap(), &seen).await;
}

fn each_step_says_what_changed(versions: &[Value]) {
    let corrected = versions.iter().find(|v| v["type"] == "Corrected").unwrap();
    assert_eq!(corrected["actor"], "key:admin");
    let changes = corrected["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 3, "{changes:?}");
    assert!(changes.contains(&json!({"field": "metadata", "old": {}, "new": {"checked": true}})));
    let by_a_person = json!({"field": "department_corrected", "old": false, "new": true});
    assert!(changes.contains(&by_a_person));
    assert!(versions.iter().all(|v| v["applied"] == true));
}

async fn what_a_reader_was_shown(gateway: &Gateway, id: &str, seen: &Seen) {
    let query = format!("/api/v1/audit?document_id={id}&action=view&outcome=shown&limit=1000");
    let entry = eventually("the reading of version 3 is in the trail", || async {
        let page = gateway.json(&query).await;
        let entries = page["entries"].as_array().unwrap().clone();
        entries.into_iter().find(|e| e["version"] == 3)
    })
    .await;
    let place = format!("/api/v1/audit/{}/{}", entry["position"], entry["index"]);
    let shown = gateway.json(&format!("{place}/shown")).await;
    assert_eq!(shown["document"], seen[&3]);
    assert_eq!(shown["access"]["actor"], "key:admin");
    for field in ["action", "request_id", "version", "shown_at"] {
        assert_eq!(shown["access"][field], entry[field], "{field}");
    }
    let listed = gateway.json("/api/v1/documents/").await;
    assert!(listed["documents"].is_array(), "{listed}");
    let query = "/api/v1/audit?action=list&outcome=shown";
    let entry = eventually("the list is in the trail", || async {
        let page = gateway.json(query).await;
        page["entries"].as_array().unwrap().first().cloned()
    })
    .await;
    let place = format!("/api/v1/audit/{}/{}", entry["position"], entry["index"]);
    for (path, status, slug) in [
        (place.as_str(), 404, "nothing-shown"),
        ("/api/v1/audit/1/0", 404, "access-not-found"),
        ("/api/v1/audit/99999999/0", 404, "access-not-found"),
        ("/api/v1/audit/2/99", 404, "access-not-found"),
        ("/api/v1/audit/x/0", 400, "invalid-parameter"),
        ("/api/v1/audit/1/-1", 400, "invalid-parameter"),
    ] {
        let answer = gateway.get(&format!("{path}/shown")).send().await.unwrap();
        expect_problem(answer, status, slug).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_that_were_not_are_clear_errors() {
    let world = World::new().await;
    let gateway = world.start();
    gateway.upload("a.txt", "a").await;
    let id = gateway.upload("b.txt", "b").await["id"].clone();
    let path = format!("/api/v1/documents/{}", id.as_str().unwrap());
    for (moment, status, slug) in [
        ("1", 404, "document-not-yet"),
        ("2001-01-01T00:00:00Z", 404, "document-not-yet"),
        ("v99", 404, "as-of-future"),
        ("1000000000", 404, "log-position-future"),
        ("2999-01-01T00:00:00Z", 404, "as-of-future"),
        ("2999-01-01T00:00:00 05:30", 404, "as-of-future"),
        ("yesterday", 400, "invalid-parameter"),
        ("v0", 400, "invalid-parameter"),
        ("0", 400, "invalid-parameter"),
        ("", 400, "invalid-parameter"),
    ] {
        let request = gateway.get(&path).query(&[("as_of", moment)]);
        expect_problem(request.send().await.unwrap(), status, slug).await;
    }
    let nobody = "/api/v1/documents/00000000-0000-7000-8000-000000000000";
    for what in ["?as_of=v1", "/history"] {
        let answer = gateway
            .get(&format!("{nobody}{what}"))
            .send()
            .await
            .unwrap();
        expect_problem(answer, 404, "document-not-found").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_erased_is_blank_in_the_past_too() {
    let world = World::new().await;
    let gateway = world.start();
    let id = gateway.upload("secret.txt", "of a person").await["id"].clone();
    let id = id.as_str().unwrap();
    gateway.finished(id).await;
    world.database.attack("DELETE FROM private_parts").await;
    std::fs::remove_dir_all(world.data.path().join("blobs/text")).unwrap();
    for moment in ["v1", "v3"] {
        let path = format!("/api/v1/documents/{id}?as_of={moment}");
        let then = gateway.json(&path).await;
        assert_eq!(then["original_filename"], "", "{then}");
        assert!(then["extracted_text"].is_null());
    }
    let history = gateway
        .json(&format!("/api/v1/documents/{id}/history"))
        .await;
    assert!(!history.to_string().contains("secret.txt"));
}
