//! The object store is slow, breaks off, is gone or is full.

use crate::cast::{Cast, Part, stage, world};
use crate::ledger::Ledger;
use crate::support::disk::{SmallDisk, fill};
use crate::support::gateway::expect_problem;
use crate::support::proxy::Proxy;
use crate::support::s3::S3Server;
use crate::verdict::{Leaves, settle, verify};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_store_slow_then_breaking_off_then_gone() {
    let stage = stage().await;
    let s3 = S3Server::start().await;
    let proxy = Proxy::before(&s3.endpoint).await;
    let world = world(&[
        ("S3_BUCKET", "documents"),
        ("S3_ENDPOINT", &proxy.url(&s3.endpoint)),
        ("AWS_ACCESS_KEY_ID", &s3.access_key),
        ("AWS_SECRET_ACCESS_KEY", &s3.secret_key),
    ])
    .await;
    let cast = Cast::of(world, None, stage).await;
    let mut ledger = Ledger::new("s3");
    proxy.delay(Duration::from_millis(30));
    ledger.some_uploads(cast.api()).await;
    proxy.delay(Duration::ZERO);
    for bytes in [100, 1_000, 9_000] {
        proxy.cut_after(bytes);
        let text = format!("{bytes} ").repeat(2_000);
        let _ = ledger.upload(cast.api(), "cut.txt", text).await;
    }
    proxy.refuse(true);
    let gone = cast
        .api()
        .upload_request("x.txt", "x")
        .send()
        .await
        .unwrap();
    expect_problem(gone, 503, "storage-unavailable").await;
    proxy.refuse(false);
    ledger.send_again(cast.api()).await;
    verify(&cast, &ledger, Leaves::Perhaps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_uploads_with_507_and_keeps_nothing_by_halves() {
    let stage = stage().await;
    let world = world(&[]).await;
    let Some(disk) = SmallDisk::mount(world.data.path(), "16m") else {
        println!("SKIPPED, NOT TESTED: a full disk. Mounting a small one needs root.");
        return;
    };
    let filler = world.data.path().join("filler");
    let mut cast = Cast::of(world, None, stage).await;
    let mut ledger = Ledger::new("disk");
    ledger.some_uploads(cast.api()).await;
    let large = |n: u8| vec![b'a' + n; 900 * 1024];
    assert!(ledger.upload(cast.api(), "large.txt", large(1)).await);
    // Nothing at work any more that would give space back.
    settle(cast.api(), &cast.world, &ledger).await;
    fill(&filler);
    assert!(!ledger.upload(cast.api(), "late.txt", large(2)).await);
    // Not in the ledger: had anything of it been kept, the check would say so.
    let full = cast.api().upload_request("full.txt", large(20));
    expect_problem(full.send().await.unwrap(), 507, "storage-full").await;
    // Also not what a kill leaves on a full disk.
    assert!(cast.start(Part::Api, None).await);
    let full = cast.api().upload_request("full.txt", large(21));
    expect_problem(full.send().await.unwrap(), 507, "storage-full").await;
    disk.grow("64m");
    std::fs::remove_file(&filler).unwrap();
    ledger.send_again(cast.api()).await;
    verify(&cast, &ledger, Leaves::Nothing).await;
    drop(cast);
}
