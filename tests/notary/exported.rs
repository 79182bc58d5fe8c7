//! The log in a file: whole, and after every attack on its lines.

use crate::scene::Scene;
use kmrl_gateway::notary::export::export_log;
use kmrl_gateway::proof::checkpoint::Checkpoint;
use kmrl_gateway::proof::export::{FileCheck, FileError, FileReport, Line, Tile};
use kmrl_gateway::proof::note::{SigningKey, VerifyingKey};
use kmrl_gateway::proof::scan::Kind;
use kmrl_gateway::proof::{Hash, hex};
use std::sync::Arc;

struct Exported {
    lines: Vec<Line>,
    key: VerifyingKey,
    newest: Checkpoint,
}

async fn exported() -> Exported {
    let scene = Scene::with(&[150, 300, 400]).await;
    let mut out = Vec::new();
    let blobs = Arc::clone(&scene.blobs);
    let pool = &scene.database.pool;
    let written = export_log(pool, blobs, &mut out, &mut |_, _| {})
        .await
        .unwrap();
    assert_eq!(written, 400);
    let text = String::from_utf8(out).unwrap();
    Exported {
        lines: text
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect(),
        key: scene.key(),
        newest: scene.tree.latest().await.unwrap().unwrap().checkpoint,
    }
}

impl Exported {
    fn check(&self, lines: &[Line]) -> Result<FileReport, FileError> {
        let mut check = FileCheck::new(self.key.clone(), Some(self.newest.clone()));
        for line in lines {
            check.line(&serde_json::to_string(line).unwrap())?;
        }
        Ok(check.finish())
    }

    fn found(&self, lines: &[Line]) -> (Kind, u64, Option<u64>) {
        let report = self.check(lines).unwrap();
        let first = report.findings.first().expect("nothing was found");
        (first.kind, first.position.unwrap(), first.until)
    }

    /// The line with the entry at a position.
    fn line_of(&self, position: i64) -> usize {
        let is = |l: &Line| matches!(l, Line::Entry(e) if e.entry.position == position);
        self.lines.iter().position(is).unwrap()
    }
}

/// Numbers entries anew and makes their leaves anew.
fn cover_up(lines: &mut [Line]) {
    let mut position = 0;
    for line in lines {
        if let Line::Entry(e) = line {
            position += 1;
            e.entry.position = position;
            e.leaf = hex(&e.entry.leaf());
        }
    }
}

/// Makes the tiles anew too.
fn cover_up_tiles(lines: &mut [Line]) {
    let leaves: Vec<Hash> = lines
        .iter()
        .filter_map(|l| match l {
            Line::Entry(e) => Some(e.entry.leaf()),
            _ => None,
        })
        .collect();
    let mut tiles = leaves.chunks(256).zip(0..);
    for line in lines {
        if let Line::Tile(tile) = line {
            let (leaves, index) = tiles.next().unwrap();
            *tile = Tile::new(index, leaves);
        }
    }
}

fn alter(line: &mut Line) {
    let Line::Entry(e) = line else { panic!() };
    e.entry.payload = "{\"n\":-1}".into();
}

#[tokio::test]
async fn a_whole_file_is_found_whole_with_or_without_a_checkpoint() {
    let exported = exported().await;
    let report = exported.check(&exported.lines).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(
        (report.entries, report.proven, report.checkpoints),
        (400, 400, 4)
    );
    let mut check = FileCheck::new(exported.key.clone(), None);
    for line in &exported.lines {
        check.line(&serde_json::to_string(line).unwrap()).unwrap();
    }
    assert_eq!(check.finish().findings, []);
}

