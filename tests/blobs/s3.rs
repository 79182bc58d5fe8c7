//! The store in a bucket, against a real S3 server.

use std::sync::Arc;

use aws_sdk_s3::config::Credentials;
use kmrl_gateway::adapters::s3_blobs::S3Blobs;
use kmrl_gateway::config::S3Settings;
use kmrl_gateway::ports::{BlobError, BlobStore, blob_key};
use kmrl_gateway::spool::Spool;
use tempfile::TempDir;

use super::support::S3Server;
use super::{all, conformance, spooled};

async fn connect(server: &S3Server, secret: &str) -> Result<S3Blobs, BlobError> {
    let settings = S3Settings {
        bucket: "kmrl-documents".into(),
        endpoint: Some(server.endpoint.clone()),
        region: "us-east-1".into(),
    };
    let credentials = Credentials::new(&server.access_key, secret, None, None, "test");
    S3Blobs::connect_as(&settings, credentials).await
}

fn spool() -> (TempDir, Spool) {
    let folder = TempDir::new().unwrap();
    let spool = Spool::new(folder.path()).unwrap();
    (folder, spool)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let server = S3Server::start().await;
    let (_folder, spool) = spool();
    let blobs = connect(&server, &server.secret_key).await.unwrap();
    conformance::run(Arc::new(blobs), &spool).await;
    // The bucket is there now, and is taken as it is.
    connect(&server, &server.secret_key).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_refuses_a_file_that_changed_after_it_was_hashed() {
    let server = S3Server::start().await;
    let (_folder, spool) = spool();
    let blobs = connect(&server, &server.secret_key).await.unwrap();
    let file = spooled(&spool, b"a circular").await;
    std::fs::write(&file.path, b"a forgery!").unwrap();
    let key = blob_key(&file.sha256);
    let error = blobs.put(&key, &file).await.unwrap_err();
    assert!(matches!(error, BlobError::Corrupt { .. }), "{error:?}");
    assert_eq!(blobs.size(&key).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_a_refusal_and_stay_one() {
    let server = S3Server::start().await;
    let error = connect(&server, "guessed").await.unwrap_err();
    assert!(matches!(error, BlobError::Refused { .. }), "{error:?}");
    assert!(!error.is_transient());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_gone_may_come_back() {
    let mut server = S3Server::start().await;
    let (_folder, spool) = spool();
    let blobs = connect(&server, &server.secret_key).await.unwrap();
    let file = spooled(&spool, b"a circular").await;
    let key = blob_key(&file.sha256);
    server.kill();
    let failures = [
        blobs.put(&key, &file).await.unwrap_err(),
        blobs.get(&key, None).await.err().unwrap(),
        blobs.probe().await.unwrap_err(),
        connect(&server, &server.secret_key).await.unwrap_err(),
    ];
    for error in failures {
        assert!(error.is_transient(), "{error:?}");
    }
    server.restart().await;
    assert!(blobs.put(&key, &file).await.unwrap());
    assert_eq!(
        all(blobs.get(&key, None).await.unwrap()).await,
        b"a circular"
    );
}
