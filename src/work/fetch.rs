//! What a document is, from the log, and its bytes, from the blob store into a file of ours.

use super::Worker;
use super::attempt::Setback;
use super::pause::Backoff;
use crate::ports::{BlobError, JobMessage};
use crate::spool::Spooled;
use futures::StreamExt;
use kmrl_domain::event::{DocumentEvent, Uploaded};
use kmrl_domain::private::UploadedPrivate;
use kmrl_domain::values::{Blob, FailureReason};
use std::io;

/// Tries to fetch, after the first, before the job is given back.
const TRIES: u32 = 3;

/// A document as it was uploaded.
pub(super) struct Source {
    pub(super) uploaded: Uploaded,
    /// Empty when the name was erased.
    pub(super) file_name: String,
    /// Empty when that was erased.
    pub(super) uploaded_by: String,
}

/// Reads from the log what the document is.
pub(super) async fn source(worker: &Worker, job: &JobMessage) -> Result<Source, Setback> {
    let id = job.document_id.to_string();
    let events = worker
        .log
        .stream(kmrl_domain::document::TYPE, &id)
        .await
        .map_err(Setback::at("reading what the document is"))?;
    let first = events
        .first()
        .ok_or("the document has no events")
        .map_err(Setback::at("reading what the document is"))?;
    let event = first
        .document()
        .map_err(Setback::at("reading what the document is"))?;
    let Some(DocumentEvent::Uploaded(uploaded)) = event else {
        return Err(Setback::at("reading what the document is")(
            "its first event is no upload",
        ));
    };
    let private = first
        .private::<UploadedPrivate>()
        .map_err(Setback::at("reading the document's name"))?;
    let private = private.unwrap_or_default();
    Ok(Source {
        uploaded,
        file_name: private.file_name,
        uploaded_by: private.uploaded_by,
    })
}

/// Why there is no file.
enum Miss {
    /// May be there later.
    Setback(Setback),
    /// The store says something of these very bytes.
    Reason(FailureReason),
}

/// Fetches the bytes and checks them. The inner error is a failure of this attempt.
pub(super) async fn file(
    worker: &Worker,
    blob: &Blob,
) -> Result<Result<Spooled, FailureReason>, Setback> {
    let mut backoff = Backoff::tries(TRIES);
    loop {
        match once(worker, blob).await {
            Ok(file) => return Ok(Ok(file)),
            Err(Miss::Reason(reason)) => return Ok(Err(reason)),
            Err(Miss::Setback(setback)) => {
                if !backoff.wait().await {
                    return Err(setback);
                }
            }
        }
    }
}

async fn once(worker: &Worker, blob: &Blob) -> Result<Spooled, Miss> {
    let disk = |e: io::Error| Miss::Setback(Setback::at("writing the document to the spool")(e));
    let mut reader = worker.blobs.get(&blob.key, None).await.map_err(miss)?;
    let mut writer = worker.spool.create().await.map_err(disk)?;
    while let Some(bytes) = reader.stream.next().await {
        let bytes = bytes
            .map_err(Setback::at("reading the document from the blob store"))
            .map_err(Miss::Setback)?;
        writer.write(&bytes).await.map_err(disk)?;
    }
    let file = writer.finish().await.map_err(disk)?;
    if file.sha256 != blob.sha256 || file.size != blob.size {
        return Err(Miss::Reason(reason(
            "stored_bytes_damaged",
            "the stored bytes are not those that were uploaded",
        )));
    }
    Ok(file)
}

fn miss(error: BlobError) -> Miss {
    match error {
        BlobError::NotFound { .. } => Miss::Reason(reason(
            "stored_bytes_missing",
            "the object store has no such object",
        )),
        BlobError::Corrupt { .. } => Miss::Reason(reason(
            "stored_bytes_damaged",
            "the stored bytes are not those that were uploaded",
        )),
        // Refused as well: credentials and policies can be put right.
        other => Miss::Setback(Setback::at("fetching the document from the blob store")(
            other,
        )),
    }
}

pub(super) fn reason(code: &str, detail: &str) -> FailureReason {
    FailureReason {
        code: code.to_owned(),
        detail: detail.to_owned(),
    }
}