#[tokio::test]
async fn each_attack_on_a_file_is_named() {
    let exported = exported().await;
    for place in [1, 100, 255, 391] {
        let (at, line) = (place as u64, exported.line_of(place));
        for covered in [false, true] {
            let check = |mut lines: Vec<Line>, kind| {
                if covered {
                    cover_up(&mut lines);
                }
                let found = exported.found(&lines);
                assert_eq!(found, (kind, at, None), "covered up: {covered}");
            };
            let mut lines = exported.lines.clone();
            alter(&mut lines[line]);
            check(lines, Kind::Altered);
            let mut lines = exported.lines.clone();
            lines.remove(line);
            check(lines, Kind::Removed);
            let mut lines = exported.lines.clone();
            lines.swap(line, line + 1);
            check(lines, Kind::Reordered);
            if covered {
                let mut lines = exported.lines.clone();
                let mut new = lines[line].clone();
                alter(&mut new);
                lines.insert(line, new);
                check(lines, Kind::Inserted);
            }
        }
        let mut lines = exported.lines.clone();
        alter(&mut lines[line]);
        cover_up(&mut lines);
        cover_up_tiles(&mut lines);
        let (from, until) = match place {
            ..=150 => (1, 150),
            151..=300 => (151, 300),
            _ => (301, 400),
        };
        assert_eq!(exported.found(&lines), (Kind::Altered, from, Some(until)));
    }
}

#[tokio::test]
async fn a_cut_off_file_is_named() {
    let exported = exported().await;
    for last in [1_i64, 150, 256, 399] {
        let whole = &exported.lines;
        // Cut off in the middle, and made to look as if it were written so.
        let mut lines = whole[..=exported.line_of(last)].to_vec();
        assert_eq!(
            exported.found(&lines),
            (Kind::CutOff, last as u64 + 1, None)
        );
        lines.retain(|l| !matches!(l, Line::Checkpoint(n) if Checkpoint::parse(n).unwrap().size > last as u64));
        cover_up_tiles(&mut lines);
        lines.push(Line::End(last as u64));
        assert_eq!(
            exported.found(&lines),
            (Kind::CutOff, last as u64 + 1, None)
        );
    }
}

#[tokio::test]
async fn what_no_checkpoint_proves_is_named() {
    let exported = exported().await;
    let mut lines = exported.lines.clone();
    lines.retain(|l| !matches!(l, Line::Checkpoint(_)));
    let mut check = FileCheck::new(exported.key.clone(), None);
    for line in &lines {
        check.line(&serde_json::to_string(line).unwrap()).unwrap();
    }
    let report = check.finish();
    assert_eq!(report.findings[0].kind, Kind::Unproven);
    // A forged checkpoint is none.
    let forger = SigningKey::generate(exported.key.name(), [1; 32]).unwrap();
    let mut lines = exported.lines.clone();
    for line in &mut lines {
        if let Line::Checkpoint(note) = line {
            *note = Checkpoint::parse(note).unwrap().sign(&forger);
        }
    }
    assert_eq!(exported.found(&lines).0, Kind::CheckpointAltered);
}

#[tokio::test]
async fn a_file_of_another_log_or_form_is_an_error() {
    let exported = exported().await;
    let mut other = FileCheck::new(
        SigningKey::generate("another", [1; 32])
            .unwrap()
            .verifying(),
        None,
    );
    let first = serde_json::to_string(&exported.lines[0]).unwrap();
    assert!(matches!(
        other.line(&first),
        Err(FileError::AnotherLog { .. })
    ));
    let checks = |lines: &[&str]| {
        let mut check = FileCheck::new(exported.key.clone(), None);
        lines.iter().try_for_each(|l| check.line(l))
    };
    assert!(matches!(
        checks(&["{"]),
        Err(FileError::Line { number: 1, .. })
    ));
    let entry = serde_json::to_string(&exported.lines[exported.line_of(1)]).unwrap();
    assert!(matches!(
        checks(&[&entry]),
        Err(FileError::Form { number: 1, .. })
    ));
    assert!(matches!(
        checks(&[&first, &first]),
        Err(FileError::Form { number: 2, .. })
    ));
    let torn = &entry[..entry.len() - 2];
    assert!(matches!(
        checks(&[&first, torn]),
        Err(FileError::Line { number: 2, .. })
    ));
    let version = first.replace("\"version\":1", "\"version\":2");
    assert!(matches!(
        checks(&[&version]),
        Err(FileError::Form { number: 1, .. })
    ));
}
