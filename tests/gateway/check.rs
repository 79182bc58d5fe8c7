//! `check` finds every kind of damage, mends what can be mended and says so; and what was given up
//! on can be listed and tried again.

use crate::harness::{Gateway, World, expect_problem};
use crate::support::eventually;
use serde_json::Value;
use std::path::PathBuf;

/// What a check says: whether all is well, and its differences.
fn check(world: &World, arguments: &[&str]) -> (bool, Vec<Value>) {
    let arguments = [&["check", "--json"], arguments].concat();
    let output = world.tool(&arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let differences = report["differences"].as_array().unwrap().clone();
    (output.status.success(), differences)
}

/// Damages something: the check must find it, mend it if it can, and then find nothing.
async fn finds(world: &World, damage: &str, problem: &str, is_mended: bool) {
    world.as_superuser(damage).await;
    expect(world, problem, is_mended);
}

fn expect(world: &World, problem: &str, is_mended: bool) {
    let (well, found) = check(world, &["--deep"]);
    assert!(!well, "{problem}: was not found");
    let is_it = |d: &&Value| d["problem"] == problem;
    assert!(found.iter().any(|d| is_it(&d)), "{problem}: {found:?}");
    let (well, mended) = check(world, &["--repair"]);
    assert_eq!(well, is_mended, "{problem}: {mended:?}");
    if is_mended {
        let (well, left) = check(world, &[]);
        assert!(well, "{problem}: {left:?}");
    }
}

async fn some_documents(gateway: &Gateway) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..3 {
        let accepted = gateway
            .upload(&format!("{n}.txt"), format!("text {n}"))
            .await;
        let id = accepted["id"].as_str().unwrap().to_owned();
        gateway.finished(&id).await;
        ids.push(id);
    }
    ids
}

