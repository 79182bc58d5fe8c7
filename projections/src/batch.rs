//! What one transaction takes from the log: a contiguous run of events and the texts they name.
//!
//! Everything slow is done here, before a transaction is open and a checkpoint is locked.

use crate::error::ProjectionError;
use crate::model::{Model, NAMES};
use crate::source::{EventSource, TextError, TextSource};
use futures::{StreamExt, TryStreamExt, stream};
use kmrl_domain::RecordedEvent;
use kmrl_domain::values::TextArtefact;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

/// Most events in a batch.
pub(crate) const MOST_EVENTS: usize = 2_000;
/// Most rows that a batch of more than one event makes: bounds its memory.
const MOST_ROWS: usize = 10_000;
/// Most characters of text in a batch of more than one text: bounds its memory.
const MOST_CHARACTERS: u64 = 4_000_000;
/// Texts fetched at the same time.
const FETCHES: usize = 8;

/// The texts of a batch by key, or why they cannot be had.
pub(crate) type Texts = HashMap<String, Result<TextArtefact, Arc<TextError>>>;

/// A contiguous run of events with what they need.
pub(crate) struct Batch {
    events: Arc<[RecordedEvent]>,
    part: Range<usize>,
    pub texts: Texts,
}

impl Batch {
    /// The events, in order.
    pub fn events(&self) -> &[RecordedEvent] {
        self.events.get(self.part.clone()).unwrap_or_default()
    }

    /// The position after which they begin.
    pub fn after(&self) -> i64 {
        self.events().first().map_or(0, |e| e.position - 1)
    }

    /// The position at which they end.
    pub fn end(&self) -> i64 {
        self.events().last().map_or(0, |e| e.position)
    }
}

/// Reads the log, keeping the runs last used, one for each projection at most: projections at one
/// position share one reading (those that read records of access have a reader of their own), and one that takes few events at a time does not read them again.
#[derive(Default)]
pub(crate) struct Reader {
    runs: VecDeque<Arc<[RecordedEvent]>>,
}

impl Reader {
    /// The batch of `model` after position `after` and up to `until`, which the log has reached.
    pub async fn batch(
        &mut self,
        model: &dyn Model,
        log: &dyn EventSource,
        texts: &dyn TextSource,
        after: i64,
        until: i64,
    ) -> Result<Batch, ProjectionError> {
        let (events, start) = match self.known(after) {
            Some(known) => known,
            None => (self.read_after(model, log, after).await?, 0),
        };
        let rest = events.get(start..).unwrap_or_default();
        let within = rest.iter().take_while(|e| e.position <= until);
        let count = affordable(model, within);
        let mut batch = Batch {
            part: start..start + count,
            events,
            texts: Texts::new(),
        };
        batch.texts = fetch(model, batch.events(), texts).await?;
        Ok(batch)
    }

    fn known(&mut self, after: i64) -> Option<(Arc<[RecordedEvent]>, usize)> {
        let place = |events: &[RecordedEvent]| {
            let first = events.first()?.position;
            let start = usize::try_from(after + 1 - first).ok()?;
            (start < events.len()).then_some(start)
        };
        let (index, start) = self
            .runs
            .iter()
            .enumerate()
            .find_map(|(index, events)| Some((index, place(events)?)))?;
        let events = self.runs.remove(index)?;
        self.runs.push_back(events.clone());
        Some((events, start))
    }

    async fn read_after(
        &mut self,
        model: &dyn Model,
        log: &dyn EventSource,
        after: i64,
    ) -> Result<Arc<[RecordedEvent]>, ProjectionError> {
        let limit = MOST_EVENTS as i64;
        let read = if model.is_apart() {
            log.read(after, limit)
        } else {
            log.read_without_access(after, limit)
        };
        let events = read
            .await
            .map_err(|source| ProjectionError::Log { after, source })?;
        assert_contiguous(after, &events)?;
        let events: Arc<[RecordedEvent]> = events.into();
        if self.runs.len() == NAMES.len() {
            self.runs.pop_front();
        }
        self.runs.push_back(events.clone());
        Ok(events)
    }
}

fn assert_contiguous(after: i64, events: &[RecordedEvent]) -> Result<(), ProjectionError> {
    if events.is_empty() {
        // It is read only when its head is further on.
        return Err(ProjectionError::Gap {
            expected: after + 1,
            found: None,
        });
    }
    for (event, expected) in events.iter().zip(after + 1..) {
        if event.position != expected {
            return Err(ProjectionError::Gap {
                expected,
                found: Some(event.position),
            });
        }
    }
    Ok(())
}

/// How many of the events fit in one batch: at least the first.
fn affordable<'a>(model: &dyn Model, events: impl Iterator<Item = &'a RecordedEvent>) -> usize {
    let (mut characters, mut rows) = (0_u64, 0_usize);
    let mut count = 0;
    for event in events.take(MOST_EVENTS) {
        characters = characters.saturating_add(model.text_of(event).map_or(0, |t| t.characters));
        rows = rows.saturating_add(model.rows_of(event));
        if (characters > MOST_CHARACTERS || rows > MOST_ROWS) && count > 0 {
            break;
        }
        count += 1;
    }
    count
}

/// The texts that the events name.
pub(crate) async fn fetch(
    model: &dyn Model,
    events: &[RecordedEvent],
    texts: &dyn TextSource,
) -> Result<Texts, ProjectionError> {
    let keys: BTreeSet<String> = events
        .iter()
        .filter_map(|event| model.text_of(event))
        .map(|text| text.key)
        .collect();
    stream::iter(keys)
        .map(|key| async move {
            match texts.text(&key).await {
                Err(source @ TextError::Unreachable { .. }) => Err(ProjectionError::Text {
                    projection: model.name(),
                    source,
                }),
                Err(error) => Ok((key, Err(Arc::new(error)))),
                Ok(text) => Ok((key, Ok(text))),
            }
        })
        .buffer_unordered(FETCHES)
        .try_collect()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{audit, texts};
    use crate::testing::{accessed, document, extracted_with, log};

    #[test]
    fn a_gap_is_an_error() {
        let mut events = log(document(1));
        assert!(assert_contiguous(0, &events).is_ok());
        assert!(matches!(
            assert_contiguous(1, &events),
            Err(ProjectionError::Gap {
                expected: 2,
                found: Some(1)
            })
        ));
        events.remove(1);
        assert!(matches!(
            assert_contiguous(0, &events),
            Err(ProjectionError::Gap {
                expected: 2,
                found: Some(3)
            })
        ));
        assert!(matches!(
            assert_contiguous(7, &[]),
            Err(ProjectionError::Gap {
                expected: 8,
                found: None
            })
        ));
    }

    #[test]
    fn large_texts_are_taken_a_few_at_a_time() {
        let large = |n| (n, 1, extracted_with(MOST_CHARACTERS));
        let events = log(vec![large(1), large(2), large(3)]);
        assert_eq!(affordable(&texts::Texts, events.iter()), 1);
        let events = log(vec![(1, 1, extracted_with(5)), (2, 1, extracted_with(6))]);
        assert_eq!(affordable(&texts::Texts, events.iter()), 2);
    }

    #[test]
    fn many_records_are_taken_some_at_a_time() {
        let events: Vec<_> = (1..=500).map(|n| accessed(n, 64)).collect();
        assert_eq!(affordable(&audit::Audit, events.iter()), MOST_ROWS / 64);
    }
}
