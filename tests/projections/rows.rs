//! Events become rows, and the questions to them are answered.

use crate::history::{self, id};
use crate::world::World;
use kmrl_domain::values::Status;
use kmrl_projections::query::{ListFilter, Page};

const FIRST_100: Page = Page::Offset {
    skip: 0,
    limit: 100,
};

#[tokio::test]
async fn a_processed_document_is_shown_with_its_text() {
    let world = World::new().await;
    world.append(history::processed(1)).await;
    assert_eq!(world.catch_up().await, 3);
    assert_eq!(world.read.visible_position().await.unwrap(), 3);

    let row = world.read.document(id(1)).await.unwrap().unwrap();
    assert_eq!(row.original_filename, "ജോലി 1.pdf");
    assert_eq!(row.metadata["wonum"], 1);
    assert_eq!(row.status, "processed");
    assert_eq!((row.version, row.position, row.incomplete), (3, 3, false));
    assert_eq!(row.findings.unwrap()["version"], "1.7");
    let text = row.extracted_text.unwrap();
    assert_eq!(text, "first page of text/1-1.json\u{c}second\u{fffd}page");

    let status = world.read.status(id(1)).await.unwrap().unwrap();
    assert_eq!(
        (status.status.as_str(), status.page_count),
        ("processed", Some(2))
    );
    assert!(world.read.document(id(2)).await.unwrap().is_none());
}

#[tokio::test]
async fn failures_and_refusals_are_validation_errors() {
    let world = World::new().await;
    world.append(history::way(4)).await;
    world.append(vec![history::refused(1)]).await;
    world.catch_up().await;
    let row = world.read.document(id(4)).await.unwrap().unwrap();
    assert_eq!(row.status, "failed");
    assert_eq!(row.error.unwrap().code, "unsupported_type");

    let errors = world.read.validation_errors(10, None).await.unwrap();
    let kinds: Vec<_> = errors
        .iter()
        .map(|e| (e.position, e.kind.as_str()))
        .collect();
    assert_eq!(kinds, [(4, "refused_upload"), (3, "failed_processing")]);
    assert_eq!(errors[0].file_name.as_deref(), Some("empty.pdf"));
    assert_eq!(errors[1].file_name.as_deref(), Some("ജോലി 4.pdf"));
    assert_eq!(errors[1].source.as_deref(), Some("gmail"));
    let older = world.read.validation_errors(10, Some(4)).await.unwrap();
    assert_eq!(older, errors[1..]);
}

#[tokio::test]
async fn lists_page_newest_first_with_an_exact_total() {
    let world = World::new().await;
    world.append(history::interleaved(0..70)).await;
    world.catch_up().await;
    let all = ListFilter {
        include_withdrawn: true,
        ..ListFilter::default()
    };
    let list = world.read.list(&all, FIRST_100).await.unwrap();
    assert_eq!((list.total, list.documents.len()), (70, 70));
    let expected: Vec<_> = (0..70).rev().map(id).collect();
    assert_eq!(
        list.documents.iter().map(|d| d.id).collect::<Vec<_>>(),
        expected
    );

    let mut walked = Vec::new();
    let mut page = Page::Offset { skip: 0, limit: 9 };
    loop {
        let part = world.read.list(&all, page).await.unwrap();
        assert_eq!(part.total, 70);
        let Some(last) = part.documents.last() else {
            break;
        };
        page = Page::After {
            uploaded_at: last.upload_time,
            id: last.id,
            limit: 9,
        };
        walked.extend(part.documents.iter().map(|d| d.id));
    }
    assert_eq!(walked, expected);
    let skipped = Page::Offset {
        skip: 60,
        limit: 100,
    };
    let skipped = world.read.list(&all, skipped).await.unwrap();
    assert_eq!(skipped.documents, list.documents[60..]);
}

