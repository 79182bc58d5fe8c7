//! Tells recorded events as messages: looks up what the event itself does not say.
//!
//! Owns a bounded memory of documents, refilled from their streams in the log, so that what is
//! said depends on the log alone and a replay says the same as the live message did.

use super::catch_up::of_document;
use super::known::Known;
use super::update::{self, LiveEvent};
use crate::event_store::{EventLog, LogError};
use kmrl_domain::RecordedEvent;
use std::collections::{HashMap, VecDeque};
use uuid::Uuid;

/// Documents remembered.
const REMEMBERED: usize = 4_096;

/// Makes messages of events. One reader of the log has one.
pub struct Narrator {
    log: EventLog,
    memory: Memory,
}

impl Narrator {
    /// A narrator that remembers nothing yet.
    #[must_use]
    pub fn new(log: EventLog) -> Self {
        Self {
            log,
            memory: Memory::default(),
        }
    }

    /// The message of an event; `None` when it is no document's or cannot be read (which is
    /// logged: a projection has parked it and marked its document).
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn tell(&mut self, recorded: &RecordedEvent) -> Result<Option<LiveEvent>, LogError> {
        let decoded = recorded
            .document()
            .and_then(|event| event.map(|e| Ok((recorded.id()?, e))).transpose());
        let (id, event) = match decoded {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            Err(error) => {
                tracing::error!(
                    position = recorded.position,
                    error = &error as &dyn std::error::Error,
                    "an event cannot be told to subscribers"
                );
                return Ok(None);
            }
        };
        let mut known = match self.memory.get(id) {
            Some(known) if known.sequence + 1 == recorded.sequence => known.clone(),
            _ if recorded.sequence == 1 => Known::default(),
            _ => self.look_up(id, recorded.position - 1).await?,
        };
        known.apply(recorded.sequence, actor(recorded), &event);
        let told = update::of_event(id, recorded, &event, &known);
        self.memory.put(id, known);
        Ok(told
            .inspect_err(
                |error| tracing::error!(position = recorded.position, %error, "writing a message"),
            )
            .ok())
    }

    /// What is known of a document at a position; `None` when it is not there yet.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn known(&mut self, id: Uuid, position: i64) -> Result<Option<&Known>, LogError> {
        if self.memory.get(id).is_none() {
            let known = self.look_up(id, position).await?;
            if known.sequence > 0 {
                self.memory.put(id, known);
            }
        }
        Ok(self.memory.get(id))
    }

    /// Folds a document's stream as it was at a position.
    async fn look_up(&self, id: Uuid, position: i64) -> Result<Known, LogError> {
        let mut known = Known::default();
        let mut after = 0;
        loop {
            let events = self.log.page(&of_document(Some(id), after)).await?;
            for recorded in &events {
                if recorded.position > position {
                    return Ok(known);
                }
                after = recorded.position;
                known.sequence = recorded.sequence;
                if let Ok(Some(event)) = recorded.document() {
                    known.apply(recorded.sequence, actor(recorded), &event);
                }
            }
            if events.is_empty() {
                return Ok(known);
            }
        }
    }
}

/// The documents put in last.
#[derive(Debug, Default)]
struct Memory {
    known: HashMap<Uuid, Known>,
    order: VecDeque<Uuid>,
}

impl Memory {
    fn get(&self, id: Uuid) -> Option<&Known> {
        self.known.get(&id)
    }

    fn put(&mut self, id: Uuid, known: Known) {
        if self.known.insert(id, known).is_some() {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// Who did it, as kept with the event.
fn actor(recorded: &RecordedEvent) -> &str {
    recorded.metadata.get("actor").map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_forgets_the_oldest() {
        let mut memory = Memory::default();
        for n in 0..=REMEMBERED as u128 {
            memory.put(Uuid::from_u128(n), Known::default());
            memory.put(Uuid::from_u128(n), Known::default());
        }
        assert_eq!(
            (memory.known.len(), memory.order.len()),
            (REMEMBERED, REMEMBERED)
        );
        assert!(memory.get(Uuid::from_u128(0)).is_none());
        assert!(memory.get(Uuid::from_u128(1)).is_some());
    }
}
