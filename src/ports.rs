//! The doors to the world: what the gateway needs from clocks, stores, queues and readers.
//!
//! Owns the traits, their plain data and their errors. Nothing here does input or output; the
//! implementations are in `adapters`.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use kmrl_domain::values::{Attempt, FailureReason, Priority};
use kmrl_extraction::inspect::{InspectLimits, Inspection};
use kmrl_extraction::{ExtractError, Extraction, PageProgress};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::sync::mpsc;
use uuid::Uuid;

pub use crate::jail::Protections;
pub use crate::spool::Spooled;

/// The cause of a failure in a library that a port hides.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The time now, in UTC.
    fn now(&self) -> OffsetDateTime;
}

/// Where new ids and salts come from.
pub trait Ids: Send + Sync + 'static {
    /// A UUID of version 7: unique, and ordered by the time it was made.
    fn new_id(&self) -> Uuid;
    /// 32 bytes that nobody can guess.
    fn salt(&self) -> [u8; 32];
}

/// Bytes kept under a key that is made from their digest. What was put is never changed.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Keep a spooled file. It is durable when this returns.
    ///
    /// Answers whether the object was created: `false` when it was there before. After a lost
    /// answer and a second try it may be `false` for an object that this very call created.
    async fn put(&self, key: &str, file: &Spooled) -> Result<bool, BlobError>;

    /// Keep bytes that are in memory, as [`put`](Self::put) does. `sha256` is their digest in
    /// lower-case hexadecimal; bytes with another digest are [`BlobError::Corrupt`].
    async fn put_bytes(&self, key: &str, bytes: Bytes, sha256: &str) -> Result<bool, BlobError>;

    /// Read an object, or the bytes of it in `range`. A range that ends beyond the object ends
    /// with it; one that does not start inside it is [`BlobError::OutOfRange`].
    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<BlobReader, BlobError>;

    /// The size of an object in bytes; `None` when there is none.
    async fn size(&self, key: &str) -> Result<Option<u64>, BlobError>;

    /// Keep bytes as [`put_bytes`](Self::put_bytes) does, and keep them from being deleted until a
    /// time, as far as the store can: S3 by object lock in compliance mode where the bucket has it,
    /// a folder by making the file read-only, which only this program heeds.
    async fn put_locked(
        &self,
        key: &str,
        bytes: Bytes,
        sha256: &str,
        until: OffsetDateTime,
    ) -> Result<bool, BlobError>;

    /// At most `limit` objects whose key begins with `prefix` (empty, or ending with `/`) and comes
    /// after `after` in the store's order: that of the keys' bytes, but for servers that put folders
    /// first. None is left out, one may come twice; fewer than `limit` are the last ones.
    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BlobInfo>, BlobError>;

    /// Delete an object for ever, earlier versions of it included. It is gone durably when this
    /// returns; `false` when there was none. One that is locked is [`BlobError::Refused`].
    async fn delete(&self, key: &str) -> Result<bool, BlobError>;

    /// One real round trip, to tell whether the store can be used.
    async fn probe(&self) -> Result<(), BlobError>;
}

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was put.
    pub modified: OffsetDateTime,
}

/// An object being read.
pub struct BlobReader {
    /// Size of the whole object in bytes, also when a range of it is read.
    pub size: u64,
    /// The bytes asked for, in pieces of bounded size.
    pub stream: BoxStream<'static, io::Result<Bytes>>,
}

