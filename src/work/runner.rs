//! Takes deliveries from the queue into a fixed number of slots, and maps each outcome to the
//! one answer that the queue gets: ack, nak or term.

use super::attempt::deliver;
use super::{Outcome, Worker};
use crate::fault_point;
use crate::ports::{Delivery, QueueError};
use crate::signals::FLOOR;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// After the grace, how long jobs may take to give their leases back.
const GIVING_BACK: Duration = Duration::from_secs(5);

/// Works until shutdown, then takes no more jobs, lets the running ones finish within the grace
/// and has the rest give their claims back.
pub async fn run(worker: Worker, shutdown: CancellationToken) {
    let worker = Arc::new(worker);
    let abandon = CancellationToken::new();
    let mut published = worker.signals.on_jobs_published();
    let mut jobs = JoinSet::new();
    let mut well = true;
    while !shutdown.is_cancelled() {
        while let Some(ended) = jobs.try_join_next() {
            tell_panic(ended);
        }
        if jobs.len() >= worker.settings.slots.max(1) {
            tokio::select! {
                () = shutdown.cancelled() => break,
                ended = jobs.join_next() => ended.map_or((), tell_panic),
            }
            continue;
        }
        published.borrow_and_update();
        // Not cancelled by shutdown: a delivery on its way would be missed until its wait is over.
        let next = worker.queue.next().await;
        well = tell(well, next.as_ref().err());
        match next {
            Ok(Some(delivery)) => {
                let (worker, abandon) = (Arc::clone(&worker), abandon.clone());
                jobs.spawn(async move { one(&worker, delivery, &abandon).await });
            }
            Ok(None) => idle(&mut published, &shutdown).await,
            Err(_told) => {
                // The hints come over the same connection; the clock is what is left.
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = crate::pause::pause(FLOOR) => {}
                }
            }
        }
    }
    drain(&worker, jobs, &abandon).await;
}

async fn idle(published: &mut watch::Receiver<u64>, shutdown: &CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        // Elapsed is as good as a hint.
        _ = timeout(FLOOR, published.changed()) => {}
    }
}

async fn drain(worker: &Worker, mut jobs: JoinSet<()>, abandon: &CancellationToken) {
    let all = async |jobs: &mut JoinSet<()>| {
        while let Some(ended) = jobs.join_next().await {
            tell_panic(ended);
        }
    };
    if timeout(worker.settings.grace, all(&mut jobs)).await.is_ok() {
        return;
    }
    tracing::warn!(jobs = jobs.len(), "running jobs are given back");
    abandon.cancel();
    if timeout(GIVING_BACK, all(&mut jobs)).await.is_err() {
        tracing::warn!(jobs = jobs.len(), "jobs were left; their leases run out");
    }
}

async fn one(worker: &Worker, delivery: Box<dyn Delivery>, abandon: &CancellationToken) {
    let job = delivery.job();
    let span = tracing::info_span!(
        "job",
        job = job.job_id,
        document = %job.document_id,
        run = job.run,
        correlation_id = %job.correlation_id,
    );
    async {
        let (outcome, delivery) = deliver(worker, delivery, abandon).await;
        fault_point::reach("worker.after_outcome");
        let told = match outcome {
            Outcome::Done => delivery.ack().await,
            Outcome::RetryAfter(wait) => delivery.nak(wait).await,
            Outcome::GiveUp => delivery.term().await,
        };
        if let Err(error) = told {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                ?outcome,
                "the queue was not told; it delivers again"
            );
        }
    }
    .instrument(span)
    .await;
}

fn tell_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "the work on a job broke off; its lease runs out");
    }
}

/// Logs when the queue goes away or comes back; answers whether it is there.
fn tell(well: bool, error: Option<&QueueError>) -> bool {
    match (error, well) {
        (Some(error), true) => tracing::warn!(
            error = error as &dyn std::error::Error,
            "there are no jobs to be had; looking again"
        ),
        (None, false) => tracing::info!("there are jobs to be had again"),
        _ => {}
    }
    error.is_none()
}
