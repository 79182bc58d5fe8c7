//! What an attempt tells the document: that it starts, and how it ended.
//!
//! Each outcome has an idempotency key, `job:{job}:{attempt}:{outcome}`, and is told until it is
//! heard. A refusal is an answer: the document has moved on, and the work is dropped.

use super::attempt::Setback;
use super::claim::Claim;
use super::fetch::reason;
use super::pause::Backoff;
use super::{Outcome, Worker};
use crate::commands::{CommandError, CommandOptions};
use crate::event_store::{CommandMetadata, Idempotency};
use crate::metrics::Stage;
use crate::ports::JobMessage;
use crate::traces::Kind;
use kmrl_domain::DocumentCommand;
use kmrl_domain::command::{RecordExtraction, RecordFailure, RetryPolicy, StartProcessing};
use kmrl_domain::decide::{Refusal, StartRefusal};
use kmrl_domain::values::{Attempt, FailureReason};
use sha2::{Digest, Sha256};
use std::sync::OnceLock;
use std::time::Duration;
use time::OffsetDateTime;

/// Who works, as the log says it.
const ACTOR: &str = "system:worker";
/// Wait before an attempt whose number was behind is made again.
const AFTER_CATCH_UP: Duration = Duration::from_millis(100);

/// Tells the commands of one attempt.
pub(super) struct Recorder<'a> {
    worker: &'a Worker,
    job: &'a JobMessage,
    claim: &'a Claim,
    /// When the log says that it started.
    started: OnceLock<OffsetDateTime>,
}

/// What came of the command to start.
pub(super) enum Start {
    /// The attempt is on.
    Started,
    /// There is nothing to start; the outcome says how the delivery ends.
    Not(Outcome),
}

/// What came of a command.
enum Told {
    /// It is in the log, now or since before.
    Recorded {
        /// The time in the log, where it is this telling that put it there.
        at: Option<OffsetDateTime>,
    },
    Refused(Refusal),
}

impl<'a> Recorder<'a> {
    pub(super) const fn new(worker: &'a Worker, job: &'a JobMessage, claim: &'a Claim) -> Self {
        Self {
            worker,
            job,
            claim,
            started: OnceLock::new(),
        }
    }

    const fn attempt(&self) -> Attempt {
        Attempt {
            run: self.job.run,
            attempt: self.claim.attempt,
        }
    }

    /// Starts the attempt.
    pub(super) async fn start(&self) -> Result<Start, Setback> {
        let command = DocumentCommand::StartProcessing(StartProcessing {
            attempt: self.attempt(),
            worker: self.worker.settings.name.clone(),
            at: self.worker.clock.now(),
        });
        let refusal = match self.tell(command, None, metadata(self.job)).await? {
            Told::Recorded { at } => {
                if let Some(at) = at {
                    self.passed(Stage::Started, self.claim.queued_at, at);
                    // Told once in an attempt.
                    let _ = self.started.set(at);
                }
                return Ok(Start::Started);
            }
            Told::Refused(refusal) => refusal,
        };
        if let Refusal::Start(StartRefusal::Superseded { current, .. }) = refusal
            && current.run == self.job.run
        {
            if current.attempt == self.claim.attempt {
                // The claim is ours, so the start is too, though its answer was lost (or, with
                // every worker lost, whoever might have given it).
                return Ok(Start::Started);
            }
            self.claim
                .catch_up(current.attempt)
                .await
                .map_err(Setback::at("counting on from the document's attempts"))?;
            return Ok(Start::Not(Outcome::RetryAfter(AFTER_CATCH_UP)));
        }
        tracing::info!(%refusal, "there is nothing to start");
        Ok(Start::Not(match refusal {
            Refusal::Unknown => Outcome::GiveUp,
            _ => Outcome::Done,
        }))
    }

    /// Records the text.
    pub(super) async fn extracted(&self, command: RecordExtraction) -> Result<Outcome, Setback> {
        let key = self.key("extracted", &command.text.sha256);
        let told = self
            .outcome(DocumentCommand::RecordExtraction(command), key)
            .await?;
        if let Told::Recorded { at: Some(at) } = told {
            self.passed(Stage::Extracted, self.started.get().copied(), at);
        }
        Ok(Outcome::Done)
    }

