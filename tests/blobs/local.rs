//! The store in a folder: what it does with that folder.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use kmrl_gateway::adapters::local_blobs::LocalBlobs;
use kmrl_gateway::ports::{BlobError, BlobStore, blob_key};
use kmrl_gateway::spool::Spool;
use tempfile::TempDir;

use super::{conformance, sha256, spooled};

fn folder() -> (TempDir, Spool, LocalBlobs) {
    let folder = TempDir::new().unwrap();
    let spool = Spool::new(folder.path().join("spool")).unwrap();
    let blobs = LocalBlobs::open(folder.path().join("blobs")).unwrap();
    (folder, spool, blobs)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let (_folder, spool, blobs) = folder();
    conformance::run(Arc::new(blobs), &spool).await;
}

#[tokio::test]
async fn a_spooled_file_becomes_the_object_without_a_copy() {
    let (folder, spool, blobs) = folder();
    let file = spooled(&spool, b"a circular").await;
    let number = std::fs::metadata(&file.path).unwrap().ino();
    let key = blob_key(&file.sha256);
    blobs.put(&key, &file).await.unwrap();
    drop(file);
    let object = std::fs::metadata(folder.path().join("blobs").join(&key)).unwrap();
    assert_eq!(object.ino(), number);
    assert_eq!(object.nlink(), 1, "the spool still holds the file");
}

#[tokio::test]
async fn objects_outlive_the_store_that_took_them() {
    let (folder, _spool, blobs) = folder();
    let digest = sha256(b"a circular");
    let key = blob_key(&digest);
    blobs
        .put_bytes(&key, "a circular".into(), &digest)
        .await
        .unwrap();
    drop(blobs);
    let reopened = LocalBlobs::open(folder.path().join("blobs")).unwrap();
    assert_eq!(reopened.size(&key).await.unwrap(), Some(10));
    assert!(
        !reopened
            .put_bytes(&key, "a circular".into(), &digest)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn an_object_cut_short_is_noticed() {
    let (folder, spool, blobs) = folder();
    let file = spooled(&spool, b"a circular").await;
    let key = blob_key(&file.sha256);
    blobs.put(&key, &file).await.unwrap();
    std::fs::write(folder.path().join("blobs").join(&key), "a cir").unwrap();
    let whole = spooled(&spool, b"a circular").await;
    let error = blobs.put(&key, &whole).await.unwrap_err();
    assert!(matches!(error, BlobError::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn a_spool_on_another_file_system_is_copied_from() {
    let Ok(elsewhere) = TempDir::new_in("/dev/shm") else {
        return;
    };
    let (_folder, _spool, blobs) = folder();
    let spool = Spool::new(elsewhere.path()).unwrap();
    let file = spooled(&spool, b"from afar").await;
    let key = blob_key(&file.sha256);
    assert!(blobs.put(&key, &file).await.unwrap());
    assert!(!blobs.put(&key, &file).await.unwrap());
    assert_eq!(blobs.size(&key).await.unwrap(), Some(9));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_a_refusal() {
    let (folder, spool, blobs) = folder();
    // A file where the folder should be stops every user, the superuser included.
    std::fs::write(folder.path().join("blobs/sha256"), "in the way").unwrap();
    let file = spooled(&spool, b"a circular").await;
    let error = blobs.put(&blob_key(&file.sha256), &file).await.unwrap_err();
    assert!(matches!(error, BlobError::Refused { .. }), "{error:?}");
    assert!(!error.is_transient());
    assert!(LocalBlobs::open(folder.path().join("blobs/sha256/below")).is_err());
}

#[tokio::test]
async fn a_folder_that_is_gone_may_come_back() {
    let (folder, _spool, blobs) = folder();
    std::fs::remove_dir_all(folder.path().join("blobs")).unwrap();
    let error = blobs.probe().await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn a_locked_object_is_not_deleted() {
    let (_folder, _spool, blobs) = folder();
    let until = time::OffsetDateTime::UNIX_EPOCH + time::Duration::days(365 * 100);
    let digest = sha256(b"signed");
    for created in [true, false] {
        let put = blobs.put_locked("log/checkpoints/1", "signed".into(), &digest, until);
        assert_eq!(put.await.unwrap(), created);
    }
    let error = blobs.delete("log/checkpoints/1").await.unwrap_err();
    assert!(matches!(error, BlobError::Refused { .. }), "{error:?}");
    assert_eq!(blobs.size("log/checkpoints/1").await.unwrap(), Some(6));
}
