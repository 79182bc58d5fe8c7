//! Something of the database that requests look at and do not wait for.
//!
//! What is older than a second is read again beside the request that noticed it. While the database does not
//! answer, what was read last stays in force.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How old it may be before it is read again.
const FRESH: Duration = Duration::from_secs(1);

/// The last that was read.
#[derive(Debug)]
pub(super) struct Fresh<T> {
    value: Mutex<(Option<Instant>, Arc<T>)>,
    reading: AtomicBool,
}

impl<T: Default> Fresh<T> {
    pub(super) fn new() -> Self {
        Self {
            value: Mutex::new((None, Arc::default())),
            reading: AtomicBool::new(false),
        }
    }

    /// What was read last; `read` begins to read it anew when that is due, with this to be told.
    pub(super) fn get(&self, read: impl FnOnce()) -> Arc<T> {
        let (at, value) = {
            let held = self.value.lock().unwrap_or_else(PoisonError::into_inner);
            (held.0, Arc::clone(&held.1))
        };
        let fresh = at.is_some_and(|at| at.elapsed() < FRESH);
        if !fresh && !self.reading.swap(true, Ordering::AcqRel) {
            read();
        }
        value
    }

    /// What a reading came to; `None`: it failed.
    pub(super) fn put(&self, value: Option<T>) {
        let mut held = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        held.0 = Some(Instant::now());
        if let Some(value) = value {
            held.1 = Arc::new(value);
        }
        drop(held);
        self.reading.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_reads_anew_while_all_go_on_with_what_there_is() {
        let fresh = Fresh::<u32>::new();
        let asked = std::cell::Cell::new(0);
        let get = || *fresh.get(|| asked.set(asked.get() + 1));
        assert_eq!((get(), get(), asked.get()), (0, 0, 1));
        fresh.put(Some(7));
        assert_eq!((get(), asked.get()), (7, 1));
        tokio::time::advance(FRESH).await;
        assert_eq!((get(), get(), asked.get()), (7, 7, 2));
        fresh.put(None);
        assert_eq!((get(), asked.get()), (7, 2), "what failed changes nothing");
    }
}
