//! Signing: what is signed and kept, by how many notaries, with which key, after which crash.

use crate::scene::Scene;
use crate::support;
use futures::future::join_all;
use kmrl_gateway::notary::{CopyError, KeyError, NotaryError, checkpoint_key, tile_key};
use kmrl_gateway::proof::checkpoint::Checkpoint;
use kmrl_gateway::proof::tree;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[tokio::test]
async fn checkpoints_and_copies_are_what_the_log_says() {
    let scene = Scene::new().await;
    assert_eq!(scene.notary().make_checkpoint().await.unwrap(), None);
    assert_eq!(scene.tree.latest().await.unwrap(), None);
    scene.append(300).await;
    let first = scene.sign().await;
    assert_eq!(scene.sign().await, first, "nothing new, nothing signed");
    scene.append(1).await;
    let second = scene.sign().await;
    assert_eq!(scene.tree.latest().await.unwrap().unwrap(), second);
    assert_eq!(scene.tree.at(300).await.unwrap().unwrap(), first);
    assert_eq!(scene.tree.at(299).await.unwrap(), None);
    assert_eq!(scene.tree.covering(301).await.unwrap(), second);
    assert!(second.checkpoint.time >= first.checkpoint.time);

    let entries = scene.tree.entries(0, 301, 1000).await.unwrap();
    let leaves: Vec<_> = entries.iter().map(|e| e.entry.leaf()).collect();
    for signed in [&first, &second] {
        let opened = Checkpoint::open(&signed.note, &scene.key()).unwrap();
        assert_eq!(opened, signed.checkpoint);
        assert_eq!(opened.root, tree::root(&leaves[..opened.size as usize]));
        let copy = std::fs::read(scene.blob_path(&checkpoint_key(opened.size))).unwrap();
        assert_eq!(copy, signed.note.as_bytes());
    }
    let tile = |index, width| std::fs::read(scene.blob_path(&tile_key(index, width))).unwrap();
    assert_eq!(tile(0, 256), leaves[..256].concat());
    assert_eq!(tile(1, 44), leaves[256..300].concat());
    assert_eq!(tile(1, 45), leaves[256..301].concat());
    let mode = std::fs::metadata(scene.key_file())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn many_notaries_at_once_sign_each_size_once() {
    let scene = Scene::new().await;
    let (a, b) = (scene.notary(), scene.notary());
    for _ in 0..5 {
        let (signed, ()) = tokio::join!(
            join_all((0..6).map(|n| if n % 2 == 0 {
                a.make_checkpoint()
            } else {
                b.make_checkpoint()
            })),
            scene.append(40)
        );
        signed.into_iter().for_each(|s| drop(s.unwrap()));
    }
    scene.sign().await;
    assert_eq!(scene.verify().await.findings, []);
    assert_eq!(scene.verify().await.proven, 200);
}

#[tokio::test]
async fn another_key_must_not_sign() {
    let scene = Scene::with(&[5]).await;
    scene.append(1).await;
    let absent = scene.notary_with(scene.dir.path().join("other"), 0);
    let refused = absent.make_checkpoint().await;
    assert!(
        matches!(refused, Err(NotaryError::Key(KeyError::Absent { .. }))),
        "{refused:?}"
    );
    assert!(
        !scene.dir.path().join("other").exists(),
        "no second key is made"
    );
    let another = Scene::with(&[1]).await;
    let refused = scene
        .notary_with(another.key_file(), 0)
        .make_checkpoint()
        .await;
    assert!(
        matches!(refused, Err(NotaryError::Key(KeyError::Another { .. }))),
        "{refused:?}"
    );
    assert_eq!(
        scene.tree.latest().await.unwrap().unwrap().checkpoint.size,
        5
    );
}

#[tokio::test]
async fn copies_are_locked_when_asked_for() {
    let scene = Scene::new().await;
    scene.append(3).await;
    let notary = scene.notary_with(scene.key_file(), 30);
    notary.make_checkpoint().await.unwrap().unwrap();
    for key in [checkpoint_key(3), tile_key(0, 3)] {
        let path = scene.blob_path(&key);
        assert!(std::fs::metadata(path).unwrap().permissions().readonly());
    }
    assert_eq!(scene.verify().await.findings, []);
}

/// A program that runs since before the Merkle log goes on appending while and after it comes.
#[tokio::test]
async fn a_log_from_before_is_signed_from_its_first_entry() {
    let scene = Scene::on(support::empty_database().await);
    let pool = &scene.database.pool;
    let old = scene.dir.path().join("migrations");
    std::fs::create_dir(&old).unwrap();
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    for file in std::fs::read_dir(migrations).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_str().unwrap() < "0004" {
            std::fs::copy(file.path(), old.join(file.file_name())).unwrap();
        }
    }
    let before = sqlx::migrate::Migrator::new(old.as_path()).await.unwrap();
    before.run(pool).await.unwrap();
    scene.append(300).await;
    let migrated = kmrl_gateway::event_store::migrate(pool);
    let (migrated, ()) = tokio::join!(migrated, scene.append(40));
    migrated.unwrap();
    scene.append(10).await;
    assert_eq!(scene.sign().await.checkpoint.size, 350);
    let report = scene.verify().await;
    assert_eq!((report.proven, report.findings), (350, vec![]));
    let chained: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE chain IS NULL")
        .fetch_one(pool)
        .await
        .unwrap();
    assert!(
        (10..=50).contains(&chained),
        "{chained} entries without a chain"
    );
}

/// As after a kill between the copies and the commit of the row.
#[tokio::test]
async fn a_note_without_a_row_is_taken_up_again() {
    let scene = Scene::with(&[255, 260]).await;
    let signed = scene.tree.latest().await.unwrap().unwrap();
    scene
        .attack("DELETE FROM log_checkpoints WHERE size = 260; DELETE FROM log_nodes")
        .await;
    assert_eq!(scene.verify().await.findings, []);
    assert_eq!(scene.sign().await, signed);
    assert_eq!(scene.verify().await.findings, []);
    // Or the log grew meanwhile.
    scene
        .attack("DELETE FROM log_checkpoints WHERE size = 260; DELETE FROM log_nodes")
        .await;
    scene.append(10).await;
    assert_eq!(scene.sign().await.checkpoint.size, 270);
    assert_eq!(scene.verify().await.findings, []);
}

#[tokio::test]
async fn a_changed_log_is_not_signed_again() {
    let scene = Scene::with(&[300]).await;
    scene
        .attack("UPDATE events SET leaf = sha256('x') WHERE position = 290")
        .await;
    scene.append(1).await;
    let refused = scene.notary().make_checkpoint().await;
    assert!(
        matches!(refused, Err(NotaryError::Rewritten { size: 300 })),
        "{refused:?}"
    );

    let scene = Scene::with(&[300]).await;
    scene
        .attack("DELETE FROM events WHERE position > 280; DELETE FROM private_parts WHERE position > 280; DELETE FROM streams; UPDATE es_head SET position = 280")
        .await;
    let refused = scene.notary().make_checkpoint().await;
    let expected = matches!(
        refused,
        Err(NotaryError::CutOff {
            head: 280,
            size: 300
        })
    );
    assert!(expected, "{refused:?}");

    // Even when the rows that tell of it are gone too, the copies are there.
    scene
        .attack("DELETE FROM log_checkpoints; DELETE FROM log_nodes")
        .await;
    scene.append(20).await;
    let refused = scene.notary().make_checkpoint().await;
    let expected = matches!(refused, Err(NotaryError::Copy(CopyError::Differs { .. })));
    assert!(expected, "{refused:?}");
}