fn object(world: &World, key: &str) -> PathBuf {
    world.data.path().join("blobs").join(key)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_damage_is_found() {
    let world = World::new().await;
    let gateway = world.start();
    let ids = some_documents(&gateway).await;
    let (well, found) = check(&world, &["--deep"]);
    assert!(well, "{found:?}");

    let row = "UPDATE read.documents SET status = 'failed' WHERE id = (SELECT min(id::text)::uuid FROM read.documents)";
    finds(&world, row, "the row is not what the log gives", true).await;
    let row =
        "DELETE FROM read.texts WHERE document_id IN (SELECT document_id FROM read.texts LIMIT 1)";
    finds(&world, row, "the row is not what the log gives", true).await;
    let job = "DELETE FROM jobs WHERE id = (SELECT min(id) FROM jobs)";
    world.as_superuser(job).await;
    // Its run has ended, so nothing is missing.
    assert!(check(&world, &[]).0);
    let job = "UPDATE jobs SET status = 'queued', due_at = now() + interval '1 day' WHERE id = (SELECT max(id) FROM jobs)";
    finds(&world, job, "the run has ended but its job has not", true).await;
    let stream = "UPDATE streams SET version = version + 1 WHERE aggregate_id = (SELECT min(aggregate_id) FROM streams WHERE aggregate_type = 'document')";
    finds(
        &world,
        stream,
        "the stream's version is not that of its newest event",
        true,
    )
    .await;

    // An object that nothing names, and one whose bytes were changed.
    let orphan = "sha256/ab/ab/abababababababababababababababababababababababababababababababab";
    std::fs::create_dir_all(object(&world, "sha256/ab/ab")).unwrap();
    std::fs::write(object(&world, orphan), "nobody's").unwrap();
    let (well, found) = check(&world, &["--grace", "0"]);
    assert!(!well && found[0]["subject"] == orphan, "{found:?}");
    assert!(check(&world, &["--grace", "0", "--repair"]).0);
    assert!(!object(&world, orphan).exists());
    let document = gateway.json(&format!("/api/v1/documents/{}", ids[0])).await;
    let key = document["s3_key"].as_str().unwrap();
    std::fs::write(object(&world, key), "TEXT 0").unwrap();
    expect(
        &world,
        "the object's bytes are not those of the event",
        true,
    );
    std::fs::remove_file(object(&world, key)).unwrap();
    expect(&world, "the object that the event names is missing", false);
    std::fs::write(object(&world, key), "text 0").unwrap();

    // The log itself is never mended.
    let private = "UPDATE private_parts SET content = '{}' WHERE position = (SELECT min(position) FROM private_parts)";
    finds(
        &world,
        private,
        "the private part does not have its digest",
        false,
    )
    .await;
    let event = "SET session_replication_role = replica; DELETE FROM events WHERE position = 2";
    finds(
        &world,
        event,
        "a position is missing before this one",
        false,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_on_is_listed_and_tried_again() {
    let world = World::new().await;
    let gateway = world.start();
    let ids = some_documents(&gateway).await;
    let broken = gateway
        .upload("broken.pdf", b"%PDF-1.7\nnot really".to_vec())
        .await;
    let broken = broken["id"].as_str().unwrap();
    assert_eq!(gateway.finished(broken).await["status"], "failed");
    let text = gateway.json(&format!("/api/v1/documents/{}", ids[0])).await;
    // A text that is away when its event is applied: the event is parked.
    let events = gateway
        .json(&format!("/api/v1/events?document_id={}", ids[0]))
        .await;
    let extracted = &events["events"]
        .as_array()
        .unwrap()
        .iter()
        .find(|e| e["event_type"] == "Extracted")
        .unwrap();
    let position = extracted["position"].as_i64().unwrap();
    let key = extracted["payload"]["text"]["key"].as_str().unwrap();
    let away = object(&world, "text/away");
    std::fs::rename(object(&world, key), &away).unwrap();
    let rebuilt = world.tool(&["rebuild", "texts"]);
    assert!(rebuilt.status.success());

    let listed = gateway.json("/api/v1/dead-letters").await;
    let listed = listed["dead_letters"].as_array().unwrap();
    let names: Vec<&str> = listed.iter().map(|l| l["id"].as_str().unwrap()).collect();
    let (parked, job) = (format!("parked:texts:{position}"), format!("job:{broken}"));
    assert_eq!(names, [job.as_str(), parked.as_str()], "newest first");
    assert!(
        listed
            .iter()
            .all(|l| l["explanation"].as_str().unwrap().len() > 40)
    );

    // Replayed in vain, it stays; mended, it goes.
    let again = world.tool(&["dead-letters", "replay", &parked]);
    assert!(!again.status.success());
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(said.contains("still cannot be applied"), "{said}");
    std::fs::rename(&away, object(&world, key)).unwrap();
    let path = format!("/api/v1/dead-letters/{parked}/replay");
    let answer = gateway.post(&path).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    eventually("the event is applied", || async {
        let letters = gateway.json("/api/v1/dead-letters").await;
        (letters["dead_letters"].as_array()?.len() == 1).then_some(())
    })
    .await;
    assert_eq!(
        gateway.json(&format!("/api/v1/documents/{}", ids[0])).await,
        text
    );
    expect_problem(
        gateway.post(&path).send().await.unwrap(),
        404,
        "dead-letter-not-found",
    )
    .await;

    // A document is processed once more, and who asked is in the log.
    let all = world.tool(&["dead-letters", "replay", "--all"]);
    assert!(
        all.status.success(),
        "{}",
        String::from_utf8_lossy(&all.stdout)
    );
    eventually("it has failed again", || async {
        let events = gateway
            .json(&format!("/api/v1/events?document_id={broken}"))
            .await;
        let events = events["events"].as_array()?;
        let asked = events
            .iter()
            .find(|e| e["event_type"] == "ReprocessingRequested")?;
        assert!(asked["metadata"]["actor"].as_str()?.starts_with("cli:"));
        (events.last()?["event_type"] == "Failed").then_some(())
    })
    .await;
    let bad = gateway
        .post("/api/v1/dead-letters/nonsense/replay")
        .send()
        .await
        .unwrap();
    expect_problem(bad, 400, "invalid-parameter").await;
}

/// More than one page of differences: none is left, and none is told as mended that is not.
#[tokio::test(flavor = "multi_thread")]
async fn as_much_as_there_is_is_mended() {
    let world = World::new().await;
    let gateway = world.start_roles("api,relay,projector");
    let accepted = gateway.upload("waits.txt", "text").await;
    let id = accepted["id"].as_str().unwrap();
    eventually("it has a job", || async {
        let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs")
            .fetch_one(&world.database.pool)
            .await
            .unwrap();
        (jobs == 1).then_some(())
    })
    .await;
    // A run without an ending needs its job, and an open one.
    world.as_superuser("DELETE FROM jobs").await;
    let (_, found) = check(&world, &[]);
    assert_eq!(found[0]["document_id"], id, "{found:?}");
    let missing = "the run has neither an ending nor a job";
    expect(&world, missing, true);
    let ended = "UPDATE jobs SET status = 'done'";
    let problem = "the job has ended but the run has not";
    finds(&world, ended, problem, true).await;
    let _worker = world.start_roles("worker");
    assert_eq!(gateway.finished(id).await["status"], "processed");

    // Orphans, more than a report tells of.
    std::fs::create_dir_all(object(&world, "sha256/ab/ab")).unwrap();
    for n in 0..130 {
        let key = format!("sha256/ab/ab/abab{n:060}");
        std::fs::write(object(&world, &key), "nobody's").unwrap();
    }
    let (well, found) = check(&world, &["--grace", "0"]);
    assert!(!well && found.len() == 50, "{}", found.len());
    let (well, mended) = check(&world, &["--grace", "0", "--repair"]);
    assert!(well && mended.len() == 130, "{}", mended.len());
    let (well, left) = check(&world, &["--grace", "0"]);
    assert!(well, "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_found() {
    let world = World::new().await;
    let gateway = world.start();
    some_documents(&gateway).await;
    let half = format!(
        "INSERT INTO claims VALUES ('blob', '{}', 'removing:cut-short')",
        "ab".repeat(32)
    );
    let problem = "the removal of the bytes was cut short";
    finds(&world, &half, problem, true).await;
    let stream = "INSERT INTO streams VALUES ('document', 'nobody', 3)";
    let problem = "a stream has a version but no events";
    finds(&world, stream, problem, false).await;
    world
        .as_superuser("DELETE FROM streams WHERE aggregate_id = 'nobody'")
        .await;

    let key: String = sqlx::query_scalar(
        "SELECT payload -> 'text' ->> 'key' FROM events WHERE event_type = 'Extracted' LIMIT 1",
    )
    .fetch_one(&world.database.pool)
    .await
    .unwrap();
    let away = world.data.path().join("away");
    std::fs::rename(object(&world, &key), &away).unwrap();
    let problem = "the object that the event names is missing";
    expect(&world, problem, false);
    std::fs::rename(&away, object(&world, &key)).unwrap();
    // A rebuild that lacked the text did not take the place of rows that have it.
    let (well, left) = check(&world, &[]);
    assert!(well, "{left:?}");

    let head = "UPDATE es_head SET position = position + 1";
    finds(&world, head, "the head is not the newest event", false).await;
    world
        .as_superuser("UPDATE es_head SET position = position - 1")
        .await;
    let private = "SET session_replication_role = replica; DELETE FROM private_parts \
                   WHERE position = (SELECT min(position) FROM private_parts)";
    let problem = "the private part is missing though its document was not erased";
    finds(&world, private, problem, false).await;
}

/// One event that several read models could not apply is several letters: no page ends among them.
#[tokio::test(flavor = "multi_thread")]
async fn no_letter_is_lost_between_two_pages() {
    let world = World::new().await;
    let gateway = world.start();
    some_documents(&gateway).await;
    let park = "INSERT INTO parked_events (projection, generation, position, error) \
                SELECT name, generation, p, 'unfit' FROM projections, (VALUES (1), (2)) v (p) \
                WHERE state = 'live' AND name IN ('documents', 'texts', 'statistics')";
    world.as_superuser(park).await;
    let (mut ids, mut path) = (Vec::new(), "/api/v1/dead-letters?limit=2".to_owned());
    loop {
        let page = gateway.json(&path).await;
        let letters = page["dead_letters"].as_array().unwrap();
        assert!(letters.len() <= 3, "{page}");
        ids.extend(letters.iter().map(|l| l["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_before"].as_i64() else {
            break;
        };
        path = format!("/api/v1/dead-letters?limit=2&before={next}");
    }
    let names = ["documents", "statistics", "texts"];
    let of = |position| names.map(|name| format!("parked:{name}:{position}"));
    assert_eq!(ids, [of(2), of(1)].concat());
}
