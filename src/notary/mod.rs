//! The notary: signs checkpoints of the log, keeps copies of what it signed where the database's
//! owner cannot reach, answers with proofs, and finds out whether anybody changed the log.
//!
//! Owns the tables `log_nodes`, `log_checkpoints` and `log_keys`, the signing key's file and the
//! objects below `log/` in the blob store. It must not append to the log or change it.

mod copies;
pub mod entries;
pub mod export;
mod key;
mod sign;
mod tree;
pub mod verify;

pub use copies::{CopyError, checkpoint_key, tile_key};
pub use key::{KeyError, registered_key, stored_key};
pub use sign::{Notary, NotaryError};
pub use tree::{LogTree, SignedCheckpoint, TreeError};

use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Leaves, or nodes of the level below, that a tile holds.
pub const TILE: u64 = 256;
/// Longest wait after failures.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Longest that the last checkpoint may hold up a shutdown.
const LAST: Duration = Duration::from_secs(10);

/// Signs checkpoints until shutdown. Failures are logged and tried again. Any number may run.
pub async fn run(notary: Arc<Notary>, every: Duration, shutdown: CancellationToken) {
    let mut wait = every;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = crate::pause::pause(wait) => {}
        }
        let signed = tokio::select! {
            () = shutdown.cancelled() => return,
            signed = notary.make_checkpoint() => signed,
        };
        match signed {
            Ok(_) => wait = every,
            Err(error) => {
                wait = (wait * 2).clamp(every, LONGEST_WAIT.max(every));
                tell(&error, wait);
            }
        }
    }
}

/// The checkpoint at shutdown, over all that this process appended.
pub async fn last_checkpoint(notary: &Notary) {
    match tokio::time::timeout(LAST, notary.make_checkpoint()).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tell(&error, Duration::ZERO),
        Err(_) => tracing::warn!("no checkpoint at shutdown: it took too long"),
    }
}

fn tell(error: &NotaryError, wait: Duration) {
    let retry_in_s = wait.as_secs();
    let error_value = error as &dyn std::error::Error;
    if error.is_transient() {
        tracing::warn!(error = error_value, retry_in_s, "the log is not signed now");
    } else {
        tracing::error!(
            error = error_value,
            retry_in_s,
            "the log is not signed: run `audit verify`"
        );
    }
}
