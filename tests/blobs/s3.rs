//! The store in a bucket, against a real S3 server.

use std::sync::Arc;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
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
        credentials: None,
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

/// A bucket with object lock, made by whoever runs the server.
async fn make_lockable(server: &S3Server) {
    let credentials = Credentials::new(&server.access_key, &server.secret_key, None, None, "test");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(credentials)
        .endpoint_url(&server.endpoint)
        .region(Region::new("us-east-1"))
        .force_path_style(true)
        .http_client(
            aws_smithy_http_client::Builder::new()
                .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
                    aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
                ))
                .build_https(),
        )
        .build();
    let client = aws_sdk_s3::Client::from_conf(config);
    let create = client.create_bucket().bucket("kmrl-documents");
    create
        .object_lock_enabled_for_bucket(true)
        .send()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_bucket_with_object_lock_what_is_locked_stays_and_the_rest_can_be_deleted() {
    let server = S3Server::start().await;
    make_lockable(&server).await;
    let (_folder, spool) = spool();
    let blobs = connect(&server, &server.secret_key).await.unwrap();
    // All of it holds in a bucket that keeps versions, too.
    conformance::run(Arc::new(blobs.clone()), &spool).await;
    #[expect(
        clippy::disallowed_methods,
        reason = "the server compares with its own clock"
    )]
    let until = time::OffsetDateTime::now_utc() + time::Duration::hours(1);
    let digest = super::sha256(b"signed");
    let put = blobs.put_locked("log/checkpoints/1", "signed".into(), &digest, until);
    assert!(put.await.unwrap());
    let error = blobs.delete("log/checkpoints/1").await.unwrap_err();
    assert!(matches!(error, BlobError::Refused { .. }), "{error:?}");
    assert_eq!(blobs.size("log/checkpoints/1").await.unwrap(), Some(6));
}
