//! One attempt at one document: fetch it, start, read it, store the text, record the outcome.
//!
//! The order is the promise. Nothing is started before the bytes are here, so a blob store that
//! is away costs no attempt; files inside the document are taken in before its own outcome ends
//! the work; the text is durable before an event names it; and the queue is told last, by the
//! runner.

use super::artefact::Artefact;
use super::attempt::Setback;
use super::claim::Claim;
use super::fetch::{self, Source, reason};
use super::pause::Backoff;
use super::record::{Recorder, Start};
use super::{Judge, Outcome, Worker, alone, children, progress};
use crate::fault_point;
use crate::ports::{BlobError, ExtractFailure, ExtractRequest, JobMessage};
use crate::spool::Spooled;
use crate::traces::Kind;
use kmrl_domain::command::RetryPolicy;
use kmrl_domain::values::{Attempt, FailureReason};
use kmrl_extraction::Extraction;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Page reports that may wait between reader and watcher.
const REPORTS: usize = 16;
/// Beyond the hard limit, before the reader counts as stuck whatever it promises.
const STUCK_AFTER: Duration = Duration::from_secs(30);
/// Tries to store a text, after the first, before the work is thrown away: about a minute.
const STORE_TRIES: u32 = 10;

/// Makes one attempt. `started` is set before the document can know of it.
pub(super) async fn attempt(
    worker: &Worker,
    job: &JobMessage,
    claim: &Claim,
    started: &AtomicBool,
) -> Result<Outcome, Setback> {
    let source = fetch::source(worker, job).await?;
    let fetched = fetch::file(worker, &source.uploaded.blob).await?;
    let recorder = Recorder::new(worker, job, claim);
    started.store(true, Ordering::Release);
    if let Start::Not(outcome) = recorder.start().await? {
        return Ok(outcome);
    }
    fault_point::reach("worker.after_started");
    let again = worker.settings.backoff(claim.excused);
    let file = match fetched {
        Ok(file) => file,
        Err(reason) => return recorder.failed(reason, again).await,
    };
    // Attempts that ended by no fault of the document do not count.
    let turn = alone::turn(claim.attempt.saturating_sub(claim.excused + 1)).await;
    let read = read(worker, job, &source, &file).await;
    drop(turn);
    let mut extraction = match read {
        Ok(extraction) => extraction,
        Err(failure) => {
            let retry = if failure.broke_the_reader() {
                worker.settings.once_more(claim.excused)
            } else if failure.may_be_retried() {
                again
            } else {
                RetryPolicy::Never
            };
            tracing::info!(error = &failure as &dyn std::error::Error, "no text");
            return recorder.failed(failure.reason(), retry).await;
        }
    };
    drop(file);
    children::take_in(worker, job, &source, &mut extraction).await?;
    let attempt = Attempt {
        run: job.run,
        attempt: claim.attempt,
    };
    let judge = Judge::clone(&worker.settings.judge.now());
    let name = source.file_name;
    let artefact = Artefact::of(job.document_id, attempt, name, judge, extraction).await?;
    if let Err(reason) = store(worker, &artefact).await? {
        return recorder.failed(reason, again).await;
    }
    fault_point::reach("worker.after_text");
    recorder
        .extracted(artefact.command(attempt, worker.clock.now()))
        .await
}

async fn read(
    worker: &Worker,
    job: &JobMessage,
    source: &Source,
    file: &Spooled,
) -> Result<Extraction, ExtractFailure> {
    let settings = &worker.settings;
    let request = ExtractRequest {
        path: file.path.clone(),
        file_name: source.file_name.clone(),
        content_type: source.uploaded.content_type.clone(),
        soft: settings.soft_limit,
        hard: settings.hard_limit,
    };
    let parent = job.traceparent.as_deref();
    let mut traced = worker
        .traces
        .begin(Kind::Internal, "read in a child", parent);
    let (reports, pages) = mpsc::channel(REPORTS);
    let reading = tokio::time::timeout(
        settings.hard_limit.saturating_add(STUCK_AFTER),
        worker.extractor.extract(request, reports),
    );
    let (result, last) = tokio::join!(reading, progress::pass_on(worker, job.document_id, pages));
    if let (Some(traced), Ok(Err(_)) | Err(_)) = (&mut traced, &result) {
        traced.fail();
    }
    result.unwrap_or_else(|_elapsed| {
        Err(ExtractFailure::TimeLimit {
            seconds: settings.hard_limit.as_secs(),
            pages_done: last.map_or(0, |p| p.page),
            pages: last.map_or(0, |p| p.pages),
        })
    })
}

/// Stores the text. The inner error is a failure of this attempt.
async fn store(worker: &Worker, artefact: &Artefact) -> Result<Result<(), FailureReason>, Setback> {
    let mut backoff = Backoff::tries(STORE_TRIES);
    loop {
        let text = &artefact.text;
        let put = worker
            .blobs
            .put_bytes(&text.key, artefact.bytes.clone(), &text.sha256);
        match put.await {
            Ok(_created) => return Ok(Ok(())),
            Err(BlobError::Corrupt { .. }) => {
                return Ok(Err(reason(
                    "text_not_stored",
                    "the object store kept other bytes than the text",
                )));
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the text was not stored"
                );
                if !backoff.wait().await {
                    return Err(Setback::at("storing the text")(error));
                }
            }
        }
    }
}
