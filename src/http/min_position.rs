//! `min_position`: reading one's own write. Waits a bounded time for the projections.

use super::problem::{Problem, ProblemType};
use super::state::ApiState;
use std::time::Duration;

/// Looks again this often even when no signal comes.
const FLOOR: Duration = Duration::from_millis(250);

/// Waits until the read models show the position.
///
/// # Errors
/// When they do not within the configured time.
pub async fn wait(state: &ApiState, position: Option<i64>) -> Result<(), Problem> {
    let Some(position) = position else {
        return Ok(());
    };
    let mut projected = state.signals.on_projected();
    let deadline = tokio::time::Instant::now() + state.min_position_wait;
    loop {
        projected.mark_unchanged();
        let visible = state.everything.visible_position().await?;
        if visible >= position {
            return Ok(());
        }
        let now = tokio::time::Instant::now();
        if now >= deadline {
            let what = format!("position {position} was asked for, {visible} can be read");
            return Err(Problem::new(ProblemType::PositionNotReached).detail(what));
        }
        // Whichever comes first; then the position is looked at again.
        let wait = FLOOR.min(deadline - now);
        let _either = tokio::time::timeout(wait, projected.changed()).await;
    }
}
