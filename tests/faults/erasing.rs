//! The eraser is killed in the middle of an erasure: what it began is finished, once.

use crate::cast::{Cast, Part, is_sigkill, stage, world};
use crate::ledger::Ledger;
use crate::support::eventually;
use crate::verdict::{Leaves, settle, verify};
use reqwest::StatusCode;
use serde_json::json;
use std::path::Path;

const APPROVER: &str = "second-person-0123456789";
const MARKER: &str = "marker-of-the-erased-4711";

/// One row of the matrix: killed at a place, `name:nth`.
pub async fn play(at: &str, ledger: &mut Ledger) {
    let place = stage().await;
    let settings = [
        ("KMRL_APPROVER_KEY", APPROVER),
        ("KMRL_ERASURE_SWEEP_EVERY", "1"),
    ];
    let world = world(&settings).await;
    let mut cast = Cast::of(world, Some((Part::Back, at)), place).await;
    let name = format!("{MARKER}.txt");
    assert!(ledger.upload(cast.api(), &name, MARKER).await);
    let id = ledger.documents().remove(0);
    ledger.some_uploads(cast.api()).await;
    settle(cast.api(), &cast.world, ledger).await;

    tell(&cast, &id, "erasure", None).await;
    tell(&cast, &id, "erasure/approve", Some(APPROVER)).await;
    let status = cast.ends(Part::Back, ledger).await;
    assert!(is_sigkill(status), "{status}");
    assert!(cast.start(Part::Back, None).await);

    let path = format!("/api/v1/documents/{id}");
    eventually("the erasure is finished", || async {
        let document = cast.api().json(&path).await;
        (document["erasure_state"] == "done").then_some(())
    })
    .await;
    let destroyed: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events WHERE aggregate_id = $1 AND event_type = 'ContentDestroyed'",
    )
    .bind(&id)
    .fetch_one(&cast.world.database.pool)
    .await
    .unwrap();
    assert_eq!(destroyed, 1);
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM private_parts WHERE aggregate_id = $1")
            .bind(&id)
            .fetch_one(&cast.world.database.pool)
            .await
            .unwrap();
    assert_eq!(left, 0);
    let blobs = cast.world.data.path().join("blobs");
    assert_eq!(files_with(&blobs, MARKER), Vec::<String>::new());
    verify(&cast, ledger, Leaves::Nothing).await;
}

async fn tell(cast: &Cast, id: &str, what: &str, key: Option<&str>) {
    let mut request = cast
        .api()
        .post(&format!("/api/v1/documents/{id}/{what}"))
        .header("if-match", "*");
    request = match key {
        // Takes the place of the administrator's.
        Some(key) => request.header("x-api-key", key),
        None => request.json(&json!({"reason": "asked by the person concerned"})),
    };
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(status, StatusCode::ACCEPTED, "{text}");
}

/// The files below a folder that hold a word.
fn files_with(folder: &Path, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, word));
        } else if let Ok(bytes) = std::fs::read(&path)
            && String::from_utf8_lossy(&bytes).contains(word)
        {
            found.push(path.display().to_string());
        }
    }
    found
}
