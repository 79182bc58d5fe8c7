//! The extraction crate as an extractor within the test, with a gate before it and failures to
//! order; and the local blob store, which can be out of reach.

use async_trait::async_trait;
use bytes::Bytes;
use kmrl_extraction::{Extraction, Input, Limits, PageProgress};
use kmrl_gateway::adapters::local_blobs::LocalBlobs;
use kmrl_gateway::ports::{
    BlobError, BlobInfo, BlobReader, BlobStore, ExtractFailure, ExtractRequest, Extractor,
};
use kmrl_gateway::spool::Spooled;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tokio::sync::{Semaphore, mpsc};

pub struct Reader {
    gate: Semaphore,
    crashes: AtomicU32,
    pub reads: AtomicU32,
}

impl Reader {
    /// Reads whatever it is given.
    pub fn open() -> Self {
        Self {
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            crashes: AtomicU32::new(0),
            reads: AtomicU32::new(0),
        }
    }

    /// Holds every document until the gate is opened.
    pub fn closed() -> Self {
        Self {
            gate: Semaphore::new(0),
            ..Self::open()
        }
    }

    /// Crashes on the first documents.
    pub fn crashing(times: u32) -> Self {
        Self {
            crashes: AtomicU32::new(times),
            ..Self::open()
        }
    }

    pub fn open_gate(&self) {
        self.gate.add_permits(1_000);
    }
}

#[async_trait]
impl Extractor for Reader {
    async fn extract(
        &self,
        input: ExtractRequest,
        progress: mpsc::Sender<PageProgress>,
    ) -> Result<Extraction, ExtractFailure> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        let crash = self
            .crashes
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if crash.is_ok() {
            return Err(ExtractFailure::Crashed {
                status: "signal 11".into(),
            });
        }
        let bytes = tokio::fs::read(&input.path)
            .await
            .map_err(ExtractFailure::Io)?;
        let document = Input {
            bytes: &bytes,
            file_name: &input.file_name,
            content_type: Some(&input.content_type),
        };
        kmrl_extraction::extract(&document, &Limits::default(), &mut |page| {
            let _ = progress.try_send(page);
            true
        })
        .map_err(ExtractFailure::Refused)
    }
}

pub struct Blobs {
    store: LocalBlobs,
    pub away: AtomicBool,
}

impl Blobs {
    pub fn new(store: LocalBlobs) -> Self {
        Self {
            store,
            away: AtomicBool::new(false),
        }
    }

    fn reach(&self) -> Result<&LocalBlobs, BlobError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(BlobError::Unreachable {
                operation: "connecting",
                source: "connection refused".into(),
            });
        }
        Ok(&self.store)
    }
}

#[async_trait]
impl BlobStore for Blobs {
    async fn put(&self, key: &str, file: &Spooled) -> Result<bool, BlobError> {
        self.reach()?.put(key, file).await
    }

    async fn put_bytes(&self, key: &str, bytes: Bytes, sha256: &str) -> Result<bool, BlobError> {
        self.reach()?.put_bytes(key, bytes, sha256).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<BlobReader, BlobError> {
        self.reach()?.get(key, range).await
    }

    async fn size(&self, key: &str) -> Result<Option<u64>, BlobError> {
        self.reach()?.size(key).await
    }

    async fn put_locked(
        &self,
        key: &str,
        bytes: Bytes,
        sha256: &str,
        until: time::OffsetDateTime,
    ) -> Result<bool, BlobError> {
        self.reach()?.put_locked(key, bytes, sha256, until).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BlobInfo>, BlobError> {
        self.reach()?.list(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<bool, BlobError> {
        self.reach()?.delete(key).await
    }

    async fn probe(&self) -> Result<(), BlobError> {
        self.reach()?.probe().await
    }
}