#[tokio::test]
async fn filters_agree_with_their_totals() {
    let world = World::new().await;
    world.append(history::interleaved(0..70)).await;
    world.catch_up().await;
    for source in [None, Some("maximo"), Some("nowhere")] {
        for status in [None, Some(Status::Processed), Some(Status::Failed)] {
            for department in [None, Some("safety"), Some("legal")] {
                for include_withdrawn in [false, true] {
                    let filter = ListFilter {
                        source: source.map(Into::into),
                        status,
                        department: department.map(Into::into),
                        include_withdrawn,
                        ..ListFilter::default()
                    };
                    let list = world.read.list(&filter, FIRST_100).await.unwrap();
                    assert_eq!(list.total, list.documents.len() as i64, "{filter:?}");
                    assert!(list.documents.iter().all(|d| {
                        source.is_none_or(|s| d.source == s)
                            && status.is_none_or(|s| d.status == s.as_str())
                            && department.is_none_or(|s| d.department.as_deref() == Some(s))
                            && (include_withdrawn || d.withdrawn_at.is_none())
                    }));
                }
            }
        }
    }
}

#[tokio::test]
async fn languages_and_reviews_are_filtered_as_they_are_counted() {
    let world = World::new().await;
    world.append(history::interleaved(0..70)).await;
    world.catch_up().await;
    for language in [None, Some("en"), Some("ml"), Some("ta")] {
        for needs_review in [None, Some(true), Some(false)] {
            let filter = ListFilter {
                language: language.map(Into::into),
                needs_review,
                ..ListFilter::default()
            };
            let list = world.read.list(&filter, FIRST_100).await.unwrap();
            assert_eq!(list.total, list.documents.len() as i64, "{filter:?}");
            assert_eq!(list.documents.is_empty(), language == Some("ta"));
            assert!(list.documents.iter().all(|d| {
                language.is_none_or(|l| d.language.as_deref() == Some(l))
                    && needs_review.is_none_or(|n| d.needs_review == n)
            }));
        }
    }
}

#[tokio::test]
async fn statistics_count_what_lists_show() {
    let world = World::new().await;
    world.append(history::interleaved(0..70)).await;
    world.catch_up().await;
    let s = world.read.statistics().await.unwrap();
    let list = world
        .read
        .list(&ListFilter::default(), FIRST_100)
        .await
        .unwrap();
    let shown = list.documents;
    assert_eq!((s.total, s.withdrawn), (60, 10));
    assert_eq!(s.total, list.total);
    assert_eq!(s.bytes, shown.iter().map(|d| d.file_size).sum::<i64>());
    assert_eq!(
        s.pages,
        shown.iter().filter_map(|d| d.page_count).sum::<i64>()
    );
    for (status, n) in &s.by_status {
        assert_eq!(
            *n,
            shown.iter().filter(|d| d.status == *status).count() as i64
        );
    }
    let duplicates = shown.iter().filter(|d| d.duplicate_of.is_some()).count();
    assert_eq!(s.duplicates, duplicates as i64);
    let trust: Vec<f64> = shown.iter().filter_map(|d| d.confidence_score).collect();
    let mean = trust.iter().sum::<f64>() / trust.len() as f64;
    assert!((s.average_confidence.unwrap() - mean).abs() < 1e-9);
    let doubtful = shown
        .iter()
        .filter(|d| d.confidence_score.is_some_and(|c| c < 0.7));
    assert_eq!(s.needs_review, doubtful.count() as i64);
}

#[tokio::test]
async fn documents_with_the_same_bytes_are_found_oldest_first() {
    let world = World::new().await;
    world
        .append(vec![history::uploaded(3), history::uploaded(53)])
        .await;
    world.catch_up().await;
    let alike = world.read.by_sha256(&format!("{:064x}", 3)).await.unwrap();
    assert_eq!(
        alike.iter().map(|d| d.id).collect::<Vec<_>>(),
        [id(3), id(53)]
    );
}

#[tokio::test]
async fn what_is_delivered_twice_gives_the_same_rows() {
    let world = World::new().await;
    world.append(history::interleaved(0..40)).await;
    world.catch_up().await;
    let once = world.dump(1).await;
    for position in [0, 17] {
        sqlx::query("UPDATE projections SET position = $1")
            .bind(position)
            .execute(&world.pool)
            .await
            .unwrap();
        world.catch_up().await;
        assert_eq!(world.dump(1).await, once);
    }
}
