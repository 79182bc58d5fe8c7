//! Events to rows.

use super::row::*;
use super::*;
use crate::testing::*;

fn folded(events: Vec<Spec>) -> (BTreeMap<Uuid, Document>, Vec<Rejected>) {
    let folded = fold::fold(&log(events), &BTreeMap::new());
    (folded.changed, folded.rejected)
}

fn row_of(events: Vec<Spec>) -> Document {
    let (rows, rejected) = folded(events);
    assert!(rejected.is_empty(), "{rejected:?}");
    rows[&id(1)].clone()
}

#[test]
fn an_upload_is_a_queued_document_with_its_private_part() {
    let row = row_of(vec![(1, 1, uploaded())]);
    assert_eq!(
        (row.status.as_str(), row.run, row.attempt),
        ("queued", 1, 0)
    );
    assert_eq!(row.original_filename, "job card.pdf");
    assert_eq!(row.metadata, r#"{"wonum":"WO-1"}"#);
    assert_eq!((row.version, row.position), (1, 1));
}

#[test]
fn a_document_whose_private_part_was_erased_has_no_name() {
    let mut events = log(vec![(1, 1, uploaded())]);
    events[0].private = None;
    let rows = fold::fold::<Document>(&events, &BTreeMap::new()).changed;
    assert_eq!(rows[&id(1)].original_filename, "");
    assert_eq!(rows[&id(1)].metadata, "{}");
}

#[test]
fn it_goes_its_way_to_processed() {
    let row = row_of(document(1));
    assert_eq!(row.status, "processed");
    assert_eq!((row.page_count, row.character_count), (Some(1), Some(5)));
    assert_eq!(row.confidence_score, Some(0.9));
    assert_eq!(row.version, 3);
}

#[test]
fn a_failure_with_a_retry_queues_and_the_last_one_fails() {
    let way = vec![
        (1, 1, uploaded()),
        (1, 2, started(1, 1)),
        (1, 3, failed(1, 1, true)),
    ];
    let row = row_of(way.clone());
    assert_eq!(row.status, "queued");
    assert!(row.retry_at.is_some() && row.error.is_some());
    let row = row_of(
        [
            way,
            vec![(1, 4, started(1, 2)), (1, 5, failed(1, 2, false))],
        ]
        .concat(),
    );
    assert_eq!((row.status.as_str(), row.retry_at), ("failed", None));
    assert!(row.error.unwrap().contains("unsupported_type"));
}

#[test]
fn reprocessing_opens_a_run_and_keeps_the_last_text() {
    let row = row_of([document(1), vec![(1, 4, reprocessing(2))]].concat());
    assert_eq!(
        (row.status.as_str(), row.run, row.attempt),
        ("queued", 2, 0)
    );
    assert!(row.text_sha256.is_some());
}

#[test]
fn a_correction_changes_what_it_names() {
    let row = row_of(vec![
        (1, 1, uploaded()),
        (1, 2, corrected(Some("safety"), None)),
    ]);
    assert_eq!(row.department.as_deref(), Some("safety"));
    assert_eq!(row.metadata, r#"{"wonum":"WO-1"}"#);
    let row = row_of(vec![
        (1, 1, uploaded()),
        (1, 2, corrected(None, Some("WO-2"))),
    ]);
    assert_eq!(row.metadata, r#"{"wonum":"WO-2"}"#);
}

fn erased_way() -> Vec<Spec> {
    let way = [
        document(1),
        vec![
            (1, 4, requested("key:admin")),
            (1, 5, erased("key:admin", "key:approver")),
            (1, 6, destroyed()),
        ],
    ];
    way.concat()
}

#[test]
fn an_erased_document_tells_nothing_of_its_content() {
    let row = row_of(erased_way());
    assert_eq!(
        (row.original_filename.as_str(), row.metadata.as_str()),
        ("", "{}")
    );
    assert_eq!(
        (row.uploaded_by.as_str(), row.text_sha256.as_deref()),
        ("", None)
    );
    assert_eq!(
        (row.page_count, row.character_count, row.language),
        (None, None, None)
    );
    assert!(row.erased_at.is_some());
    assert_eq!(row.erasure_state.as_deref(), Some("done"));
    assert_eq!(row.erasure_position, Some(6));
    let told = row.erasure.unwrap();
    for part in [
        "key:admin",
        "key:approver",
        "asked by the subject",
        "\"objects_kept\":1",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn what_is_left_after_destruction_gives_the_same_row() {
    let whole = fold::fold::<Document>(&log(erased_way()), &BTreeMap::new()).changed;
    let mut events = log(erased_way());
    events.iter_mut().for_each(|e| e.private = None);
    let rest = fold::fold::<Document>(&events, &BTreeMap::new());
    assert!(rest.rejected.is_empty());
    assert_eq!(rest.changed, whole);
}

#[test]
fn an_erased_document_is_counted_as_that_alone() {
    let (before, _) = folded([document(1), vec![(1, 4, withdrawn())]].concat());
    let (after, _) = folded(
        [
            document(1),
            vec![
                (1, 4, withdrawn()),
                (1, 5, erased("key:admin", "key:approver")),
            ],
        ]
        .concat(),
    );
    let moves = moves(&before, &after);
    assert_eq!(
        moves.of([
            "maximo",
            "processed",
            "rolling_stock",
            "en",
            "",
            "withdrawn"
        ]),
        -1
    );
    assert_eq!(
        moves.of(["maximo", "processed", "rolling_stock", "", "", "erased"]),
        1
    );
}

#[test]
fn a_quarantine_is_told_step_by_step() {
    let way = vec![
        (1, 1, uploaded()),
        (1, 2, risks_accepted()),
        (1, 3, quarantined()),
    ];
    let row = row_of(way.clone());
    assert_eq!(row.status, "queued");
    assert_eq!(row.quarantine_state.as_deref(), Some("quarantined"));
    assert!(row.quarantine.unwrap().contains("macros"));
    assert!(row.accepted_risks.unwrap().contains("javascript"));
    let asked = [way, vec![(1, 4, release_requested())]].concat();
    let row = row_of(asked.clone());
    assert_eq!(row.quarantine_state.as_deref(), Some("release_requested"));
    let rejected = [asked.clone(), vec![(1, 5, release_rejected())]].concat();
    let row = row_of(rejected);
    assert_eq!(row.quarantine_state.as_deref(), Some("quarantined"));
    assert!(row.quarantine.unwrap().contains("not convinced"));
    let row = row_of([asked, vec![(1, 5, quarantine_released())]].concat());
    assert_eq!(row.quarantine_state.as_deref(), Some("released"));
    assert_eq!(
        (row.status.as_str(), row.run, row.attempt),
        ("queued", 2, 0)
    );
    let told = row.quarantine.unwrap();
    for part in ["macros", "key:admin", "key:approver", "looked at by hand"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn legal_holds_come_and_go() {
    let row = row_of(vec![
        (1, 1, uploaded()),
        (1, 2, held("case-1")),
        (1, 3, held("case-2")),
        (1, 4, released("case-1")),
    ]);
    assert!(row.legal_holds.contains("case-2") && !row.legal_holds.contains("case-1"));
}

#[test]
fn a_rejection_before_the_rule_expired_is_forgotten() {
    let way = vec![
        (1, 1, uploaded()),
        (1, 2, requested("key:admin")),
        (1, 3, rejected("key:approver")),
    ];
    let row = row_of(way.clone());
    assert_eq!(row.erasure_state.as_deref(), Some("rejected"));
    let row = row_of([way, vec![(1, 4, expired("days=1"))]].concat());
    assert_eq!(
        (row.erasure_state, row.retention_rule.as_deref()),
        (None, Some("days=1"))
    );
}

#[test]
fn what_was_applied_is_not_applied_again() {
    let events = log(document(1));
    let once = fold::fold::<Document>(&events, &BTreeMap::new()).changed;
    let again = fold::fold(&events, &once);
    assert!(again.changed.is_empty() && again.rejected.is_empty());
}

#[test]
fn an_unreadable_event_is_rejected_and_the_rest_goes_on() {
    let mut events = log([document(1), document(2)].concat());
    events[1].payload = serde_json::json!({"type": "ProcessingStarted"});
    let folded = fold::fold::<Document>(&events, &BTreeMap::new());
    assert_eq!(folded.rejected.len(), 1);
    assert_eq!(folded.rejected[0].document_id, Some(id(1)));
    assert_eq!(folded.changed[&id(1)].status, "processed");
    assert_eq!(folded.changed[&id(2)].status, "processed");
}

#[test]
fn events_without_their_upload_are_rejected() {
    let (rows, rejected) = folded(vec![(1, 2, started(1, 1))]);
    assert!(rows.is_empty());
    assert_eq!(
        rejected[0].error,
        "the upload of its document was not applied"
    );
}

#[test]
fn a_parser_that_quotes_a_private_part_is_not_repeated() {
    let mut events = log(vec![(1, 1, uploaded())]);
    events[0].private = Some(serde_json::json!({"file_name": 17, "secret": "name"}));
    let rejected = fold::fold::<Document>(&events, &BTreeMap::new()).rejected;
    assert_eq!(rejected[0].error, "its private part does not have its form");
}

#[test]
fn counts_move_by_difference() {
    let (before, _) = folded(vec![(1, 1, uploaded())]);
    let (after, _) = folded(document(1));
    let moves = moves(&before, &after);
    assert_eq!(moves.of(["maximo", "queued", "", "", "", "standing"]), -1);
    assert_eq!(
        moves.of(["maximo", "processed", "rolling_stock", "en", "", "standing"]),
        1
    );
}