/// Why a blob store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such object.
    #[error("there is no object `{key}`")]
    NotFound {
        /// Key asked for.
        key: String,
    },
    /// The range does not start inside the object.
    #[error("the range does not start inside the {size} bytes of `{key}`")]
    OutOfRange {
        /// Key asked for.
        key: String,
        /// Size of the object in bytes.
        size: u64,
    },
    /// The bytes are not those that their digest names.
    #[error("the bytes of `{key}` do not have the digest or size they should have")]
    Corrupt {
        /// Key of the object.
        key: String,
    },
    /// The key is not one that this store takes.
    #[error("`{key}` cannot be a key of an object")]
    InvalidKey {
        /// The key.
        key: String,
    },
    /// The store is full, or its quota is used up.
    #[error("the blob store has no space left")]
    NoSpace {
        /// What the store said.
        #[source]
        source: BoxError,
    },
    /// The store could not be reached, took too long, or is not ready.
    #[error("the blob store could not be reached: {operation}")]
    Unreachable {
        /// What was being done.
        operation: &'static str,
        /// What went wrong.
        #[source]
        source: BoxError,
    },
    /// The store answered that it will not do this, whatever the number of tries.
    #[error("the blob store refused: {operation}")]
    Refused {
        /// What was being done.
        operation: &'static str,
        /// What the store said.
        #[source]
        source: BoxError,
    },
}

impl BlobError {
    /// Whether the same call may succeed later without anybody changing the request.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NoSpace { .. })
    }
}

/// The key of a document's bytes. `sha256` is lower-case hexadecimal.
#[must_use]
pub fn blob_key(sha256: &str) -> String {
    format!("sha256/{}/{sha256}", fan_out(sha256))
}

/// The key of a text artefact: of one attempt at one document, so that what is kept for a document
/// lies below [`text_prefix`] and is nobody else's. `sha256` is the digest of the artefact's bytes.
#[must_use]
pub fn text_key(document_id: Uuid, attempt: Attempt, sha256: &str) -> String {
    let Attempt { run, attempt } = attempt;
    let digest = sha256.get(..16).unwrap_or(sha256);
    format!("{}{run}-{attempt}-{digest}.json", text_prefix(document_id))
}

/// The object key of a text that a person wrote: below [`text_prefix`] as well, and of no other
/// review.
#[must_use]
pub fn reviewed_text_key(document_id: Uuid, review: Uuid, sha256: &str) -> String {
    let digest = sha256.get(..16).unwrap_or(sha256);
    let review = review.simple();
    format!("{}review-{review}-{digest}.json", text_prefix(document_id))
}

/// What the keys of all text artefacts of a document begin with.
#[must_use]
pub fn text_prefix(document_id: Uuid) -> String {
    format!("text/{document_id}/")
}

/// Refuse what cannot be a key: only names of letters, digits, `-`, `_` and `.` joined by `/`,
/// none of which starts with a dot. Such a key cannot lead out of a folder.
///
/// # Errors
///
/// [`BlobError::InvalidKey`].
pub fn check_key(key: &str) -> Result<(), BlobError> {
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_name =
        |name: &str| !name.is_empty() && !name.starts_with('.') && name.chars().all(of_a_name);
    if key.len() <= 512 && key.split('/').all(is_name) {
        Ok(())
    } else {
        Err(BlobError::InvalidKey {
            key: key.chars().take(80).collect(),
        })
    }
}

/// Refuse what cannot begin keys: nothing at all, or a key with a `/` behind it.
///
/// # Errors
///
/// [`BlobError::InvalidKey`].
pub fn check_prefix(prefix: &str) -> Result<(), BlobError> {
    match prefix.strip_suffix('/') {
        Some(folder) => check_key(folder),
        None if prefix.is_empty() => Ok(()),
        None => Err(BlobError::InvalidKey {
            key: prefix.chars().take(80).collect(),
        }),
    }
}

/// Two levels of folders, so that none grows large.
fn fan_out(sha256: &str) -> String {
    let part = |range: Range<usize>| sha256.get(range).unwrap_or("00");
    format!("{}/{}", part(0..2), part(2..4))
}

