//! Every attack, done straight in the database by a superuser, with and without covering up.

use crate::scene::Scene;
use kmrl_gateway::notary::{checkpoint_key, tile_key};
use kmrl_gateway::proof::note::SigningKey;
use kmrl_gateway::proof::scan::Kind;

/// In a full tile and in the partial one, in the middle of a stream and not.
const PLACES: [i64; 4] = [1, 100, 256, 391];
const SIZES: [usize; 3] = [150, 300, 400];

/// Positions from `from` on moved by `by`.
fn moved(from: i64, by: i64) -> String {
    format!(
        "UPDATE events SET position = -(position + {by}) WHERE position >= {from}; \
         UPDATE events SET position = -position WHERE position < 0; \
         UPDATE private_parts SET position = -(position + {by}) WHERE position >= {from}; \
         UPDATE private_parts SET position = -position WHERE position < 0"
    )
}

fn removed(p: i64) -> String {
    format!(
        "DELETE FROM events WHERE position = {p}; DELETE FROM private_parts WHERE position = {p}"
    )
}

fn inserted(p: i64) -> String {
    format!(
        "{}; INSERT INTO events SELECT {p}, 'document', 'forged', 1, event_type, event_version, \
         '{{\"forged\":true}}'::json, metadata, actor, recorded_at, leaf FROM events WHERE position = {p} + 1; \
         INSERT INTO streams VALUES ('document', 'forged', 1)",
        moved(p, 1)
    )
}

fn swapped(p: i64) -> String {
    format!(
        "UPDATE events SET position = -{p} WHERE position = {p}; \
         UPDATE events SET position = {p} WHERE position = {p} + 1; \
         UPDATE events SET position = {p} + 1 WHERE position = -{p}; \
         UPDATE private_parts SET position = -{p} WHERE position = {p}; \
         UPDATE private_parts SET position = {p} WHERE position = {p} + 1; \
         UPDATE private_parts SET position = {p} + 1 WHERE position = -{p}"
    )
}

fn altered(p: i64) -> String {
    format!(
        "UPDATE events SET payload = '{{\"n\":-1}}' WHERE position = {p}; \
             DELETE FROM private_parts WHERE position = {p}"
    )
}

async fn is_found(attack: fn(i64) -> String, kind: Kind) {
    for place in PLACES {
        for cover_up in [false, true] {
            let scene = Scene::with(&SIZES).await;
            scene.attack(&attack(place)).await;
            if cover_up {
                scene.cover_up().await;
            }
            let found = scene.found().await;
            assert_eq!(found, (kind, place as u64), "covered up: {cover_up}");
        }
    }
}

#[tokio::test]
async fn a_log_that_nobody_touched_is_found_whole() {
    let scene = Scene::with(&SIZES).await;
    scene.append(7).await;
    let report = scene.verify().await;
    assert_eq!(report.findings, []);
    assert_eq!(
        (report.entries, report.proven, report.checkpoints),
        (407, 400, 3)
    );
    assert_eq!(report.private_parts, 136);
}

#[tokio::test]
async fn a_log_that_grows_while_it_is_checked_is_found_whole() {
    let scene = Scene::with(&[10]).await;
    let grow = async {
        for _ in 0..20 {
            scene.append(30).await;
            scene.sign().await;
        }
    };
    let check = async {
        for _ in 0..20 {
            assert_eq!(scene.verify().await.findings, []);
        }
    };
    tokio::join!(grow, check);
    assert_eq!(scene.verify().await.proven, 610);
}

#[tokio::test]
async fn an_altered_entry_is_named() {
    is_found(altered, Kind::Altered).await;
}

#[tokio::test]
async fn a_removed_entry_is_named() {
    for place in PLACES {
        let scene = Scene::with(&SIZES).await;
        scene.attack(&removed(place)).await;
        assert_eq!(scene.found().await, (Kind::Removed, place as u64));
    }
}

#[tokio::test]
async fn a_removed_entry_is_named_though_the_rest_was_renumbered() {
    is_found(
        |p| format!("{}; {}", removed(p), moved(p + 1, -1)),
        Kind::Removed,
    )
    .await;
}

#[tokio::test]
async fn many_removed_entries_are_named_by_the_first() {
    let scene = Scene::with(&SIZES).await;
    let attack = format!(
        "DELETE FROM events WHERE position BETWEEN 50 AND 349; \
         DELETE FROM private_parts WHERE position BETWEEN 50 AND 349; {}",
        moved(350, -300)
    );
    scene.attack(&attack).await;
    scene.cover_up().await;
    assert_eq!(scene.found().await, (Kind::Removed, 50));
}

#[tokio::test]
async fn an_inserted_entry_is_named() {
    is_found(inserted, Kind::Inserted).await;
}

#[tokio::test]
async fn reordered_entries_are_named() {
    is_found(swapped, Kind::Reordered).await;
}

#[tokio::test]
async fn a_cut_off_tail_is_named_whatever_else_was_rolled_back() {
    for last in [1, 150, 255, 256, 399] {
        let scene = Scene::with(&SIZES).await;
        scene
            .attack(&format!(
                "DELETE FROM events WHERE position > {last}; \
                 DELETE FROM private_parts WHERE position > {last}; \
                 DELETE FROM log_checkpoints WHERE size > {last}; \
                 DELETE FROM log_nodes WHERE level = 1 AND (index + 1) * 256 > {last}; \
                 DELETE FROM streams; INSERT INTO streams SELECT aggregate_type, aggregate_id, \
                 max(sequence) FROM events GROUP BY 1, 2; \
                 UPDATE es_head SET position = {last}"
            ))
            .await;
        assert_eq!(scene.found().await, (Kind::CutOff, last + 1));
        // Filling the hole with something else does not help.
        scene.append(600).await;
        assert_eq!(scene.found().await, (Kind::Altered, last + 1));
    }
}

