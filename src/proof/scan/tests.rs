//! Every attack on a log, against every combination of witnesses that the attacker left whole.

use super::*;
use crate::proof::tree;

fn entry(position: i64) -> Entry {
    Entry {
        position,
        aggregate_type: "document".into(),
        aggregate_id: format!("d{}", position % 5),
        sequence: 1 + position / 5,
        event_type: "Withdrawn".into(),
        event_version: "1.0".into(),
        recorded_at: 1_700_000_000_000_000 + position,
        payload: format!("{{\"n\":{position}}}"),
        metadata: "{}".into(),
    }
}

fn log(n: i64) -> Vec<Row> {
    (1..=n).map(|p| row(entry(p))).collect()
}

fn row(entry: Entry) -> Row {
    let leaf = entry.leaf();
    Row {
        entry,
        leaf,
        stored: leaf,
    }
}

/// As an attacker who makes no hash anew: what is stored stays.
fn keeping(mut row: Row) -> Row {
    row.leaf = row.entry.leaf();
    row
}

/// As one who does.
fn anew(row: Row) -> Row {
    self::row(row.entry)
}

/// Copies and a checkpoint every 10 entries, of the true log.
fn scan_with(rows: Vec<Row>, truth: &[Row], with_copies: bool) -> Vec<Finding> {
    let leaves: Vec<Hash> = truth.iter().map(|r| r.leaf).collect();
    let mut scan = Scan::default();
    if with_copies {
        scan.copies(leaves.iter().copied().map(Some));
    }
    for size in (10..=truth.len()).step_by(10) {
        scan.checkpoint(size as u64, tree::root(&leaves[..size]));
    }
    for row in rows {
        scan.rows([row]);
        scan.advance(false);
    }
    scan.finish()
}

fn first(findings: &[Finding]) -> (Kind, u64, Option<u64>) {
    let found = findings.first().expect("nothing was found");
    (found.kind, found.position.unwrap(), found.until)
}

fn renumbered(rows: Vec<Row>, hash: fn(Row) -> Row) -> Vec<Row> {
    let renumber = |(mut row, position): (Row, i64)| {
        row.entry.position = position;
        hash(row)
    };
    rows.into_iter().zip(1..).map(renumber).collect()
}

#[test]
fn a_log_as_signed_has_no_finding() {
    for n in [0, 1, 9, 10, 11, 40, 47] {
        let truth = log(n);
        for with_copies in [true, false] {
            assert_eq!(scan_with(truth.clone(), &truth, with_copies), []);
        }
    }
}

#[test]
fn each_attack_is_named_with_the_first_entry_by_the_copies() {
    let truth = log(40);
    for hash in [keeping, anew] {
        for p in [1_usize, 2, 10, 11, 25, 39] {
            let at = p as u64;
            let mut altered = truth.clone();
            altered[p - 1].entry.payload = "{\"n\":0}".into();
            altered[p - 1] = hash(altered[p - 1].clone());
            assert_eq!(
                first(&scan_with(altered, &truth, true)),
                (Kind::Altered, at, None)
            );

            let mut removed = truth.clone();
            removed.remove(p - 1);
            assert_eq!(
                first(&scan_with(removed.clone(), &truth, true)),
                (Kind::Removed, at, None)
            );
            let removed = renumbered(removed, hash);
            assert_eq!(
                first(&scan_with(removed, &truth, true)),
                (Kind::Removed, at, None)
            );

            let mut inserted = truth.clone();
            let mut new = entry(at as i64);
            new.payload = "{\"new\":1}".into();
            inserted.insert(p - 1, row(new));
            let inserted = renumbered(inserted, hash);
            assert_eq!(
                first(&scan_with(inserted, &truth, true)),
                (Kind::Inserted, at, None)
            );

            let mut swapped = truth.clone();
            swapped.swap(p - 1, p);
            assert_eq!(
                first(&scan_with(swapped.clone(), &truth, true)),
                (Kind::Reordered, at, None)
            );
            let swapped = renumbered(swapped, hash);
            assert_eq!(
                first(&scan_with(swapped, &truth, true)),
                (Kind::Reordered, at, None)
            );

            let cut = truth[..p - 1].to_vec();
            assert_eq!(
                first(&scan_with(cut, &truth, true)),
                (Kind::CutOff, at, None)
            );
        }
    }
}

#[test]
fn without_copies_stored_leaves_tell_as_long_as_they_were_left() {
    let truth = log(40);
    let mut removed = truth.clone();
    removed.remove(6);
    let found = scan_with(renumbered(removed, keeping), &truth, false);
    assert_eq!(first(&found), (Kind::Removed, 7, None));
    let mut altered = truth.clone();
    altered[20].entry.metadata = "{\"actor\":\"x\"}".into();
    altered[20] = keeping(altered[20].clone());
    let found = scan_with(altered, &truth, false);
    assert_eq!(first(&found), (Kind::Altered, 21, None));
    let found = scan_with(truth[..33].to_vec(), &truth, false);
    assert_eq!(first(&found), (Kind::CutOff, 34, None));
}

#[test]
fn with_nothing_left_the_checkpoints_tell_between_which_entries() {
    let truth = log(40);
    let mut altered = truth.clone();
    altered[20].entry.metadata = "{\"actor\":\"x\"}".into();
    altered[20] = anew(altered[20].clone());
    let found = scan_with(altered, &truth, false);
    assert_eq!(first(&found), (Kind::Altered, 21, Some(30)));
}

#[test]
fn a_changed_witness_is_told_from_a_changed_entry() {
    let truth = log(40);
    let mut leaf = truth.clone();
    leaf[20].stored = [0; 32];
    for with_copies in [true, false] {
        let found = scan_with(leaf.clone(), &truth, with_copies);
        assert_eq!(first(&found), (Kind::LeafAltered, 21, None));
        assert_eq!(found.len(), 1);
    }
    let leaves: Vec<Hash> = truth.iter().map(|r| r.leaf).collect();
    let mut scan = Scan::default();
    let copy = |(n, leaf): (usize, &Hash)| Some(if n == 20 { [0; 32] } else { *leaf });
    scan.copies(leaves.iter().enumerate().map(copy));
    scan.checkpoint(40, tree::root(&leaves));
    scan.rows(truth);
    assert_eq!(first(&scan.finish()), (Kind::CopyAltered, 21, None));
}

#[test]
fn memory_does_not_grow_with_what_follows_the_first_wrong_entry() {
    let truth = log(10_000);
    let mut altered = truth.clone();
    altered[0].entry.payload = "{}".into();
    altered[0] = anew(altered[0].clone());
    let mut scan = Scan::default();
    scan.copies(truth.iter().map(|r| Some(r.leaf)));
    scan.checkpoint(
        5,
        tree::root(&truth.iter().take(5).map(|r| r.leaf).collect::<Vec<_>>()),
    );
    scan.rows(altered);
    scan.advance(false);
    assert!(scan.knows());
    assert!(scan.trouble.as_ref().unwrap().rows.len() <= WINDOW);
    assert_eq!(first(&scan.finish()), (Kind::Altered, 1, None));
}
