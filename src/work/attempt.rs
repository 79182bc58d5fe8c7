//! One delivery from its claim to its outcome: the lease is kept up while the work goes on.
//!
//! Decides nothing about the document. Whatever ends the work, the outcome says what the queue
//! is told, and a claim that ends by no fault of the document is given back.

use super::claim::{Claim, Claimed};
use super::record::Recorder;
use super::{Outcome, Worker, extract};
use crate::fault_point;
use crate::ports::{Delivery, JobMessage};
use crate::traces::Kind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

/// Leases are renewed no more often than this.
const SHORTEST_BEAT: Duration = Duration::from_millis(50);

/// The work met an engine that did not do its part. The document is not to blame.
#[derive(Debug, thiserror::Error)]
#[error("the work on a document was held up: {operation}")]
pub(super) struct Setback {
    /// What was tried.
    pub(super) operation: &'static str,
    /// What went wrong.
    #[source]
    pub(super) source: Box<dyn std::error::Error + Send + Sync>,
}

impl Setback {
    pub(super) fn at<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        operation: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self {
            operation,
            source: source.into(),
        }
    }
}

/// Works on one delivery and says how it ended. `abandon` ends the work where it stands.
pub(super) async fn deliver(
    worker: &Worker,
    delivery: Box<dyn Delivery>,
    abandon: &CancellationToken,
) -> (Outcome, Box<dyn Delivery>) {
    let mut job = delivery.job().clone();
    let parent = job.traceparent.as_deref();
    let mut traced = worker.traces.begin(Kind::Consumer, "job", parent);
    if let Some(traced) = &mut traced {
        traced.note("kmrl.document_id", job.document_id);
        traced.note("kmrl.run", job.run);
        // All that comes of the job goes below it.
        job.traceparent = traced.traceparent();
    }
    let outcome = match Claim::take(&worker.pool, &job, &worker.settings).await {
        Ok(Claimed::Ours(claim)) => return hold(worker, &job, &claim, delivery, abandon).await,
        Ok(Claimed::Exhausted(claim)) => exhausted(worker, &job, &claim).await,
        Ok(Claimed::Held(wait)) => Outcome::RetryAfter(wait),
        Ok(Claimed::Over) => Outcome::Done,
        Ok(Claimed::Unknown) => {
            tracing::error!("a job that the database does not know is dropped");
            Outcome::GiveUp
        }
        Err(error) => held_up(worker, &Setback::at("claiming the job")(error)),
    };
    (outcome, delivery)
}

/// Does the work of a claimed attempt beside its heartbeat.
async fn hold(
    worker: &Worker,
    job: &JobMessage,
    claim: &Claim,
    delivery: Box<dyn Delivery>,
    abandon: &CancellationToken,
) -> (Outcome, Box<dyn Delivery>) {
    fault_point::reach("worker.after_claim");
    let started = AtomicBool::new(false);
    let (ended, lost) = (CancellationToken::new(), CancellationToken::new());
    let work = async {
        let outcome = tokio::select! {
            result = extract::attempt(worker, job, claim, &started) => match result {
                Ok(outcome) => outcome,
                Err(setback) => {
                    release(claim, started.load(Ordering::Acquire)).await;
                    held_up(worker, &setback)
                }
            },
            () = lost.cancelled() => {
                tracing::info!(attempt = claim.attempt, "the attempt is not ours any more");
                Outcome::Done
            }
            () = abandon.cancelled() => {
                release(claim, started.load(Ordering::Acquire)).await;
                Outcome::RetryAfter(Duration::ZERO)
            }
        };
        ended.cancel();
        outcome
    };
    tokio::join!(work, keep(worker, claim, delivery, &ended, &lost))
}

/// Renews the lease and shows the queue a sign of life, at a third of their time, until the work
/// has ended or the lease is lost. Hands the delivery back.
async fn keep(
    worker: &Worker,
    claim: &Claim,
    delivery: Box<dyn Delivery>,
    ended: &CancellationToken,
    lost: &CancellationToken,
) -> Box<dyn Delivery> {
    let beat = (worker.settings.ack_wait / 3).max(SHORTEST_BEAT);
    let mut beats = interval_at(Instant::now() + beat, beat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = ended.cancelled() => return delivery,
            _ = beats.tick() => {}
        }
        if let Err(error) = delivery.progress().await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "no sign of life was given"
            );
        }
        let renewed = tokio::select! {
            () = ended.cancelled() => return delivery,
            renewed = claim.renew() => renewed,
        };
        match renewed {
            Ok(true) => {}
            Ok(false) => {
                lost.cancel();
                return delivery;
            }
            // While the database is away nobody else can claim the job.
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the lease was not renewed"
            ),
        }
    }
}

async fn release(claim: &Claim, started: bool) {
    if let Err(error) = claim.release(started).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "a claim was not given back; its lease runs out"
        );
    }
}

/// Records the failure of a job whose workers were lost each time.
async fn exhausted(worker: &Worker, job: &JobMessage, claim: &Claim) -> Outcome {
    match Recorder::new(worker, job, claim).workers_lost().await {
        Ok(outcome) => outcome,
        Err(setback) => held_up(worker, &setback),
    }
}

fn held_up(worker: &Worker, setback: &Setback) -> Outcome {
    tracing::warn!(
        error = setback as &dyn std::error::Error,
        "a job is put off"
    );
    Outcome::RetryAfter(worker.settings.retry_first)
}
