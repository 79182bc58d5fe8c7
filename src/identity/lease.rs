//! What was looked up is good for a second: a bounded memory whose entries are leases.
//!
//! Whoever revokes waits for one lease after the commit before answering. An entry was read before
//! its lease began, so once that answer is given no process uses what was read before the revocation.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// How long what was read may be used.
pub(super) const LEASE: Duration = Duration::from_secs(1);
/// Most entries; made-up ids must not fill the memory.
const MOST: usize = 4_096;

/// Remembers what was looked up.
pub(super) struct Leases<T>(Mutex<HashMap<Uuid, (Instant, T)>>);

impl<T: Clone> Leases<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// What was read at most a lease ago.
    pub(super) fn get(&self, id: Uuid) -> Option<T> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (begun, value) = entries.get(&id)?;
        (begun.elapsed() < LEASE).then(|| value.clone())
    }

    /// Remembers what was read; `begun` is from before the reading.
    pub(super) fn put(&self, id: Uuid, begun: Instant, value: T) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MOST {
            entries.retain(|_, (begun, _)| begun.elapsed() < LEASE);
        }
        if entries.len() >= MOST {
            entries.clear();
        }
        entries.insert(id, (begun, value));
    }

    /// What this process knows of it is to be read anew.
    pub(super) fn forget(&self, id: Uuid) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_ends_and_the_memory_is_bounded() {
        let leases = Leases::new();
        let id = Uuid::from_u128(1);
        leases.put(id, Instant::now(), 7);
        assert_eq!(leases.get(id), Some(7));
        tokio::time::advance(LEASE).await;
        assert_eq!(leases.get(id), None);
        for n in 0..3 * MOST as u128 {
            leases.put(Uuid::from_u128(n), Instant::now(), 0);
        }
        assert!(leases.0.lock().unwrap().len() <= MOST);
        leases.put(id, Instant::now(), 8);
        leases.forget(id);
        assert_eq!(leases.get(id), None);
    }
}
