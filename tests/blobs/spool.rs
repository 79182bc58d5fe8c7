//! The spool: no file outlives its use.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use kmrl_gateway::spool::Spool;
use tempfile::TempDir;

use super::{sample, sha256, spooled};

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn a_writer_hashes_and_counts_what_it_takes() {
    let folder = TempDir::new().unwrap();
    let spool = Spool::new(folder.path()).unwrap();
    let bytes = sample(700_001, 9);
    let mut writer = spool.create().await.unwrap();
    // Pieces smaller and larger than what is held in memory.
    for piece in [&bytes[..5], &bytes[5..600_000], &bytes[600_000..]] {
        writer.write(piece).await.unwrap();
    }
    assert_eq!(writer.received(), 700_001);
    let file = writer.finish().await.unwrap();
    assert_eq!((file.size, &file.sha256), (700_001, &sha256(&bytes)));
    assert!(fs::read(&file.path).unwrap() == bytes);
}

#[tokio::test]
async fn what_is_dropped_leaves_no_file() {
    let folder = TempDir::new().unwrap();
    let spool = Spool::new(folder.path()).unwrap();
    let mut writer = spool.create().await.unwrap();
    writer.write(&sample(300_000, 1)).await.unwrap();
    let file = spooled(&spool, b"finished").await;
    assert_eq!(files(folder.path()), 2);
    drop(writer);
    drop(file);
    assert_eq!(files(folder.path()), 0);
}

/// Makes a file as a crash leaves it, written to so many hours ago.
fn leave(folder: &Path, name: &str, hours: u64) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the age of a file is against the machine's clock"
    )]
    let now = SystemTime::now();
    let file = File::create(folder.join(name)).unwrap();
    file.set_modified(now - Duration::from_secs(hours * 3600))
        .unwrap();
}

#[test]
fn opening_sweeps_what_a_crash_left_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    for (name, hours) in [("1-0.spool", 2), ("1-1.spool", 0), ("notes.txt", 2)] {
        leave(folder.path(), name, hours);
    }
    Spool::new(folder.path()).unwrap();
    assert!(!folder.path().join("1-0.spool").exists());
    assert!(folder.path().join("1-1.spool").exists());
    assert!(folder.path().join("notes.txt").exists());
}

#[tokio::test]
async fn what_a_crash_left_goes_while_the_spool_is_open() {
    let folder = TempDir::new().unwrap();
    let spool = Spool::swept_every(folder.path(), Duration::from_millis(5)).unwrap();
    let file = spooled(&spool, b"in use").await;
    // Too young to be swept when the process that left it was started again.
    leave(folder.path(), "1-0.spool", 2);
    let gone = async {
        let mut poll = tokio::time::interval(Duration::from_millis(5));
        while folder.path().join("1-0.spool").exists() {
            poll.tick().await;
        }
    };
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, gone).await.expect("it stays");
    assert_eq!(fs::read(&file.path).unwrap(), b"in use");
}

#[tokio::test]
async fn two_spools_in_one_folder_do_not_meet() {
    let folder = TempDir::new().unwrap();
    let (one, other) = (
        Spool::new(folder.path()).unwrap(),
        Spool::new(folder.path()).unwrap(),
    );
    let (first, second) = (spooled(&one, b"one").await, spooled(&other, b"other").await);
    assert_ne!(first.path, second.path);
    assert_eq!(fs::read(&first.path).unwrap(), b"one");
}
