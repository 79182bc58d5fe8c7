//! What every blob store must do, whatever it is made of.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use kmrl_gateway::ports::{BlobError, BlobStore, blob_key, text_key, text_prefix};
use kmrl_gateway::spool::Spool;

use super::{all, sample, sha256, spooled};

pub(super) async fn run(store: Arc<dyn BlobStore>, spool: &Spool) {
    store.probe().await.unwrap();
    identical_bytes_are_kept_once(&*store, spool).await;
    concurrent_puts_create_once(&store, spool).await;
    sizes_from_nothing_to_large(&*store, spool).await;
    ranges(&*store).await;
    what_is_missing(&*store).await;
    wrong_digests_leave_nothing(&*store).await;
    keys_that_lead_elsewhere(&*store).await;
    lists_come_in_pages(&*store).await;
    what_is_deleted_is_gone(&*store, spool).await;
}

async fn identical_bytes_are_kept_once(store: &dyn BlobStore, spool: &Spool) {
    let bytes = sample(70_000, 1);
    let first = spooled(spool, &bytes).await;
    let key = blob_key(&first.sha256);
    assert!(store.put(&key, &first).await.unwrap());
    drop(first);
    let again = spooled(spool, &bytes).await;
    assert!(!store.put(&key, &again).await.unwrap());
    let digest = sha256(&bytes);
    assert!(!store.put_bytes(&key, bytes.clone(), &digest).await.unwrap());
    assert_eq!(all(store.get(&key, None).await.unwrap()).await, bytes);
}

async fn concurrent_puts_create_once(store: &Arc<dyn BlobStore>, spool: &Spool) {
    let bytes = sample(300_000, 2);
    let digest = sha256(&bytes);
    let key = blob_key(&digest);
    let puts = join_all((0..8).map(|_| {
        let (store, key) = (Arc::clone(store), key.clone());
        let (spool, bytes) = (spool.clone(), bytes.clone());
        tokio::spawn(async move {
            let file = spooled(&spool, &bytes).await;
            store.put(&key, &file).await.unwrap()
        })
    }))
    .await;
    let created = puts
        .into_iter()
        .filter(|put| *put.as_ref().unwrap())
        .count();
    assert_eq!(created, 1);
    assert_eq!(all(store.get(&key, None).await.unwrap()).await, bytes);
}

async fn sizes_from_nothing_to_large(store: &dyn BlobStore, spool: &Spool) {
    for length in [0, 1, 256 * 1024, 20 * 1024 * 1024] {
        let bytes = sample(length, 3);
        let file = spooled(spool, &bytes).await;
        assert_eq!(file.sha256, sha256(&bytes));
        let key = blob_key(&file.sha256);
        assert!(store.put(&key, &file).await.unwrap());
        assert_eq!(store.size(&key).await.unwrap(), Some(length as u64));
        let reader = store.get(&key, None).await.unwrap();
        assert_eq!(reader.size, length as u64);
        assert!(
            all(reader).await == bytes,
            "{length} bytes came back changed"
        );
    }
}

async fn ranges(store: &dyn BlobStore) {
    let bytes = sample(1000, 4);
    let digest = sha256(&bytes);
    let document = uuid::Uuid::from_u128(7);
    let attempt = kmrl_domain::values::Attempt { run: 1, attempt: 2 };
    let key = text_key(document, attempt, &digest);
    assert!(key.starts_with(&text_prefix(document)));
    assert!(store.put_bytes(&key, bytes.clone(), &digest).await.unwrap());
    for (asked, given) in [
        (0..1, 0..1),
        (0..1000, 0..1000),
        (7..7, 7..7),
        (990..5000, 990..1000),
    ] {
        let reader = store.get(&key, Some(asked.clone())).await.unwrap();
        assert_eq!(reader.size, 1000, "{asked:?}");
        assert_eq!(all(reader).await, bytes.slice(given), "{asked:?}");
    }
    for asked in [1000..1001, 1000..1000, 4000..4001] {
        let refused = store.get(&key, Some(asked.clone())).await.err().unwrap();
        assert!(
            matches!(refused, BlobError::OutOfRange { size: 1000, .. }),
            "{asked:?}: {refused:?}"
        );
    }
}

