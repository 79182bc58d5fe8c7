//! What is left of a quota, and when it is whole again. Pure, but for the memory of [`Meters`].
//!
//! The generic cell rate algorithm (ITU-T I.371) in its form with one moment: a quota of so many a time is
//! spent by moving the moment at which it is whole again into the future. Nothing has to be refilled, and
//! what lies in the past needs not be remembered.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Part of one that times rounded to nanoseconds, or microseconds in the database, may come to.
pub(super) const ROUNDING: f64 = 0.01;

/// So many in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many; 0: any number.
    pub most: u32,
    /// In which time.
    pub within: Duration,
}

/// How a quota stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// So many are left.
    pub left: u32,
    /// Then all of them are.
    pub whole_in: Duration,
}

/// Nothing is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// Then one is.
    pub one_in: Duration,
    /// Then all are.
    pub whole_in: Duration,
}

impl Quota {
    /// So many a minute.
    #[must_use]
    pub const fn a_minute(most: u32) -> Self {
        Self {
            most,
            within: Duration::from_secs(60),
        }
    }

    /// Seconds that one of it costs.
    pub(super) fn cost(self) -> f64 {
        self.within.as_secs_f64() / f64::from(self.most.max(1))
    }

    /// How a quota stands that is whole in a time.
    pub(super) fn standing(self, whole_in: Duration) -> Standing {
        let spent = (whole_in.as_secs_f64() / self.cost() - ROUNDING).ceil();
        Standing {
            // A float that is too large or negative becomes the nearest number.
            left: self.most.saturating_sub(spent as u32),
            whole_in,
        }
    }

    /// When there is one again, of a quota that is whole in a time.
    pub(super) fn exhausted(self, whole_in: Duration) -> Exhausted {
        let room = self
            .within
            .saturating_sub(Duration::from_secs_f64(self.cost()));
        Exhausted {
            one_in: whole_in.saturating_sub(room),
            whole_in,
        }
    }

    /// Spends one, of a quota that is whole in a time.
    fn spend(self, whole_in: Duration) -> Result<Standing, Exhausted> {
        if self.standing(whole_in).left == 0 {
            return Err(self.exhausted(whole_in));
        }
        Ok(self.standing(whole_in + Duration::from_secs_f64(self.cost())))
    }
}

/// The quotas of many, in the memory of this process.
#[derive(Debug)]
pub struct Meters<K> {
    /// When each is whole again.
    whole_at: Mutex<HashMap<K, Instant>>,
    most: usize,
}

impl<K: Eq + Hash> Meters<K> {
    /// Of so many at most: those who come in greater numbers are not stopped by counting them.
    #[must_use]
    pub fn of(most: usize) -> Self {
        Self {
            whole_at: Mutex::default(),
            most,
        }
    }

    /// Spends one of somebody's quota.
    ///
    /// # Errors
    /// When nothing is left.
    pub fn spend(&self, of: K, quota: Quota) -> Result<Standing, Exhausted> {
        let now = Instant::now();
        let mut all = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= self.most && !all.contains_key(&of) {
            all.retain(|_, at| *at > now);
            if all.len() >= self.most {
                all.clear();
            }
        }
        let at = all.entry(of).or_insert(now);
        let standing = quota.spend(at.saturating_duration_since(now))?;
        *at = now + standing.whole_in;
        Ok(standing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota::a_minute(3);

    #[tokio::test(start_paused = true)]
    async fn a_quota_is_spent_and_comes_back_bit_by_bit() {
        let meters = Meters::of(8);
        for left in [2, 1, 0] {
            let standing = meters.spend("a", QUOTA).unwrap();
            assert_eq!(standing.left, left);
        }
        let exhausted = meters.spend("a", QUOTA).unwrap_err();
        assert_eq!(exhausted.one_in.as_secs(), 20);
        assert_eq!(exhausted.whole_in.as_secs(), 60);
        assert!(meters.spend("b", QUOTA).is_ok(), "others have their own");
        tokio::time::advance(Duration::from_secs(19)).await;
        assert!(meters.spend("a", QUOTA).is_err());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(meters.spend("a", QUOTA).map(|s| s.left), Ok(0));
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!(meters.spend("a", QUOTA).map(|s| s.left), Ok(2), "not more");
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_is_bounded() {
        let meters = Meters::of(4);
        for who in 0..1_000 {
            assert!(meters.spend(who, QUOTA).is_ok());
            assert!(meters.whole_at.lock().unwrap().len() <= 4);
        }
    }

    #[test]
    fn every_quota_gives_what_it_says() {
        for most in [1, 2, 3, 7, 60, 600, 2_999, 3_000, 12_000, 10_000_000] {
            let quota = Quota::a_minute(most);
            let mut whole_in = Duration::ZERO;
            for given in 0..most.min(20_000) {
                let standing = quota.spend(whole_in).unwrap();
                // Of millions a minute one takes a few thousand nanoseconds, which are whole.
                let off = standing.left.abs_diff(most - given - 1);
                assert!(off <= most / 1_000_000, "{off} of {most}");
                whole_in = standing.whole_in;
            }
            assert_eq!(quota.spend(whole_in).is_err(), most <= 20_000, "{most}");
        }
    }
}
