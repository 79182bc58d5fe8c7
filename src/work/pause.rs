//! Waiting between tries: twice as long each time, up to a bound.

use std::time::Duration;

/// Wait after the first try that failed.
const FIRST: Duration = Duration::from_millis(250);
/// Longest wait between two tries.
const LONGEST: Duration = Duration::from_secs(8);

/// The waits of one operation that is tried again.
pub(super) struct Backoff {
    next: Duration,
    tries_left: u32,
}

impl Backoff {
    /// Up to `tries` waits.
    pub(super) const fn tries(tries: u32) -> Self {
        Self {
            next: FIRST,
            tries_left: tries,
        }
    }

    /// As long as it takes; whoever uses it can be cancelled.
    pub(super) const fn endless() -> Self {
        Self::tries(u32::MAX)
    }

    /// Waits, or answers `false` at once when the tries are used up.
    pub(super) async fn wait(&mut self) -> bool {
        if self.tries_left == 0 {
            return false;
        }
        if self.tries_left != u32::MAX {
            self.tries_left -= 1;
        }
        crate::pause::pause(self.next).await;
        self.next = self.next.saturating_mul(2).min(LONGEST);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_grow_to_a_bound_and_end() {
        let mut backoff = Backoff::tries(7);
        let begun = tokio::time::Instant::now();
        let mut waits = 0;
        while backoff.wait().await {
            waits += 1;
        }
        assert_eq!(waits, 7);
        // 0.25 + 0.5 + 1 + 2 + 4 + 8 + 8
        assert_eq!(begun.elapsed().as_millis(), 23_750);
    }
}