/// The work queue between the relay and the workers.
#[async_trait]
pub trait JobQueue: Send + Sync + 'static {
    /// Publish jobs; the results are in the order of `jobs`. `Ok` means kept durably. The
    /// message id is `{job_id}:{attempt}:{published}`, so publishing again is harmless.
    async fn publish(&self, jobs: &[JobMessage]) -> Vec<Result<(), QueueError>>;

    /// The most urgent job there is, without waiting for one. Every tenth look starts at the
    /// least urgent, so that none starves.
    async fn next(&self) -> Result<Option<Box<dyn Delivery>>, QueueError>;

    /// One real round trip, to tell whether the queue can be used.
    async fn probe(&self) -> Result<(), QueueError>;
}

/// One attempt at processing a document, as it travels through the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobMessage {
    /// Row of the job in the database.
    pub job_id: i64,
    /// The document to process.
    pub document_id: Uuid,
    /// 1 for the upload, one more for each request to reprocess.
    pub run: u32,
    /// 1 for the first try in the run.
    pub attempt: u32,
    /// Which queue it goes through.
    pub priority: Priority,
    /// Ties the job to the request that caused it.
    pub correlation_id: String,
    /// W3C trace context of the request, when it had one.
    pub traceparent: Option<String>,
    /// How many times this attempt was published.
    pub published: u32,
}

/// A job in the hands of a worker, until it is acknowledged one way or the other.
#[async_trait]
pub trait Delivery: Send {
    /// What is to be done.
    fn job(&self) -> &JobMessage;
    /// Still at it: the queue starts the wait for the acknowledgement anew.
    async fn progress(&self) -> Result<(), QueueError>;
    /// Done; the queue forgets it.
    async fn ack(self: Box<Self>) -> Result<(), QueueError>;
    /// Not done; deliver it again after the delay.
    async fn nak(self: Box<Self>, delay: Duration) -> Result<(), QueueError>;
    /// Never to be delivered again.
    async fn term(self: Box<Self>) -> Result<(), QueueError>;
}

/// Why the queue did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The queue could not be reached or took too long.
    #[error("the job queue could not be reached: {operation}")]
    Unreachable {
        /// What was being done.
        operation: &'static str,
        /// What went wrong.
        #[source]
        source: BoxError,
    },
    /// A message that is not a job of this version.
    #[error("a message in the job queue cannot be read")]
    Malformed {
        /// What is wrong with it.
        #[source]
        source: BoxError,
    },
}

/// Reads the text of a document where it can do no harm.
#[async_trait]
pub trait Extractor: Send + Sync + 'static {
    /// Read one document. `progress` is told of pages as they are read, as far as it has room:
    /// a slow receiver misses some, it never holds the reading up.
    async fn extract(
        &self,
        input: ExtractRequest,
        progress: mpsc::Sender<PageProgress>,
    ) -> Result<Extraction, ExtractFailure>;
}

/// Tells what readers cannot do, and what they lack.
#[async_trait]
pub trait JailProbe: Send + Sync + 'static {
    /// Find it out by trying.
    async fn probe(&self) -> JailReport;
}

/// What the jails refuse here. An error is why that could not be found out.
#[derive(Clone, Debug)]
pub struct JailReport {
    /// The jail of our own reader.
    pub reader: Result<Protections, String>,
    /// The jail of programs of others.
    pub program: Result<Protections, String>,
    /// What character recognition lacks; `None`: nothing.
    pub recognition: Option<String>,
    /// Each format that is read with a helper only, by its extension, and the program that reads
    /// it here.
    pub helpers: BTreeMap<&'static str, Option<PathBuf>>,
}

