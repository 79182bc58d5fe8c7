//! The decisions, one a file: state and command in, an event, nothing, or a refusal out.

mod approve_erasure;
mod approve_release;
mod correct;
mod destroy_quarantined;
mod expire_retention;
mod place_legal_hold;
pub(crate) mod reason;
mod record_destruction;
mod record_extraction;
mod record_failure;
mod reject_erasure;
mod reject_release;
mod release_legal_hold;
mod request_erasure;
mod request_release;
mod request_reprocessing;
mod review;
mod start_processing;
#[cfg(test)]
mod testing;
mod upload;
mod withdraw;

pub use correct::{CorrectRefusal, MAX_WORD as MAX_DEPARTMENT};
pub use place_legal_hold::{LegalHoldRefusal, LegalHolds, MAX_MATTER};
pub use reason::MAX_REASON;
pub use record_extraction::{OutcomeRefusal, standing};
pub use request_erasure::ErasureRefusal;
pub use request_release::QuarantineRefusal;
pub use request_reprocessing::ReprocessingRefusal;
pub use review::ReviewRefusal;
pub use start_processing::StartRefusal;
pub use upload::{DEEPEST, UploadRefusal};
pub use withdraw::WithdrawRefusal;

use crate::command::DocumentCommand;
use crate::document::Document;
use crate::event::DocumentEvent;

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The document does not exist.
    #[error("there is no such document")]
    Unknown,
    /// An upload was refused.
    #[error(transparent)]
    Upload(#[from] UploadRefusal),
    /// An attempt may not start.
    #[error(transparent)]
    Start(#[from] StartRefusal),
    /// An outcome was refused.
    #[error(transparent)]
    Outcome(#[from] OutcomeRefusal),
    /// A request to reprocess was refused.
    #[error(transparent)]
    Reprocessing(#[from] ReprocessingRefusal),
    /// A review was refused.
    #[error(transparent)]
    Review(#[from] ReviewRefusal),
    /// A correction was refused.
    #[error(transparent)]
    Correct(#[from] CorrectRefusal),
    /// A withdrawal was refused.
    #[error(transparent)]
    Withdraw(#[from] WithdrawRefusal),
    /// A legal hold was neither placed nor released.
    #[error(transparent)]
    LegalHold(#[from] LegalHoldRefusal),
    /// A step of an erasure was refused.
    #[error(transparent)]
    Erasure(#[from] ErasureRefusal),
    /// A step of a quarantine was refused.
    #[error(transparent)]
    Quarantine(#[from] QuarantineRefusal),
    /// The document was erased: nothing can be done with it any more.
    #[error("the document was erased")]
    Erased,
}

/// Decides what a command does: one event, none when it is already so, and of an upload also what
/// the door found.
///
/// # Errors
/// A [`Refusal`] when the rules forbid it.
pub fn decide(
    document: &Document,
    command: DocumentCommand,
) -> Result<Vec<DocumentEvent>, Refusal> {
    if !document.uploaded && !matches!(command, DocumentCommand::Upload(_)) {
        return Err(Refusal::Unknown);
    }
    if document.erased && !matches!(command, DocumentCommand::RecordDestruction(_)) {
        return Err(Refusal::Erased);
    }
    let event = match command {
        DocumentCommand::Upload(c) => return Ok(upload::decide(document, c)?),
        DocumentCommand::StartProcessing(c) => start_processing::decide(document, c)?,
        DocumentCommand::RecordExtraction(c) => record_extraction::decide(document, c)?,
        DocumentCommand::RecordFailure(c) => record_failure::decide(document, c)?,
        DocumentCommand::RequestReprocessing(c) => request_reprocessing::decide(document, &c)?,
        DocumentCommand::Review(c) => review::decide(document, c)?,
        DocumentCommand::Correct(c) => correct::decide(document, c)?,
        DocumentCommand::Withdraw(c) => withdraw::decide(document, &c)?,
        DocumentCommand::PlaceLegalHold(c) => place_legal_hold::decide(document, c)?,
        DocumentCommand::ReleaseLegalHold(c) => release_legal_hold::decide(document, c)?,
        DocumentCommand::ExpireRetention(c) => expire_retention::decide(document, c)?,
        DocumentCommand::RequestErasure(c) => request_erasure::decide(document, c)?,
        DocumentCommand::ApproveErasure(c) => approve_erasure::decide(document, c)?,
        DocumentCommand::RejectErasure(c) => reject_erasure::decide(document, c)?,
        DocumentCommand::RecordDestruction(c) => record_destruction::decide(document, &c)?,
        DocumentCommand::RequestRelease(c) => request_release::decide(document, c)?,
        DocumentCommand::ApproveRelease(c) => approve_release::decide(document, c)?,
        DocumentCommand::RejectRelease(c) => reject_release::decide(document, c)?,
        DocumentCommand::DestroyQuarantined(c) => destroy_quarantined::decide(document, c)?,
    };
    Ok(event.into_iter().collect())
}
