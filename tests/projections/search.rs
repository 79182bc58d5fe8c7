//! The read model that is searched: events to rows, what is found in them, and what is not any more.

use crate::history::{self, id, text_key};
use crate::world::World;
use kmrl_domain::values::Status;
use kmrl_projections::query::{Found, SearchFilter, SearchKey, SearchPage, SearchQuery};
use std::collections::BTreeSet;
use uuid::Uuid;

const FIRST: SearchPage = SearchPage {
    newest: false,
    after: None,
    limit: 100,
};

async fn search(world: &World, query: &str, filter: &SearchFilter, page: SearchPage) -> Found {
    let query = SearchQuery::parse(query).unwrap();
    world.read.search(&query, filter, page).await.unwrap()
}

async fn found(world: &World, query: &str) -> Found {
    search(world, query, &SearchFilter::default(), FIRST).await
}

async fn ids(world: &World, query: &str) -> Vec<Uuid> {
    let found = found(world, query).await;
    assert_eq!(found.total, found.hits.len() as i64, "{query}");
    found.hits.iter().map(|hit| hit.document.id).collect()
}

/// Document `number`, processed, with this text.
async fn document(world: &World, number: u32, pages: &[&str]) {
    world.shelf.say(text_key(number, 1), pages);
    world.append(history::processed(number)).await;
}

async fn vocabulary(world: &World) -> BTreeSet<String> {
    sqlx::query_scalar("SELECT word FROM read.search_words")
        .fetch_all(&world.pool)
        .await
        .unwrap()
        .into_iter()
        .collect()
}

fn marked(found: &Found) -> Vec<(String, Option<u32>, String)> {
    let excerpts = found.hits.iter().flat_map(|hit| &hit.excerpts);
    excerpts
        .flat_map(|e| e.pieces.iter().map(move |p| (e, p)))
        .filter(|(_, piece)| piece.marked)
        .map(|(e, piece)| (e.field.clone(), e.page, piece.text.clone()))
        .collect()
}

#[tokio::test]
async fn text_name_and_metadata_are_found_together() {
    let world = World::new().await;
    document(&world, 1, &["Brakes inspected", "at the depot <b>"]).await;
    document(&world, 2, &["Brake pads replaced"]).await;
    world.catch_up().await;
    assert_eq!(ids(&world, "brake inspecting").await, [id(1)]);
    assert_eq!(ids(&world, "ജോലി pad").await, [id(2)], "name and text");
    assert_eq!(ids(&world, "\"brake pad\"").await, [id(2)]);
    assert_eq!(ids(&world, "brake -pads").await, [id(1)]);
    assert_eq!(ids(&world, "\"pads brake\"").await, Vec::<Uuid>::new());
    assert_eq!(ids(&world, "inspect* OR replaced").await.len(), 2);
    let both = ids(&world, "depot").await;
    assert_eq!(both.len(), 2, "the uploader's name counts");
    let one = found(&world, "inspected depot").await;
    assert_eq!(one.hits[0].pages, [1, 2]);
    let marks = marked(&one);
    assert!(
        marks.contains(&("text".into(), Some(1), "inspected".into())),
        "{marks:?}"
    );
    assert!(
        marks.contains(&("text".into(), Some(2), "depot".into())),
        "{marks:?}"
    );
    assert!(
        marks.contains(&("uploaded_by".into(), None, "depot".into())),
        "{marks:?}"
    );
    assert_eq!(one.shown_at, 6);
}

#[tokio::test]
async fn malayalam_is_found_in_any_form_and_spelling() {
    let world = World::new().await;
    document(&world, 1, &["പാളത്തിലെ തകരാർ പരിശോധിച്ചു"]).await;
    document(&world, 2, &["കൊച്ചിമെട്രോയുടെ സ്റ്റേഷന\u{d4d}\u{200d}"]).await;
    world.catch_up().await;
    for (query, number) in [
        ("പാളം", 1),
        ("പാളങ്ങൾ", 1),
        ("തകരാര\u{d4d}\u{200d}", 1),
        ("മെട്രോ", 2),
        ("സ്റ്റേഷൻ", 2),
        ("സ്റ്റേഷനിൽ", 2),
        ("കൊച്ചി", 2),
        ("പരിശോധിചു", 1),
    ] {
        assert_eq!(ids(&world, query).await, [id(number)], "{query}");
    }
    let typo = found(&world, "പരിശോധിചു").await;
    assert_eq!(typo.read_as.len(), 1);
    assert_eq!(marked(&typo)[0].2, "പരിശോധിച്ചു");
}

#[tokio::test]
async fn a_misspelled_word_is_read_as_one_that_there_is() {
    let world = World::new().await;
    document(&world, 1, &["maintenance of the escalator"]).await;
    world.catch_up().await;
    let typo = found(&world, "maintainance").await;
    assert_eq!((typo.total, typo.read_as.len()), (1, 1));
    assert_eq!(
        found(&world, "\"maintainance\"").await.total,
        0,
        "quoted: as it is"
    );
    assert_eq!(found(&world, "zebra").await.total, 0);
}