/// The document to read, and for how long.
#[derive(Clone, Debug)]
pub struct ExtractRequest {
    /// The file with its bytes.
    pub path: PathBuf,
    /// The name it was uploaded under.
    pub file_name: String,
    /// The media type its sender claimed.
    pub content_type: String,
    /// After this the reader is asked to stop at the next page.
    pub soft: Duration,
    /// After this it is killed.
    pub hard: Duration,
}

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub enum ExtractFailure {
    /// The reader says what is wrong with the document.
    #[error("the reader refused the document")]
    Refused(#[source] ExtractError),
    /// Reading took too long.
    #[error("reading took longer than {seconds} s: {pages_done} of {pages} pages were read")]
    TimeLimit {
        /// The limit that was passed, in seconds.
        seconds: u64,
        /// Pages read by then.
        pages_done: u32,
        /// Pages of the document; 0 when that was not known yet.
        pages: u32,
    },
    /// The reader ended without an answer, or with one that makes no sense.
    #[error("the reader crashed: {status}")]
    Crashed {
        /// How it ended. Holds nothing of the document.
        status: String,
    },
    /// The document needs more memory than a reader may have.
    #[error("the reader ran out of memory")]
    OutOfMemory,
    /// The document is a picture, and what recognises characters is not there.
    #[error("the document needs character recognition: {what}")]
    OcrUnavailable {
        /// What is missing, and how to install it.
        what: String,
    },
    /// The document could not be handed over or the reader not started.
    #[error("the reader could not be run")]
    Io(#[source] io::Error),
}

impl ExtractFailure {
    /// The reason as it goes into the event.
    #[must_use]
    pub fn reason(&self) -> FailureReason {
        let (code, detail) = match self {
            Self::Refused(error) => (error.code(), error.to_string()),
            Self::TimeLimit { .. } => ("time_limit", self.to_string()),
            Self::Crashed { .. } => ("crashed", self.to_string()),
            Self::OutOfMemory => ("out_of_memory", self.to_string()),
            Self::OcrUnavailable { .. } => ("ocr_unavailable", self.to_string()),
            Self::Io(_) => ("reader_unavailable", self.to_string()),
        };
        FailureReason {
            code: code.to_owned(),
            detail,
        }
    }

    /// Whether the document, or what it met with, ended the process that read it.
    #[must_use]
    pub const fn broke_the_reader(&self) -> bool {
        matches!(self, Self::Crashed { .. } | Self::OutOfMemory)
    }

    /// Whether another attempt may end better. What the document itself is to blame for is
    /// not tried again.
    #[must_use]
    pub const fn may_be_retried(&self) -> bool {
        matches!(self, Self::Crashed { .. } | Self::OutOfMemory | Self::Io(_))
    }
}

/// Finds out what a file is and carries, where it can do no harm.
#[async_trait]
pub trait Inspector: Send + Sync + 'static {
    /// Inspect one file. [`ExtractFailure::Io`] is the inspector's own failure; every other one is
    /// the file's doing.
    async fn inspect(&self, input: InspectRequest) -> Result<Inspection, ExtractFailure>;
}

/// The file to inspect, and for how long.
#[derive(Clone, Debug)]
pub struct InspectRequest {
    /// The file with its bytes.
    pub path: PathBuf,
    /// The name that its sender gave it.
    pub file_name: String,
    /// The media type that its sender declared; empty when there was none.
    pub content_type: String,
    /// The bounds of what is looked at.
    pub limits: InspectLimits,
    /// After this it is killed.
    pub within: Duration,
}

/// Tells files that are known to be harmful.
#[async_trait]
pub trait Scanner: Send + Sync + 'static {
    /// Scan one file of this size.
    async fn scan(&self, path: &Path, size: u64) -> Result<Scan, ScanError>;

    /// One real round trip, to tell whether the scanner can be used.
    async fn probe(&self) -> Result<(), ScanError>;
}

/// What a scanner says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scan {
    /// All of it was scanned, and nothing was found.
    Clean,
    /// It is known to be harmful.
    Found {
        /// What it is known as.
        signature: String,
    },
    /// It is beyond the scanner's limits: nothing was found in what was scanned.
    NotWhole,
}

/// Why a scanner said nothing.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// It could not be reached or took too long.
    #[error("the virus scanner could not be reached: {operation}")]
    Unreachable {
        /// What was being done.
        operation: &'static str,
        /// What went wrong.
        #[source]
        source: BoxError,
    },
    /// Its answer says neither yes nor no.
    #[error("the virus scanner answered `{answer}`")]
    Answer {
        /// What it said.
        answer: String,
    },
}
