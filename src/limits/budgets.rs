//! Quotas that all processes share: one budget, however many replicas there are.
//!
//! The database has the truth, one row a budget. A process takes a second's worth at once and spends it by
//! itself, so that requests do not wait for a row that all of them change. What is taken is paid for: all
//! processes together never give out more than the quota.

use super::meter::{Exhausted, Quota, ROUNDING, Standing};
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What was taken and not spent for this long is let go: it has come back by then.
const IDLE: Duration = Duration::from_secs(60);
/// Most budgets that a process remembers at once. Their names are those of keys, users and sources.
const MOST: usize = 16_384;
/// After so many takings those rows are removed that say nothing any more.
const SWEEP_EVERY: u32 = 1_024;

/// The shared budgets. Clones are one and the same.
#[derive(Clone, Debug)]
pub struct Budgets(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: PgPool,
    taken: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Purse>>>>,
    takings: AtomicU32,
}

/// What this process has of a budget.
#[derive(Debug)]
struct Purse {
    quota: Quota,
    left: u32,
    /// The budget itself, when some of it was taken last.
    shared: u32,
    whole_at: Instant,
    /// Nothing can be taken before.
    empty_until: Instant,
    used_at: Instant,
}

impl Purse {
    fn new(quota: Quota, now: Instant) -> Self {
        Self {
            quota,
            left: 0,
            shared: 0,
            whole_at: now,
            empty_until: now,
            used_at: now,
        }
    }

    fn standing(&self, now: Instant) -> Standing {
        Standing {
            left: self.shared.saturating_add(self.left),
            whole_in: self.whole_at.saturating_duration_since(now),
        }
    }

    fn exhausted(&self, now: Instant) -> Exhausted {
        Exhausted {
            one_in: self.empty_until.saturating_duration_since(now),
            whole_in: self.whole_at.saturating_duration_since(now),
        }
    }
}

impl Budgets {
    /// Budgets kept in this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self(Arc::new(Inner {
            pool,
            taken: Mutex::default(),
            takings: AtomicU32::new(0),
        }))
    }

    /// Spends one of a budget.
    ///
    /// # Errors
    /// The outer when the database does not answer, the inner when nothing is left.
    pub async fn spend(
        &self,
        name: &str,
        quota: Quota,
    ) -> Result<Result<Standing, Exhausted>, sqlx::Error> {
        let purse = self.purse(name, quota);
        // Those who want of the same budget wait for the one who fetches for all of them.
        let mut purse = purse.lock().await;
        let now = Instant::now();
        if purse.quota != quota || purse.used_at + IDLE < now {
            *purse = Purse::new(quota, now);
        }
        purse.used_at = now;
        if purse.left == 0 {
            if now < purse.empty_until {
                return Ok(Err(purse.exhausted(now)));
            }
            self.fetch(name, &mut purse).await?;
        }
        let now = Instant::now();
        if purse.left == 0 {
            return Ok(Err(purse.exhausted(now)));
        }
        purse.left -= 1;
        Ok(Ok(purse.standing(now)))
    }

    fn purse(&self, name: &str, quota: Quota) -> Arc<tokio::sync::Mutex<Purse>> {
        let now = Instant::now();
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.len() >= MOST {
            let idle = |purse: &tokio::sync::Mutex<Purse>| {
                let purse = purse.try_lock();
                purse.is_ok_and(|purse| purse.used_at + IDLE < now)
            };
            taken.retain(|_, purse| !idle(purse));
        }
        if let Some(purse) = taken.get(name) {
            return Arc::clone(purse);
        }
        let purse = Arc::new(tokio::sync::Mutex::new(Purse::new(quota, now)));
        taken.insert(name.to_owned(), Arc::clone(&purse));
        purse
    }

    async fn fetch(&self, name: &str, purse: &mut Purse) -> Result<(), sqlx::Error> {
        let quota = purse.quota;
        // A second's worth.
        let want = (1.0 / quota.cost()).clamp(1.0, f64::from(quota.most)) as i32;
        let (granted, whole_in): (i32, f64) = sqlx::query_as(TAKE)
            .bind(name)
            .bind(want)
            .bind(quota.within.as_secs_f64())
            .bind(quota.cost())
            .bind(ROUNDING)
            .fetch_one(&self.0.pool)
            .await?;
        let whole_in = Duration::try_from_secs_f64(whole_in.max(0.0)).unwrap_or(quota.within);
        let now = Instant::now();
        purse.left = granted.unsigned_abs();
        purse.shared = quota.standing(whole_in).left;
        purse.whole_at = now + whole_in;
        if granted == 0 {
            purse.empty_until = now + quota.exhausted(whole_in).one_in;
        }
        self.sweep().await
    }

    /// A budget that is whole is like one that was never touched.
    async fn sweep(&self) -> Result<(), sqlx::Error> {
        let takings = self.0.takings.fetch_add(1, Ordering::Relaxed);
        if takings % SWEEP_EVERY == SWEEP_EVERY - 1 {
            sqlx::query("DELETE FROM budgets WHERE whole_at < clock_timestamp()")
                .execute(&self.0.pool)
                .await?;
        }
        Ok(())
    }

    /// A budget is whole again at once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn restore(&self, name: &str) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM budgets WHERE name = $1")
            .bind(name)
            .execute(&self.0.pool)
            .await?;
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(name);
        Ok(())
    }
}

/// Takes as many of the wanted as there are: name, wanted, seconds of the quota, seconds that one costs, what
/// rounding may come to. A new
/// row has the whole quota, which is never less than what is wanted.
const TAKE: &str = "
    INSERT INTO budgets AS b (name, granted, whole_at)
    VALUES ($1, $2, clock_timestamp() + make_interval(secs => $2 * $4))
    ON CONFLICT (name) DO UPDATE SET (granted, whole_at) = (
        SELECT g.granted, s.since + make_interval(secs => g.granted * $4)
        FROM (SELECT clock_timestamp() AS now) n,
             LATERAL (SELECT greatest(b.whole_at, n.now) AS since) s,
             LATERAL (SELECT greatest(0, least($2,
                 floor(($3 - extract(epoch FROM s.since - n.now)::float8) / $4 + $5)))::int AS granted) g)
    RETURNING granted, extract(epoch FROM whole_at - clock_timestamp())::float8";