    /// Counts a stage by the times of the log, so that it is the same whoever counts it.
    fn passed(&self, stage: Stage, since: Option<OffsetDateTime>, at: OffsetDateTime) {
        let took = since.and_then(|since| Duration::try_from(at - since).ok());
        if let Some(took) = took {
            self.worker.metrics.stage(stage, took);
        }
    }

    /// Records a failure.
    pub(super) async fn failed(
        &self,
        reason: FailureReason,
        retry: RetryPolicy,
    ) -> Result<Outcome, Setback> {
        let key = self.key("failed", &reason.code);
        let command = DocumentCommand::RecordFailure(RecordFailure {
            attempt: self.attempt(),
            reason,
            retry,
            at: self.worker.clock.now(),
        });
        self.outcome(command, key).await.map(|_told| Outcome::Done)
    }

    /// Records that every attempt was started and none came back: nobody else is left to say so.
    pub(super) async fn workers_lost(&self) -> Result<Outcome, Setback> {
        // The last one may have been lost between its claim and its start.
        if let Start::Not(outcome) = self.start().await? {
            return Ok(outcome);
        }
        tracing::error!(
            attempt = self.claim.attempt,
            "every worker on a job was lost"
        );
        let detail = "each worker that tried was lost before it could say how it went";
        self.failed(reason("worker_lost", detail), RetryPolicy::Never)
            .await
    }

    async fn outcome(&self, command: DocumentCommand, key: Idempotency) -> Result<Told, Setback> {
        let parent = self.job.traceparent.as_deref();
        let traced = self.worker.traces.begin(Kind::Internal, "outcome", parent);
        let mut metadata = metadata(self.job);
        if let Some(traced) = &traced {
            // What shows the outcome goes below it.
            metadata.traceparent = traced.traceparent();
        }
        let told = self.tell(command, Some(key), metadata).await?;
        if let Told::Refused(refusal) = &told {
            tracing::info!(%refusal, "an outcome came too late and is dropped");
        }
        Ok(told)
    }

    /// Tells a command until the store has heard it. Ends otherwise only by being cancelled, or by
    /// an error that waiting does not mend.
    async fn tell(
        &self,
        command: DocumentCommand,
        idempotency: Option<Idempotency>,
        metadata: CommandMetadata,
    ) -> Result<Told, Setback> {
        let mut backoff = Backoff::endless();
        loop {
            let options = CommandOptions {
                metadata: metadata.clone(),
                if_version: None,
                idempotency: idempotency.clone(),
                private: None,
            };
            let result = self
                .worker
                .commands
                .execute(self.job.document_id, command.clone(), options)
                .await;
            match result {
                Ok(executed) => {
                    let is_new = executed.changed && !executed.replayed;
                    let at = is_new.then_some(executed.recorded_at);
                    return Ok(Told::Recorded { at });
                }
                // This attempt has an outcome of this kind, worded otherwise.
                Err(CommandError::KeyReused) => return Ok(Told::Recorded { at: None }),
                Err(CommandError::Refused(refusal)) => return Ok(Told::Refused(refusal)),
                Err(
                    error @ (CommandError::Unavailable { .. }
                    | CommandError::Overloaded
                    | CommandError::Conflict),
                ) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a command was not taken; it is told again"
                    );
                    backoff.wait().await;
                }
                Err(error) => return Err(Setback::at("telling the document")(error)),
            }
        }
    }

    fn key(&self, outcome: &str, content: &str) -> Idempotency {
        Idempotency {
            key: format!("job:{}:{}:{outcome}", self.job.job_id, self.claim.attempt),
            fingerprint: Sha256::digest(content.as_bytes()).into(),
        }
    }
}

/// What is kept with every event that comes of a job.
pub(super) fn metadata(job: &JobMessage) -> CommandMetadata {
    CommandMetadata {
        actor: ACTOR.to_owned(),
        correlation_id: job.correlation_id.clone(),
        // A job's id is the position of the event that asked for it.
        causation_id: Some(job.job_id.to_string()),
        traceparent: job.traceparent.clone(),
        ..CommandMetadata::default()
    }
}
