//! Erased documents: their content is in no row, and what is left of the log gives the same rows.

use crate::history::{self, id};
use crate::world::{New, World};
use kmrl_projections::query::{ListFilter, Page};
use kmrl_projections::{NAMES, Projector};

const FIRST_100: Page = Page::Offset {
    skip: 0,
    limit: 100,
};
/// What tells of the content of documents in their rows.
const TELLING: [&str; 5] = ["ജോലി", "wonum", "depot", "first page", "no text reader"];

/// Every way that a document can go, each once, and how each is erased.
fn ways() -> (Vec<New>, Vec<New>) {
    let ways: Vec<Vec<New>> = (0..7).map(history::way).collect();
    let erasures = (0..7).zip(&ways).flat_map(|(number, way)| {
        let next = way.last().map_or(1, |e| e.sequence + 1);
        history::erasure(number, next)
    });
    (ways.concat(), erasures.collect())
}

/// Does what the eraser does to everything of all documents.
async fn destroy(world: &World) {
    sqlx::query("DELETE FROM private_parts WHERE aggregate_type = 'document'")
        .execute(&world.pool)
        .await
        .unwrap();
    let keys: Vec<String> = sqlx::query_scalar(
        "SELECT payload -> 'text' ->> 'key' FROM events WHERE event_type = 'Extracted'",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    world.shelf.missing.lock().unwrap().extend(keys);
}

/// The rows of all read models but the audit trail, which shows the log alone.
async fn dump(world: &World, generation: i32) -> Vec<(String, String)> {
    let mut rows = world.dump(generation).await;
    rows.retain(|(table, _)| table != "audit");
    rows
}

fn assert_silent(rows: &[(String, String)]) {
    for (table, row) in rows {
        for telling in TELLING {
            assert!(!row.contains(telling), "{telling} is in {table}: {row}");
        }
    }
}

#[tokio::test]
async fn erased_content_is_in_no_row_whatever_way_it_went() {
    let world = World::new().await;
    let (ways, erasures) = ways();
    world.append(ways).await;
    world.catch_up().await;
    let before = dump(&world, 1).await;
    for telling in TELLING {
        assert!(before.iter().any(|(_, row)| row.contains(telling)));
    }
    world.append(erasures).await;
    world.catch_up().await;
    assert_silent(&dump(&world, 1).await);
    let s = world.read.statistics().await.unwrap();
    assert_eq!((s.total, s.withdrawn, s.erased, s.bytes), (0, 0, 7, 0));
    let shown = ListFilter {
        include_withdrawn: true,
        ..ListFilter::default()
    };
    let all = ListFilter {
        include_erased: true,
        ..ListFilter::default()
    };
    let none = world.read.list(&shown, FIRST_100).await.unwrap();
    assert_eq!((none.total, none.documents.len()), (0, 0));
    let all = world.read.list(&all, FIRST_100).await.unwrap();
    assert_eq!((all.total, all.documents.len()), (7, 7));
}

#[tokio::test]
async fn after_destruction_the_same_rows_come_of_the_rest() {
    let world = World::new().await;
    let (ways, erasures) = ways();
    world.append(ways).await;
    world.append(history::processed(20)).await;
    world.append(erasures).await;
    world.catch_up().await;
    let grown = dump(&world, 1).await;
    destroy(&world).await;
    world
        .shelf
        .missing
        .lock()
        .unwrap()
        .remove(&history::text_key(20, 1));
    sqlx::query("UPDATE projections SET position = 0")
        .execute(&world.pool)
        .await
        .unwrap();
    world.catch_up().await;
    assert_eq!(dump(&world, 1).await, grown, "delivered twice");
    assert_eq!(world.parked().await.len(), 0);
    // Document 20 is not erased: its name went by the rough hand of this test, and with it words
    // of the vocabulary, whose rows do not say whose they are.
    let kept = |rows: Vec<(String, String)>| -> Vec<_> {
        let of_20 = id(20).to_string();
        rows.into_iter()
            .filter(|(table, r)| table != "search_words" && !r.contains(&of_20))
            .collect()
    };
    for name in NAMES {
        let report = world.projector.rebuild(name, &mut |_, _| {}).await.unwrap();
        assert_eq!(report.parked, 0, "{name}");
    }
    assert_eq!(kept(dump(&world, 2).await), kept(grown));
}

#[tokio::test]
async fn a_text_that_went_before_its_erasure_is_read_parks_only_until_then() {
    let world = World::new().await;
    world.append(history::processed(2)).await;
    destroy(&world).await;
    world.catch_up().await;
    let lacking = ["search", "texts"].map(|name| (name.to_owned(), 3));
    assert_eq!(world.parked().await, lacking.into());
    world.append(history::erasure(2, 4)).await;
    world.catch_up().await;
    assert!(world.parked().await.is_empty());
    assert!(
        !world
            .read
            .document(id(2))
            .await
            .unwrap()
            .unwrap()
            .incomplete
    );
}

#[tokio::test]
async fn rows_kept_for_rollback_go_with_the_content() {
    let world = World::new().await;
    world.append(history::processed(2)).await;
    world.catch_up().await;
    for name in NAMES {
        world.projector.rebuild(name, &mut |_, _| {}).await.unwrap();
    }
    world.append(history::erasure(2, 4)).await;
    let erased = 5;
    assert!(!Projector::forget_before(&world.pool, erased).await.unwrap());
    world.catch_up().await;
    assert!(Projector::forget_before(&world.pool, erased).await.unwrap());
    let left: Vec<i32> = sqlx::query_scalar(
        "SELECT DISTINCT generation FROM projections WHERE name NOT IN ('audit', 'api_keys')",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert_eq!(left, [2]);
    assert_silent(&dump(&world, 2).await);
}