#[tokio::test]
async fn a_document_of_many_parts_is_one_hit() {
    let world = World::new().await;
    let filler = "lorem ".repeat(1_500);
    let pages: Vec<String> = (1..=9)
        .map(|n| match n {
            1 => format!("opening {filler}"),
            8 => format!("{filler} closing words"),
            _ => filler.clone(),
        })
        .collect();
    document(
        &world,
        1,
        &pages.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;
    document(&world, 2, &["opening"]).await;
    world.catch_up().await;
    let parts: Vec<(i32, i32)> =
        sqlx::query_as("SELECT part, parts FROM read.search WHERE document_id = $1 ORDER BY 1")
            .bind(id(1))
            .fetch_all(&world.pool)
            .await
            .unwrap();
    assert!(parts.len() > 2 && parts.iter().all(|p| p.1 == parts.len() as i32));
    let across = found(&world, "opening closing").await;
    assert_eq!((across.total, across.hits[0].document.id), (1, id(1)));
    assert_eq!(across.hits[0].pages, [1, 8]);
    assert_eq!(ids(&world, "opening -closing").await, [id(2)]);
    assert_eq!(found(&world, "\"closing words\"").await.hits[0].pages, [8]);
    world.append(vec![history::corrected(1, 4)]).await;
    world.catch_up().await;
    let legal: Vec<Option<String>> =
        sqlx::query_scalar("SELECT DISTINCT department FROM read.search WHERE document_id = $1")
            .bind(id(1))
            .fetch_all(&world.pool)
            .await
            .unwrap();
    assert_eq!(legal, [Some("legal".to_owned())], "all parts say the same");
}

#[tokio::test]
async fn corrections_and_new_texts_take_the_place_of_the_old() {
    let world = World::new().await;
    document(&world, 1, &["brake"]).await;
    world.catch_up().await;
    world.append(vec![history::corrected(1, 4)]).await;
    world.catch_up().await;
    let filter = SearchFilter {
        department: Some("legal".into()),
        language: Some("mixed".into()),
        ..SearchFilter::default()
    };
    assert_eq!(search(&world, "brake", &filter, FIRST).await.total, 1);
    world.shelf.say(text_key(1, 2), &["coupler"]);
    world
        .append(vec![
            history::reprocessing(1, 5),
            history::started(1, 6, 2, 1),
            history::extracted(1, 7, 2, 1),
        ])
        .await;
    world.catch_up().await;
    assert_eq!(found(&world, "brake").await.total, 0);
    assert_eq!(ids(&world, "coupler").await, [id(1)]);
    let words = vocabulary(&world).await;
    assert!(
        words.contains("coupler") && !words.contains("brake"),
        "{words:?}"
    );
    let live = world.dump_of("search", 1).await;
    world
        .projector
        .rebuild("search", &mut |_, _| {})
        .await
        .unwrap();
    assert_eq!(world.dump_of("search", 2).await, live);
}

#[tokio::test]
async fn erased_is_gone_and_withdrawn_is_left_out() {
    let world = World::new().await;
    document(&world, 1, &["secretword shared"]).await;
    document(&world, 2, &["shared"]).await;
    world.append(vec![history::withdrawn(2, 4)]).await;
    world.catch_up().await;
    assert_eq!(ids(&world, "shared").await, [id(1)]);
    let withdrawn = SearchFilter {
        include_withdrawn: true,
        ..SearchFilter::default()
    };
    assert_eq!(search(&world, "shared", &withdrawn, FIRST).await.total, 2);
    world.append(history::erasure(1, 4)).await;
    world.catch_up().await;
    assert_eq!(search(&world, "shared", &withdrawn, FIRST).await.total, 1);
    assert_eq!(found(&world, "secretword").await.total, 0);
    let words = vocabulary(&world).await;
    assert!(
        words.contains("share") && !words.contains("secretword"),
        "{words:?}"
    );
    let rows = world.dump_of("search", 1).await;
    assert!(
        rows.iter()
            .all(|(_, row)| !row.contains(&id(1).to_string()))
    );
}

#[tokio::test]
async fn pages_hold_every_hit_once_in_either_order() {
    let world = World::new().await;
    world.append(history::interleaved(0..70)).await;
    world.catch_up().await;
    let all = found(&world, "ജോലി").await;
    assert_eq!((all.total, all.hits.len(), all.next), (60, 60, None));
    for newest in [false, true] {
        let (mut after, mut walked) = (None::<SearchKey>, Vec::new());
        loop {
            let page = SearchPage {
                newest,
                after,
                limit: 7,
            };
            let part = search(&world, "ജോലി", &SearchFilter::default(), page).await;
            assert_eq!((part.total, part.newest), (60, newest));
            walked.extend(part.hits.iter().map(|hit| hit.document.id));
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(walked.iter().collect::<BTreeSet<_>>().len(), 60);
        assert_eq!(walked.len(), 60);
        if !newest {
            let expected: Vec<_> = all.hits.iter().map(|hit| hit.document.id).collect();
            assert_eq!(walked, expected);
        }
    }
}

#[tokio::test]
async fn facets_count_what_each_choice_would_find() {
    let world = World::new().await;
    world.append(history::interleaved(0..70)).await;
    world.catch_up().await;
    let filter = SearchFilter {
        source: Some("maximo".into()),
        status: Some(Status::Processed),
        ..SearchFilter::default()
    };
    let filtered = search(&world, "ജോലി", &filter, FIRST).await;
    assert!(filtered.total > 0);
    for facet in &filtered.facets.source {
        let other = SearchFilter {
            source: facet.value.clone(),
            ..filter.clone()
        };
        let there = search(&world, "ജോലി", &other, FIRST).await;
        assert_eq!(there.total, facet.count, "{facet:?}");
    }
    let maximo = filtered
        .facets
        .source
        .iter()
        .find(|f| f.value.as_deref() == Some("maximo"));
    assert_eq!(maximo.unwrap().count, filtered.total);
    let by_department: i64 = filtered.facets.department.iter().map(|f| f.count).sum();
    assert_eq!(by_department, filtered.total);
    let first = filtered.hits[0].document.upload_time;
    let none = SearchFilter {
        to: Some(first),
        from: Some(first),
        ..filter
    };
    assert_eq!(search(&world, "ജോലി", &none, FIRST).await.total, 0);
}
