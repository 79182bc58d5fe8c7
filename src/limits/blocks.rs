//! Addresses that are refused for a while, because credentials from there were not good again and again.
//!
//! Every process looks at the same list, at most two seconds old, and no request waits for it.

use super::address::network;
use super::budgets::Budgets;
use super::fresh::Fresh;
use super::meter::Quota;
use crate::config::{Current, LimitSettings};
use crate::ports::Clock;
use sqlx::PgPool;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

/// Most blocks that are looked at; the longest ones count.
const MOST: i64 = 100_000;

/// A blocked address.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Block {
    /// Of IPv4 the address, of IPv6 the first of its /64.
    pub address: String,
    /// Bad credentials before.
    pub failures: i32,
    /// Since when.
    pub blocked_at: OffsetDateTime,
    /// Until when.
    pub blocked_until: OffsetDateTime,
}

/// The blocks. Clones are one and the same.
#[derive(Clone)]
pub struct Blocks(Arc<Inner>);

struct Inner {
    pool: PgPool,
    budgets: Budgets,
    clock: Arc<dyn Clock>,
    settings: Current<LimitSettings>,
    known: Fresh<HashMap<String, OffsetDateTime>>,
}

impl Blocks {
    pub(super) fn new(
        pool: PgPool,
        budgets: Budgets,
        clock: Arc<dyn Clock>,
        settings: Current<LimitSettings>,
    ) -> Self {
        Self(Arc::new(Inner {
            pool,
            budgets,
            clock,
            settings,
            known: Fresh::new(),
        }))
    }

    /// For how long an address is blocked yet; `None`: it is not.
    #[must_use]
    pub fn blocked(&self, address: IpAddr) -> Option<Duration> {
        let known = self.0.known.get(|| {
            tokio::spawn(self.clone().look());
        });
        if known.is_empty() {
            // As nearly always, and asked with every request.
            return None;
        }
        let until = known.get(&network(address))?;
        if self.0.settings.now().spares(address) {
            return None;
        }
        let left = *until - self.0.clock.now();
        left.is_positive().then(|| left.unsigned_abs())
    }

    async fn look(self) {
        let read: Result<Vec<(String, OffsetDateTime)>, _> = sqlx::query_as(
            "SELECT address, blocked_until FROM blocked_addresses WHERE blocked_until > now() \
             ORDER BY blocked_until DESC LIMIT $1",
        )
        .bind(MOST)
        .fetch_all(&self.0.pool)
        .await;
        if let Err(error) = &read {
            tracing::warn!(%error, "the blocked addresses could not be read; those known stay so");
        }
        self.0.known.put(read.ok().map(HashMap::from_iter));
    }

    /// A credential from an address was not good. The address is blocked once that has happened too often.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn failed(&self, address: IpAddr) -> Result<(), sqlx::Error> {
        let settings = self.0.settings.now();
        if settings.failures == 0 || settings.spares(address) {
            return Ok(());
        }
        let address = network(address);
        // The last one that is allowed is the one after which there is a block.
        let quota = Quota {
            most: settings.failures,
            within: settings.failures_within,
        };
        let standing = self.0.budgets.spend(&budget(&address), quota).await?;
        if standing.is_ok_and(|standing| standing.left > 0) {
            return Ok(());
        }
        let allowed = i32::try_from(settings.failures).unwrap_or(i32::MAX);
        let failures: i32 = sqlx::query_scalar(
            "WITH over AS (DELETE FROM blocked_addresses WHERE blocked_until < now() AND address <> $1) \
             INSERT INTO blocked_addresses AS b (address, failures, blocked_at, blocked_until) \
             VALUES ($1, $2, now(), now() + make_interval(secs => $3)) \
             ON CONFLICT (address) DO UPDATE SET \
                 blocked_at = CASE WHEN b.blocked_until < now() THEN now() ELSE b.blocked_at END, \
                 failures = CASE WHEN b.blocked_until < now() THEN $2 ELSE b.failures + 1 END, \
                 blocked_until = excluded.blocked_until \
             RETURNING failures",
        )
        .bind(&address)
        .bind(allowed)
        .bind(settings.block.as_secs_f64())
        .fetch_one(&self.0.pool)
        .await?;
        // Told once: others of the same flood may have been on their way.
        if failures == allowed {
            tracing::warn!(
                address,
                seconds = settings.block.as_secs(),
                "an address is blocked: its credentials were not good again and again"
            );
        }
        self.clone().look().await;
        Ok(())
    }

    /// The blocks, the longest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(&self) -> Result<Vec<Block>, sqlx::Error> {
        sqlx::query_as(
            "SELECT address, failures, blocked_at, blocked_until FROM blocked_addresses \
             WHERE blocked_until > now() ORDER BY blocked_until DESC, address LIMIT $1",
        )
        .bind(MOST)
        .fetch_all(&self.0.pool)
        .await
    }

    /// Ends a block; its failures are forgotten. Answers whether there was one. Other processes know it two seconds
    /// later.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn lift(&self, address: IpAddr) -> Result<bool, sqlx::Error> {
        let address = network(address);
        let lifted = sqlx::query(
            "DELETE FROM blocked_addresses WHERE address = $1 AND blocked_until > now()",
        )
        .bind(&address)
        .execute(&self.0.pool)
        .await?;
        self.0.budgets.restore(&budget(&address)).await?;
        self.clone().look().await;
        Ok(lifted.rows_affected() > 0)
    }
}

fn budget(address: &str) -> String {
    format!("failures/{address}")
}
