//! What can be asked of a document. Time, ids and worker names come in with the command.

use crate::judged::{Judgement, Verdict};
use crate::private::PrivateDigest;
use crate::quarantine::Admission;
use crate::values::{Attempt, Blob, FailureReason, Findings, Parent, Priority, TextRef};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// A request that the aggregate decides on.
#[derive(Clone, Debug)]
pub enum DocumentCommand {
    /// Take it in.
    Upload(Upload),
    /// Begin an attempt.
    StartProcessing(StartProcessing),
    /// An attempt gave text.
    RecordExtraction(RecordExtraction),
    /// An attempt failed.
    RecordFailure(RecordFailure),
    /// Process it once more.
    RequestReprocessing(RequestReprocessing),
    /// Say what stands of its text.
    Review(Review),
    /// Correct what is said of it.
    Correct(Correct),
    /// Withdraw it.
    Withdraw(Withdraw),
    /// Hold it for a legal matter.
    PlaceLegalHold(PlaceLegalHold),
    /// End a legal hold.
    ReleaseLegalHold(ReleaseLegalHold),
    /// Note that it has been kept for as long as it is to be.
    ExpireRetention(ExpireRetention),
    /// Ask for its content to be erased.
    RequestErasure(RequestErasure),
    /// Approve that, as another person.
    ApproveErasure(ApproveErasure),
    /// Refuse that.
    RejectErasure(RejectErasure),
    /// Note that the content is gone.
    RecordDestruction(RecordDestruction),
    /// Ask for its release from quarantine.
    RequestRelease(RequestRelease),
    /// Approve that, as another person.
    ApproveRelease(ApproveRelease),
    /// Refuse that.
    RejectRelease(RejectRelease),
    /// Ask for what is in quarantine to be destroyed: an erasure.
    DestroyQuarantined(RequestErasure),
}

/// See [`DocumentCommand::Upload`].
#[derive(Clone, Debug)]
pub struct Upload {
    /// The bytes, already safe in the object store.
    pub blob: Blob,
    /// Media type.
    pub content_type: String,
    /// Where it came from.
    pub source: String,
    /// How urgent.
    pub priority: Priority,
    /// The first document with the same bytes.
    pub duplicate_of: Option<Uuid>,
    /// The document that it was found inside.
    pub parent: Option<Parent>,
    /// Commitment to file name, metadata and uploader's name.
    pub private: PrivateDigest,
    /// What the door found in it.
    pub admission: Admission,
    /// Now.
    pub at: OffsetDateTime,
}

/// See [`DocumentCommand::StartProcessing`].
#[derive(Clone, Debug)]
pub struct StartProcessing {
    /// Which attempt.
    pub attempt: Attempt,
    /// Name of the worker.
    pub worker: String,
    /// Now.
    pub at: OffsetDateTime,
}

/// See [`DocumentCommand::RecordExtraction`].
#[derive(Clone, Debug)]
pub struct RecordExtraction {
    /// Which attempt.
    pub attempt: Attempt,
    /// Where the text is.
    pub text: TextRef,
    /// `mixed`, `und`, or a code of ISO 639.
    pub language: String,
    /// 0 to 1.
    pub confidence: f64,
    /// What the rules found.
    pub department: Option<String>,
    /// What else was found out.
    pub judgement: Judgement,
    /// What the structure gave away.
    pub findings: Option<Findings>,
    /// Now.
    pub at: OffsetDateTime,
}

/// See [`DocumentCommand::RecordFailure`].
#[derive(Clone, Debug)]
pub struct RecordFailure {
    /// Which attempt.
    pub attempt: Attempt,
    /// Why.
    pub reason: FailureReason,
    /// How and whether to try again.
    pub retry: RetryPolicy,
    /// Now.
    pub at: OffsetDateTime,
}

/// When to try again after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryPolicy {
    /// Trying again would give the same.
    Never,
    /// Try again while attempts are left, waiting twice as long each time.
    Backoff {
        /// How many attempts a run has.
        max_attempts: u32,
        /// Wait after the first failure.
        first: Duration,
        /// Longest wait.
        longest: Duration,
    },
}