#[tokio::test]
async fn an_entry_that_is_not_signed_yet_is_held_against_its_leaf() {
    let scene = Scene::with(&[10]).await;
    scene.append(10).await;
    scene.attack(&altered(15)).await;
    assert_eq!(scene.found().await, (Kind::Altered, 15));
    let scene = Scene::with(&[10]).await;
    scene.append(10).await;
    scene.attack("DELETE FROM events WHERE position > 18").await;
    assert_eq!(scene.found().await, (Kind::CutOff, 19));
    let scene = Scene::with(&[10]).await;
    scene.append(2).await;
    scene.attack("UPDATE es_head SET position = 11").await;
    assert_eq!(scene.found().await, (Kind::Inserted, 12));
}

#[tokio::test]
async fn changed_checkpoints_are_named() {
    let scene = Scene::with(&[5, 9]).await;
    scene
        .attack("UPDATE log_checkpoints SET root = sha256('x') WHERE size = 5")
        .await;
    assert_eq!(scene.found().await, (Kind::CheckpointAltered, 5));
    let scene = Scene::with(&[5, 9]).await;
    scene
        .attack("UPDATE log_checkpoints SET note = replace(note, E'\\n5\\n', E'\\n4\\n')")
        .await;
    assert_eq!(scene.found().await, (Kind::CheckpointAltered, 5));
    // The copies of checkpoints.
    let scene = Scene::with(&[5, 9]).await;
    let path = scene.blob_path(&checkpoint_key(9));
    std::fs::rename(&path, path.with_extension("gone")).unwrap();
    std::fs::remove_file(path.with_extension("gone")).unwrap();
    assert_eq!(scene.found().await, (Kind::CheckpointMissing, 6));
    let scene = Scene::with(&[5, 9]).await;
    std::fs::remove_file(scene.blob_path(&checkpoint_key(5))).unwrap();
    assert_eq!(scene.found().await, (Kind::CheckpointMissing, 5));
    let scene = Scene::with(&[5, 9]).await;
    overwrite(&scene, &checkpoint_key(9), b"nothing");
    assert_eq!(scene.found().await, (Kind::CheckpointAltered, 9));
}

#[tokio::test]
async fn changed_copies_are_told_from_a_changed_log() {
    let scene = Scene::with(&[300]).await;
    let key = tile_key(0, 256);
    let mut tile = std::fs::read(scene.blob_path(&key)).unwrap();
    tile[32 * 99] ^= 1;
    overwrite(&scene, &key, &tile);
    assert_eq!(scene.found().await, (Kind::CopyAltered, 100));
    std::fs::remove_file(scene.blob_path(&key)).unwrap();
    assert_eq!(scene.found().await, (Kind::CopyMissing, 1));
    // Without copies, checkpoints still tell between which entries it was.
    scene.attack(&altered(299)).await;
    scene.cover_up().await;
    assert_eq!(scene.found().await, (Kind::CopyMissing, 1));
    let report = scene.verify().await;
    let found = report
        .findings
        .iter()
        .find(|f| f.kind == Kind::Altered)
        .unwrap();
    assert_eq!(found.position, Some(299));
}

#[tokio::test]
async fn changed_private_parts_and_streams_are_named() {
    let scene = Scene::with(&[10]).await;
    scene
        .attack("UPDATE private_parts SET content = '{}' WHERE position = 4")
        .await;
    assert_eq!(scene.found().await, (Kind::PrivateAltered, 4));
    scene
        .attack("DELETE FROM private_parts WHERE position = 1")
        .await;
    assert_eq!(scene.found().await, (Kind::PrivateMissing, 1));
    let scene = Scene::with(&[10]).await;
    scene
        .attack(
            "UPDATE streams SET version = 1 WHERE aggregate_id = \
             (SELECT aggregate_id FROM events WHERE position = 3)",
        )
        .await;
    assert_eq!(scene.found().await, (Kind::StreamBroken, 3));
}

#[tokio::test]
async fn content_erased_by_law_is_no_finding() {
    let scene = Scene::with(&[4]).await;
    scene
        .attack(
            "DELETE FROM private_parts WHERE position = 1; \
             UPDATE events SET event_type = 'Erased' WHERE position = 2",
        )
        .await;
    let report = scene.verify().await;
    let missing = report
        .findings
        .iter()
        .any(|f| f.kind == Kind::PrivateMissing);
    assert!(!missing, "{:?}", report.findings);
}

#[tokio::test]
async fn a_replaced_key_is_named() {
    let scene = Scene::with(&[4]).await;
    let other = SigningKey::generate("kmrl-gateway/log/other", [1; 32]).unwrap();
    scene
        .attack(&format!("UPDATE log_keys SET vkey = '{}'", other.vkey()))
        .await;
    let report = scene.verify().await;
    assert_eq!(report.findings.first().unwrap().kind, Kind::KeyReplaced);
}

fn overwrite(scene: &Scene, key: &str, bytes: &[u8]) {
    let path = scene.blob_path(key);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
}
