//! The clock and the randomness of the machine: the one place that asks for either.

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ports::{Clock, Ids};

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemIds;

impl Ids for SystemIds {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that makes new ids"
    )]
    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }

    /// The digest of four random UUIDs: 488 random bits condensed to 256.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks for randomness"
    )]
    fn salt(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for _ in 0..4 {
            hasher.update(Uuid::new_v4().as_bytes());
        }
        hasher.finalize().into()
    }
}
