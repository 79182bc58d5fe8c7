//! Whether a document is read beside others, or alone.
//!
//! Owns the one lock for that. A reader may have ended because others left it too little memory or
//! time; a document that broke one is therefore tried once more while nothing else is read by this
//! process. Ending again, it has only itself to blame.

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Shared by those that are read beside others. In turn: whoever waits to be alone is not overtaken.
static READERS: RwLock<()> = RwLock::const_new(());

/// Held while a document is read.
#[expect(dead_code, reason = "what is inside is only held")]
pub(super) enum Turn {
    Beside(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// Wait for the turn of a document, of which so many attempts were made before.
pub(super) async fn turn(attempts_before: u32) -> Turn {
    match attempts_before {
        0 => Turn::Beside(READERS.read().await),
        _ => Turn::Alone(READERS.write().await),
    }
}
