//! The decisions, one a file: state and command in, an event, nothing, or a refusal out.

mod correct;
mod record_extraction;
mod record_failure;
mod request_reprocessing;
mod start_processing;
#[cfg(test)]
mod testing;
mod upload;
mod withdraw;

pub use correct::CorrectRefusal;
pub use record_extraction::{OutcomeRefusal, standing};
pub use request_reprocessing::ReprocessingRefusal;
pub use start_processing::StartRefusal;
pub use upload::UploadRefusal;
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
    /// A correction was refused.
    #[error(transparent)]
    Correct(#[from] CorrectRefusal),
    /// A withdrawal was refused.
    #[error(transparent)]
    Withdraw(#[from] WithdrawRefusal),
}

/// Decides what a command does: at most one event; none when it is already so.
///
/// # Errors
/// A [`Refusal`] when the rules forbid it.
pub fn decide(
    document: &Document,
    command: DocumentCommand,
) -> Result<Option<DocumentEvent>, Refusal> {
    if !document.uploaded && !matches!(command, DocumentCommand::Upload(_)) {
        return Err(Refusal::Unknown);
    }
    Ok(match command {
        DocumentCommand::Upload(c) => upload::decide(document, c)?,
        DocumentCommand::StartProcessing(c) => start_processing::decide(document, c)?,
        DocumentCommand::RecordExtraction(c) => record_extraction::decide(document, c)?,
        DocumentCommand::RecordFailure(c) => record_failure::decide(document, c)?,
        DocumentCommand::RequestReprocessing(c) => request_reprocessing::decide(document, &c)?,
        DocumentCommand::Correct(c) => correct::decide(document, c)?,
        DocumentCommand::Withdraw(c) => withdraw::decide(document, c)?,
    })
}
