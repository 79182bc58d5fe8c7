//! What somebody sees is the same in every question, and what the policy says of each document.

use crate::history::{self, id};
use crate::world::{New, World};
use kmrl_domain::authority::Visibility;
use kmrl_projections::query::{
    ListFilter, Page, ReadModel, SearchFilter, SearchPage, SearchQuery, Statistics,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const ALL: Page = Page::Offset {
    skip: 0,
    limit: 500,
};

fn visibilities() -> Vec<Visibility> {
    let some = |departments: &[&str], uploader: &str| Visibility::Some {
        departments: departments.iter().map(|d| (*d).to_owned()).collect(),
        uploader: uploader.into(),
    };
    vec![
        Visibility::All,
        some(&[], "nobody"),
        some(&[], "key:one"),
        some(&["safety"], "nobody"),
        some(&["safety", "legal"], "key:one"),
        some(&["' OR true --", ""], "%"),
    ]
}

async fn listed(read: &ReadModel) -> (BTreeSet<Uuid>, i64) {
    let filter = ListFilter {
        include_withdrawn: true,
        include_erased: true,
        ..ListFilter::default()
    };
    let list = read.list(&filter, ALL).await.unwrap();
    (list.documents.iter().map(|d| d.id).collect(), list.total)
}

#[tokio::test]
async fn every_question_shows_what_the_policy_says() {
    let world = World::new().await;
    world.append(history::interleaved(0..70)).await;
    world.append(history::erasure(2, 4)).await;
    world.catch_up().await;
    let ids: Vec<Uuid> = (0..70).map(id).collect();
    let belonging = world.read.belonging(&ids).await.unwrap();
    assert_eq!(belonging.len(), 70);
    for visible in visibilities() {
        let seen = belonging.iter();
        let seen = seen.filter(|b| visible.sees(b.department.as_deref(), &b.uploader));
        let expected: BTreeSet<Uuid> = seen.map(|b| b.id).collect();
        let read = world.read.seen_by(visible.clone());
        let total = expected.len() as i64;
        assert_eq!(
            listed(&read).await,
            (expected.clone(), total),
            "{visible:?}"
        );
        let query = SearchQuery::parse("page").unwrap();
        let page = SearchPage {
            newest: false,
            after: None,
            limit: 100,
        };
        let everything = SearchFilter {
            include_withdrawn: true,
            ..SearchFilter::default()
        };
        let found = read.search(&query, &everything, page).await.unwrap();
        let hits: BTreeSet<Uuid> = found.hits.iter().map(|hit| hit.document.id).collect();
        let all = world.read.search(&query, &everything, page).await.unwrap();
        let among = all.hits.iter().map(|hit| hit.document.id);
        let among: BTreeSet<Uuid> = among.filter(|id| expected.contains(id)).collect();
        assert_eq!(
            (hits, found.total),
            (among.clone(), among.len() as i64),
            "{visible:?}"
        );
        let erasures = read.erasures(None, 100, None).await.unwrap();
        assert_eq!(erasures.len(), usize::from(expected.contains(&id(2))));
        let errors = read.validation_errors(500, None).await.unwrap();
        for error in errors.iter().filter_map(|error| error.document_id) {
            assert!(expected.contains(&error), "{visible:?}");
        }
    }
}

/// The statistics that the counters have are those that counting gives, kind by kind.
#[tokio::test]
async fn counted_statistics_are_those_of_the_counters() {
    let world = World::new().await;
    world.append(history::interleaved(0..70)).await;
    world.append(history::erasure(2, 4)).await;
    world.catch_up().await;
    let everyone = |uploader: &str| Visibility::Some {
        departments: vec!["safety".into(), "legal".into()],
        uploader: uploader.into(),
    };
    let whole = world.read.statistics().await.unwrap();
    let (one, two) = (
        world
            .read
            .seen_by(everyone("key:one"))
            .statistics()
            .await
            .unwrap(),
        world
            .read
            .seen_by(everyone("key:two"))
            .statistics()
            .await
            .unwrap(),
    );
    let both = world
        .read
        .seen_by(everyone("nobody"))
        .statistics()
        .await
        .unwrap();
    // Whoever is not both is one of them.
    let sum = |a: &BTreeMap<String, i64>, b: &BTreeMap<String, i64>, c: &BTreeMap<String, i64>| {
        let mut sum = a.clone();
        for (word, n) in b {
            *sum.entry(word.clone()).or_default() += n;
        }
        for (word, n) in c {
            *sum.entry(word.clone()).or_default() -= n;
        }
        sum.retain(|_, n| *n > 0);
        sum
    };
    let without_average = |s: &Statistics| Statistics {
        average_confidence: None,
        ..s.clone()
    };
    let expected = Statistics {
        total: one.total + two.total - both.total,
        by_status: sum(&one.by_status, &two.by_status, &both.by_status),
        by_source: sum(&one.by_source, &two.by_source, &both.by_source),
        by_department: sum(&one.by_department, &two.by_department, &both.by_department),
        by_language: sum(&one.by_language, &two.by_language, &both.by_language),
        bytes: one.bytes + two.bytes - both.bytes,
        pages: one.pages + two.pages - both.pages,
        characters: one.characters + two.characters - both.characters,
        duplicates: one.duplicates + two.duplicates - both.duplicates,
        withdrawn: one.withdrawn + two.withdrawn - both.withdrawn,
        erased: one.erased + two.erased - both.erased,
        average_confidence: None,
        needs_review: one.needs_review + two.needs_review - both.needs_review,
    };
    let mut whole = without_average(&whole);
    whole.by_status.retain(|_, n| *n > 0);
    whole.by_source.retain(|_, n| *n > 0);
    whole.by_department.retain(|_, n| *n > 0);
    whole.by_language.retain(|_, n| *n > 0);
    assert_eq!(whole, expected);
}

fn key(sequence: i64, payload: Value) -> New {
    let event_type = match sequence {
        1 => "KeyIssued",
        2 => "KeyRotated",
        _ => "KeyRevoked",
    };
    New {
        aggregate_type: "api_key",
        id: id(900),
        sequence,
        event_type,
        payload,
        private: None,
    }
}

#[tokio::test]
async fn keys_are_listed_and_a_rebuild_lists_them_alike() {
    let world = World::new().await;
    let at = "2026-01-02T03:04:05Z";
    world
        .append(vec![
            key(1, json!({
                "type": "KeyIssued", "digest": "00", "pepper": "p", "issued_at": at,
                "grant": {"name": "maximo", "owner": "IT", "roles": ["connector"], "scopes": null,
                    "sources": {"only": ["maximo"]}, "departments": "all", "expires_at": null},
            })),
            key(2, json!({"type": "KeyRotated", "digest": "11", "pepper": "p",
                "overlap_until": at, "rotated_at": at})),
            key(3, json!({"type": "KeyRevoked", "reason": "lost", "revoked_at": at})),
        ])
        .await;
    world.catch_up().await;
    let keys = world.read.api_keys(10, None).await.unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].terms["name"], "maximo");
    assert_eq!(keys[0].revocation_reason.as_deref(), Some("lost"));
    assert!(!format!("{keys:?}").contains("digest"));
    assert!(world.read.api_keys(10, Some(1)).await.unwrap().is_empty());
    let before = world.dump_of("api_keys", 1).await;
    // Told again from the beginning, nothing changes.
    sqlx::query("UPDATE projections SET position = 0 WHERE name = 'api_keys'")
        .execute(&world.pool)
        .await
        .unwrap();
    world.catch_up().await;
    assert_eq!(world.dump_of("api_keys", 1).await, before);
}
