//! Backup and restore as docs/operations.md describes them, on a gateway that is at work.

use crate::harness::{Gateway, World};
use crate::support::{self, TempDir};
use std::path::Path;

/// Copies a folder with what is in it; a folder that is not there has nothing in it.
fn copy(from: &Path, to: &Path) {
    let Ok(entries) = std::fs::read_dir(from) else {
        return;
    };
    std::fs::create_dir_all(to).unwrap();
    for entry in entries {
        let path = entry.unwrap().path();
        let place = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &place);
        } else if !place.exists() {
            std::fs::copy(&path, &place).unwrap();
        }
    }
}

/// The steps of a backup, in the order in which they must be taken.
fn back_up(world: &World, to: &Path) {
    let data = world.data.path();
    copy(&data.join("blobs/log"), &to.join("blobs/log"));
    let dump = to.join("gateway.dump");
    let file = format!("--file={}", dump.display());
    support::postgres_program("pg_dump", &["--format=custom", &file, &world.database.url]);
    copy(&data.join("blobs"), &to.join("documents"));
    std::fs::copy(data.join("log-signing-key"), to.join("log-signing-key")).unwrap();
}

async fn restore(backup: &Path) -> World {
    let world = World::on(support::empty_database().await).await;
    let target = format!("--dbname={}", world.database.url);
    let dump = backup.join("gateway.dump").display().to_string();
    support::postgres_program(
        "pg_restore",
        &["--exit-on-error", "--no-owner", &target, &dump],
    );
    let data = world.data.path();
    copy(&backup.join("documents"), &data.join("blobs"));
    std::fs::remove_dir_all(data.join("blobs/log")).unwrap();
    copy(&backup.join("blobs/log"), &data.join("blobs/log"));
    std::fs::copy(backup.join("log-signing-key"), data.join("log-signing-key")).unwrap();
    world
}

/// A subcommand on the world's database and data folder; it must succeed.
fn tool(world: &World, arguments: &[&str]) {
    let output = world.tool(arguments);
    let (out, err) = (&output.stdout, &output.stderr);
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    );
    assert!(output.status.success(), "{arguments:?}: {said}");
}

async fn ids(gateway: &Gateway) -> Vec<String> {
    let list = gateway.json("/api/v1/documents/?limit=100").await;
    let documents = list["documents"].as_array().unwrap().iter();
    documents
        .map(|d| d["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_backed_up_is_restored_whole() {
    let world = World::new().await;
    let gateway = world.start();
    let mut before = Vec::new();
    for n in 0..3 {
        let accepted = gateway
            .upload(&format!("{n}.txt"), format!("text {n}"))
            .await;
        let id = accepted["id"].as_str().unwrap().to_owned();
        before.push(gateway.finished(&id).await);
    }
    // The newest checkpoint covers them, so the backup has something to be verified against.
    gateway
        .covering_checkpoint(before[2]["position"].as_i64().unwrap())
        .await;
    let backup = TempDir::new("backup");
    back_up(&world, backup.path());
    // What comes afterwards is not in the backup and does no harm to it.
    let later = gateway.upload("later.txt", "later").await["id"].clone();
    gateway.finished(later.as_str().unwrap()).await;
    assert!(gateway.stop().await);

    let restored = restore(backup.path()).await;
    tool(&restored, &["migrate"]);
    tool(&restored, &["audit", "verify"]);
    let gateway = restored.start();
    for document in &before {
        let id = document["id"].as_str().unwrap();
        assert_eq!(&gateway.finished(id).await, document);
        let bytes = gateway
            .get(&format!("/api/v1/documents/{id}/download"))
            .send()
            .await
            .unwrap();
        assert_eq!(bytes.status(), 200);
    }
    assert_eq!(ids(&gateway).await.len(), 3);
    // It goes on: new work is taken in and the log stays whole.
    let new = gateway.upload("new.txt", "after the restore").await["id"].clone();
    gateway.finished(new.as_str().unwrap()).await;
    tool(&restored, &["check"]);
    tool(&restored, &["audit", "verify"]);
    assert!(gateway.stop().await);
}
