//! Folding events into rows that are keyed by document. Pure: no database, no clock.
//!
//! Owns the guards that all such models share (an event is applied once, an event that cannot be
//! applied changes nothing) and the reasons for which an event is parked.

use crate::source::TextError;
use kmrl_domain::recorded::DecodeError;
use kmrl_domain::values::TextRef;
use kmrl_domain::{DocumentEvent, RecordedEvent, document, judged};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::Arc;
use uuid::Uuid;

/// An amount above this (bytes, characters: about 10^15) is no true one; sums stay in 64 bits.
const LARGEST_AMOUNT: u64 = 1 << 50;

/// Why an event cannot be applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    /// It cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Its private part cannot be read. What the parser found is left out: it may quote the part.
    #[error("its private part does not have its form")]
    Private,
    /// The document's upload was not applied.
    #[error("the upload of its document was not applied")]
    NoUpload,
    /// A number in it cannot be.
    #[error("its {field} is out of range")]
    Range { field: &'static str },
    /// Its text cannot be had.
    #[error(transparent)]
    Text(Arc<TextError>),
    /// Its text was not fetched, because the event could not be read when it should have been.
    #[error("its text was not fetched")]
    NotFetched,
}

/// An event that could not be applied.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub position: i64,
    pub document_id: Option<Uuid>,
    pub error: String,
}

impl Rejected {
    pub fn new(event: &RecordedEvent, error: &dyn Error) -> Self {
        Self {
            position: event.position,
            document_id: event.id().ok(),
            error: with_causes(error),
        }
    }
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    storable(text)
}

/// What a batch makes of the rows that it touches.
#[derive(Debug)]
pub(crate) struct Folded<R> {
    /// The rows as they are to be, by document.
    pub changed: BTreeMap<Uuid, R>,
    /// Events that could not be applied.
    pub rejected: Vec<Rejected>,
}

impl<R> Default for Folded<R> {
    fn default() -> Self {
        Self {
            changed: BTreeMap::new(),
            rejected: Vec::new(),
        }
    }
}

/// A row of one document, made from its events.
pub(crate) trait Evolve: Sized {
    /// Place in the document's stream of the last event in it.
    fn version(&self) -> i64;

    /// The row after an event; `row` is the row before it.
    fn evolve(
        row: Option<&Self>,
        id: Uuid,
        recorded: &RecordedEvent,
        event: DocumentEvent,
    ) -> Result<Self, Unfit>;
}

/// Folds the events of documents over the rows that were there before.
pub(crate) fn fold<'a, R: Evolve>(
    events: impl IntoIterator<Item = &'a RecordedEvent>,
    prior: &BTreeMap<Uuid, R>,
) -> Folded<R> {
    let mut folded = Folded::default();
    for recorded in events.into_iter().filter(|e| is_of_document(e)) {
        let row = |id: &Uuid| folded.changed.get(id).or_else(|| prior.get(id));
        match next(recorded, row) {
            Ok(Some((id, row))) => {
                folded.changed.insert(id, row);
            }
            Ok(None) => {}
            Err(why) => folded.rejected.push(Rejected::new(recorded, &why)),
        }
    }
    folded
}

fn next<'a, R: Evolve + 'a>(
    recorded: &RecordedEvent,
    row: impl FnOnce(&Uuid) -> Option<&'a R>,
) -> Result<Option<(Uuid, R)>, Unfit> {
    let id = recorded.id()?;
    let row = row(&id);
    // Delivered before: the row has it already.
    if row.is_some_and(|row| row.version() >= recorded.sequence) {
        return Ok(None);
    }
    let event: DocumentEvent = recorded.decode()?;
    R::evolve(row, id, recorded, event).map(|row| Some((id, row)))
}

/// The event belongs to a document's stream.
pub(crate) fn is_of_document(event: &RecordedEvent) -> bool {
    event.aggregate_type == document::TYPE
}

/// The event says which text of its document stands.
pub(crate) fn sets_text(event: &RecordedEvent) -> bool {
    is_of_document(event) && judged::sets_text(&event.event_type, &event.payload)
}

/// The text that the event makes the one that stands; `None` also when it cannot be read.
pub(crate) fn text_set_by(event: &RecordedEvent) -> Option<TextRef> {
    is_of_document(event)
        .then(|| judged::text_set_by(&event.event_type, &event.payload))
        .flatten()
}

/// The event erases its document: what is told of the content goes.
pub(crate) fn is_erasure(event: &RecordedEvent) -> bool {
    is_of_document(event) && event.event_type == "Erased"
}

/// The documents that the events are about.
pub(crate) fn touched(events: &[RecordedEvent]) -> BTreeSet<Uuid> {
    events
        .iter()
        .filter(|event| is_of_document(event))
        .filter_map(|event| event.id().ok())
        .collect()
}

/// An amount as the database holds it.
pub(crate) fn amount(field: &'static str, value: u64) -> Result<i64, Unfit> {
    if value > LARGEST_AMOUNT {
        return Err(Unfit::Range { field });
    }
    i64::try_from(value).map_err(|_| Unfit::Range { field })
}

/// A confidence, which lies between 0 and 1.
pub(crate) fn confidence(value: f64) -> Result<f64, Unfit> {
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(Unfit::Range {
            field: "confidence",
        })
    }
}

/// Text as PostgreSQL can hold it: without U+0000, which it has no place for.
pub(crate) fn storable(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_confidences_are_checked() {
        assert_eq!(amount("size", 7).unwrap(), 7);
        assert!(amount("size", LARGEST_AMOUNT + 1).is_err());
        assert!(confidence(1.0).is_ok() && confidence(1.1).is_err() && confidence(-0.1).is_err());
    }

    #[test]
    fn a_zero_character_is_replaced() {
        assert_eq!(storable("a\0b".into()), "a\u{fffd}b");
        assert_eq!(storable("ab".into()), "ab");
    }
}