impl RetryPolicy {
    /// The wait before the next attempt, or `None` when this was the last.
    #[must_use]
    pub fn wait_after(self, attempt: u32) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Backoff { max_attempts, .. } if attempt >= max_attempts => None,
            Self::Backoff { first, longest, .. } => {
                let factor = 2_i32.saturating_pow(attempt.saturating_sub(1).min(30));
                Some(first.saturating_mul(factor).min(longest))
            }
        }
    }
}

/// See [`DocumentCommand::RequestReprocessing`].
#[derive(Clone, Debug)]
pub struct RequestReprocessing {
    /// How urgent.
    pub priority: Priority,
    /// Now.
    pub at: OffsetDateTime,
}

/// See [`DocumentCommand::Review`].
#[derive(Clone, Debug)]
pub struct Review {
    /// What is said.
    pub verdict: Verdict,
    /// The corrected text, already safe in the object store; with no other verdict.
    pub text: Option<TextRef>,
    /// Who says so.
    pub by: String,
    /// Now.
    pub at: OffsetDateTime,
}

/// See [`DocumentCommand::Correct`]. `None` leaves as it is.
#[derive(Clone, Debug)]
pub struct Correct {
    /// The department it belongs to.
    pub department: Option<String>,
    /// The language it is in.
    pub language: Option<String>,
    /// Commitment to the whole new metadata.
    pub private: Option<PrivateDigest>,
    /// Now.
    pub at: OffsetDateTime,
}

/// See [`DocumentCommand::Withdraw`].
#[derive(Clone, Debug)]
pub struct Withdraw {
    /// Why. Must say something.
    pub reason: String,
    /// Now.
    pub at: OffsetDateTime,
}

/// See [`DocumentCommand::PlaceLegalHold`].
#[derive(Clone, Debug)]
pub struct PlaceLegalHold {
    /// Which matter.
    pub matter: String,
    /// Why. Must say something.
    pub reason: String,
    /// Now.
    pub at: OffsetDateTime,
}

/// See [`DocumentCommand::ReleaseLegalHold`].
#[derive(Clone, Debug)]
pub struct ReleaseLegalHold {
    /// Which matter.
    pub matter: String,
    /// Why. Must say something.
    pub reason: String,
    /// Now.
    pub at: OffsetDateTime,
}

/// See [`DocumentCommand::ExpireRetention`].
#[derive(Clone, Debug)]
pub struct ExpireRetention {
    /// The rule, as the settings have it.
    pub rule: String,
    /// Now.
    pub at: OffsetDateTime,
}

/// See [`DocumentCommand::RequestErasure`].
#[derive(Clone, Debug)]
pub struct RequestErasure {
    /// Why. Must say something.
    pub reason: String,
    /// Who asks.
    pub by: String,
    /// Now.
    pub at: OffsetDateTime,
}

/// See [`DocumentCommand::ApproveErasure`].
#[derive(Clone, Debug)]
pub struct ApproveErasure {
    /// Who approves.
    pub by: String,
    /// Now.
    pub at: OffsetDateTime,
}

/// See [`DocumentCommand::RejectErasure`].
#[derive(Clone, Debug)]
pub struct RejectErasure {
    /// Why. Must say something.
    pub reason: String,
    /// Who rejects.
    pub by: String,
    /// Now.
    pub at: OffsetDateTime,
}

/// See [`DocumentCommand::RecordDestruction`].
#[derive(Clone, Debug)]
pub struct RecordDestruction {
    /// Private parts that are gone.
    pub private_parts: u32,
    /// Objects that are gone.
    pub objects_removed: u32,
    /// Objects that another document needs.
    pub objects_kept: u32,
    /// Now.
    pub at: OffsetDateTime,
}

/// See [`DocumentCommand::RequestRelease`].
#[derive(Clone, Debug)]
pub struct RequestRelease {
    /// Why. Must say something.
    pub reason: String,
    /// Who asks.
    pub by: String,
    /// Now.
    pub at: OffsetDateTime,
}

/// See [`DocumentCommand::ApproveRelease`].
#[derive(Clone, Debug)]
pub struct ApproveRelease {
    /// Who approves.
    pub by: String,
    /// Now.
    pub at: OffsetDateTime,
}

/// See [`DocumentCommand::RejectRelease`].
#[derive(Clone, Debug)]
pub struct RejectRelease {
    /// Why. Must say something.
    pub reason: String,
    /// Who rejects.
    pub by: String,
    /// Now.
    pub at: OffsetDateTime,
}
