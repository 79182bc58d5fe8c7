//! The one place that lets time pass: between tries, and where a look at the clock is the floor
//! under signals that may not come. Everything else waits for a condition.

use std::time::Duration;

/// Lets time pass. Callers bound how often, and can be cancelled.
#[expect(
    clippy::disallowed_methods,
    reason = "the adapter of the clock that everyone else pauses by"
)]
pub async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