async fn what_is_missing(store: &dyn BlobStore) {
    let key = blob_key(&sha256(b"never stored"));
    assert_eq!(store.size(&key).await.unwrap(), None);
    for range in [None, Some(0..10), Some(3..3)] {
        let error = store.get(&key, range).await.err().unwrap();
        assert!(matches!(error, BlobError::NotFound { .. }), "{error:?}");
        assert!(!error.is_transient());
    }
}

async fn wrong_digests_leave_nothing(store: &dyn BlobStore) {
    let claimed = sha256(b"something else");
    let key = blob_key(&claimed);
    let put = store.put_bytes(&key, Bytes::from_static(b"this"), &claimed);
    let error = put.await.unwrap_err();
    assert!(matches!(error, BlobError::Corrupt { .. }), "{error:?}");
    assert_eq!(store.size(&key).await.unwrap(), None);
}

async fn keys_that_lead_elsewhere(store: &dyn BlobStore) {
    for key in [
        "",
        "..",
        "/etc/passwd",
        "a/../../b",
        "a//b",
        "a/",
        ".incoming/x",
        "a\0b",
        "a b",
    ] {
        let refusals = [
            store.size(key).await.map(|_| ()),
            store.get(key, None).await.map(|_| ()),
            store
                .put_bytes(key, Bytes::new(), &sha256(b""))
                .await
                .map(|_| ()),
        ];
        for refusal in refusals {
            let error = refusal.unwrap_err();
            assert!(
                matches!(error, BlobError::InvalidKey { .. }),
                "{key:?}: {error:?}"
            );
        }
    }
}

async fn keep(store: &dyn BlobStore, key: &str, bytes: &'static [u8]) {
    let digest = sha256(bytes);
    let put = store.put_bytes(key, Bytes::from_static(bytes), &digest);
    assert!(put.await.unwrap(), "{key}");
}

async fn lists_come_in_pages(store: &dyn BlobStore) {
    // Where `/` stands among other characters is what servers differ in. None may be lost by it;
    // that one comes twice is allowed.
    let keys = [
        "list/a-b",
        "list/a.b",
        "list/a/1",
        "list/a/2",
        "list/a0",
        "list/b/c/d",
        "list/z",
    ];
    for key in keys.iter().rev() {
        keep(store, key, b"listed").await;
    }
    for size in 1..=keys.len() + 1 {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.list("list/", after.as_deref(), size).await.unwrap();
            assert!(page.len() <= size);
            assert!(page.iter().all(|blob| blob.size == 6));
            let is_last = page.len() < size;
            found.extend(page.into_iter().map(|blob| blob.key));
            after = found.last().cloned();
            if is_last {
                break;
            }
        }
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, keys, "in pages of {size}");
    }
    let below: Vec<String> = store
        .list("list/a/", None, 9)
        .await
        .unwrap()
        .into_iter()
        .map(|b| b.key)
        .collect();
    assert_eq!(below, ["list/a/1", "list/a/2"]);
    assert!(
        store
            .list("nothing/here/", None, 9)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(store.list("", None, 1_000).await.unwrap().len() >= keys.len());
    for prefix in ["/", "../", "list", ".incoming/"] {
        let error = store.list(prefix, None, 1).await.unwrap_err();
        assert!(
            matches!(error, BlobError::InvalidKey { .. }),
            "{prefix}: {error:?}"
        );
    }
}

async fn what_is_deleted_is_gone(store: &dyn BlobStore, spool: &Spool) {
    let file = spooled(spool, b"to be deleted").await;
    let key = blob_key(&file.sha256);
    assert!(store.put(&key, &file).await.unwrap());
    assert!(store.delete(&key).await.unwrap());
    assert!(!store.delete(&key).await.unwrap());
    assert_eq!(store.size(&key).await.unwrap(), None);
    let error = store.get(&key, None).await.err().unwrap();
    assert!(matches!(error, BlobError::NotFound { .. }), "{error:?}");
    // It can come again.
    assert!(store.put(&key, &file).await.unwrap());
    assert_eq!(
        all(store.get(&key, None).await.unwrap()).await,
        b"to be deleted"
    );
}
