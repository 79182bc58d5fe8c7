//! Reading from the log what a connection missed.

use crate::event_store::{EventFilter, EventLog, LogError};
use kmrl_domain::RecordedEvent;
use uuid::Uuid;

/// Events read from the log at once. Few: each client that replays holds a page, also while it does not read.
const PAGE: i64 = 64;

/// Why a replay failed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log could not be read.
    #[error("reading the log after {after} for a subscriber")]
    Log {
        /// The position.
        after: i64,
        /// What the log said.
        #[source]
        source: LogError,
    },
    /// The log holds less than was announced.
    #[error("the log has nothing between {after} and {until}")]
    Missing {
        /// The position after which it was read.
        after: i64,
        /// The position up to which there should be events.
        until: i64,
    },
}

/// Reads the next events after a position and up to another, of all documents or of one. Gives
/// them with the position through which the log has now been read.
///
/// # Errors
/// When the log cannot be read or is shorter than it should be.
pub async fn page(
    log: &EventLog,
    (after, until): (i64, i64),
    document: Option<Uuid>,
) -> Result<(Vec<RecordedEvent>, i64), ReplayError> {
    let read = match document {
        None => {
            log.read_without_access(after, PAGE.min(until - after))
                .await
        }
        Some(_) => log.page(&of_document(document, after)).await,
    };
    let mut events = read.map_err(|source| ReplayError::Log { after, source })?;
    let whole = events.last().is_none_or(|e| e.position >= until);
    if events.is_empty() && document.is_none() {
        return Err(ReplayError::Missing { after, until });
    }
    events.retain(|e| e.position <= until);
    let through = match events.last() {
        Some(last) if !whole => last.position,
        _ => until,
    };
    Ok((events, through))
}

/// The filter for a page of one document's events.
#[must_use]
pub(super) fn of_document(document_id: Option<Uuid>, after: i64) -> EventFilter {
    EventFilter {
        after,
        limit: PAGE,
        document_id,
        event_type: None,
        actor: None,
        since: None,
        until: None,
        access: false,
    }
}
