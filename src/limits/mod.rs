//! How much clients may take of the gateway: in a minute, at once, and before it is known who they are.
//!
//! Owns what is counted, where, and who is told to wait for how long. It knows no HTTP: `http::limited` asks
//! it and answers.

pub mod address;
mod blocks;
mod budgets;
mod fresh;
mod meter;
mod places;
mod waiting;

pub use blocks::{Block, Blocks};
pub use meter::{Exhausted, Meters, Quota, Standing};
pub use places::{Full, Place, Places};

use crate::config::{Current, LimitSettings};
use crate::ports::Clock;
use budgets::Budgets;
use sqlx::PgPool;
use std::net::IpAddr;
use std::sync::Arc;
use waiting::Waiting;

/// Most addresses that are counted at once.
const MOST_ADDRESSES: usize = 65_536;
/// Most keys and users whose questions for health are counted at once.
const MOST_ASKING: usize = 16_384;

/// Endpoints that share a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Uploads.
    Uploads,
    /// Reading.
    Queries,
    /// Changes.
    Commands,
    /// Detailed health and metrics.
    Health,
}

impl Class {
    /// Its word, as clients are told it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Uploads => "uploads",
            Self::Queries => "queries",
            Self::Commands => "commands",
            Self::Health => "health",
        }
    }
}

/// A quota that a request was counted against, and how it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metered {
    /// Of what.
    pub policy: &'static str,
    /// How many, in which time.
    pub quota: Quota,
    /// How it stands; `Err`: the request was one too many.
    pub standing: Result<Standing, Exhausted>,
}

/// All limits of a process. Clones are one and the same.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    settings: Current<LimitSettings>,
    budgets: Budgets,
    blocks: Blocks,
    addresses: Meters<String>,
    asking: Meters<String>,
    uploads: Places<String>,
    live: Places<String>,
    waiting: Waiting,
}

impl Limits {
    /// Limits of these settings; what processes share is in this database.
    #[must_use]
    pub fn new(pool: PgPool, clock: Arc<dyn Clock>, settings: Current<LimitSettings>) -> Self {
        let budgets = Budgets::new(pool.clone());
        Self(Arc::new(Inner {
            blocks: Blocks::new(pool.clone(), budgets.clone(), clock, settings.clone()),
            waiting: Waiting::new(pool),
            budgets,
            settings,
            addresses: Meters::of(MOST_ADDRESSES),
            asking: Meters::of(MOST_ASKING),
            uploads: Places::default(),
            live: Places::default(),
        }))
    }

    /// Addresses that are blocked.
    #[must_use]
    pub fn blocks(&self) -> &Blocks {
        &self.0.blocks
    }

    /// Counts a request of an address, whoever it may be; `None`: it is not limited.
    #[must_use]
    pub fn of_address(&self, address: IpAddr) -> Option<Metered> {
        let quota = Quota::a_minute(self.0.settings.now().address_requests);
        (quota.most > 0).then(|| Metered {
            policy: "address",
            quota,
            standing: self.0.addresses.spend(address::network(address), quota),
        })
    }

    /// Counts a request of whoever proved who they are; `None`: it is not limited, or cannot be counted now.
    ///
    /// `scope` is unlike any other's, `actor` is what exceptions name.
    pub async fn of_principal(&self, scope: &str, actor: &str, class: Class) -> Option<Metered> {
        let rates = self.0.settings.now().rates_of(actor);
        let quota = Quota::a_minute(match class {
            Class::Uploads => rates.uploads,
            Class::Queries => rates.queries,
            Class::Commands => rates.commands,
            Class::Health => rates.health,
        });
        if class == Class::Health && quota.most > 0 {
            // It has to answer also when the database does not.
            let standing = self.0.asking.spend(scope.to_owned(), quota);
            return Some(Metered {
                policy: class.word(),
                quota,
                standing,
            });
        }
        self.shared(&format!("{}/{scope}", class.word()), class.word(), quota)
            .await
    }

    /// Counts an upload of a source; `None`: it is not limited, or cannot be counted now.
    pub async fn of_source(&self, source: &str) -> Option<Metered> {
        let quota = Quota::a_minute(self.0.settings.now().uploads_of(source));
        self.shared(&format!("source/{source}"), "source", quota)
            .await
    }

    async fn shared(&self, name: &str, policy: &'static str, quota: Quota) -> Option<Metered> {
        if quota.most == 0 {
            return None;
        }
        match self.0.budgets.spend(name, quota).await {
            Ok(standing) => Some(Metered {
                policy,
                quota,
                standing,
            }),
            Err(error) => {
                // Without the database nothing of what is limited is answered anyway.
                tracing::warn!(%error, "a request could not be counted");
                None
            }
        }
    }

    /// A place for an upload.
    ///
    /// # Errors
    /// When there is none.
    pub fn upload(&self, scope: &str) -> Result<Place<String>, Full> {
        let settings = self.0.settings.now();
        let (most, of_one) = (settings.uploads_at_once, settings.uploads_at_once_of_one);
        self.0.uploads.take(scope.to_owned(), most, of_one)
    }

    /// A place for a live connection.
    ///
    /// # Errors
    /// When there is none.
    pub fn live(&self, scope: &str) -> Result<Place<String>, Full> {
        let settings = self.0.settings.now();
        let (most, of_one) = (settings.live, settings.live_of_one);
        self.0.live.take(scope.to_owned(), most, of_one)
    }

    /// More documents wait than may.
    #[must_use]
    pub fn too_many_wait(&self) -> bool {
        let most = self.0.settings.now().waiting;
        most > 0 && self.0.waiting.reaches(most)
    }
}
