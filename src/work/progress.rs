//! Progress within a job, on its way from the reader to whoever watches: thinned out.

use super::Worker;
use crate::signals::Progress;
use kmrl_extraction::PageProgress;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use uuid::Uuid;

/// Shortest time between two reports on one job.
const BETWEEN: Duration = Duration::from_millis(100);

/// Passes reports on until the reader has ended; the last page is always told. Answers the last
/// report that came in.
pub(super) async fn pass_on(
    worker: &Worker,
    document_id: Uuid,
    mut pages: mpsc::Receiver<PageProgress>,
) -> Option<PageProgress> {
    let mut last = None;
    let mut told: Option<Instant> = None;
    while let Some(at) = pages.recv().await {
        last = Some(at);
        let now = Instant::now();
        if at.page < at.pages && told.is_some_and(|t| now.duration_since(t) < BETWEEN) {
            continue;
        }
        told = Some(now);
        worker.signals.send_progress(Progress {
            document_id,
            percent: percent(at),
            page: at.page,
            pages: at.pages,
            timestamp: worker.clock.now(),
        });
    }
    last
}

fn percent(at: PageProgress) -> u8 {
    let share = u64::from(at.page) * 100 / u64::from(at.pages.max(1));
    u8::try_from(share.min(100)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_one_whatever_the_reader_says() {
        for (page, pages, expected) in
            [(0, 0, 0), (1, 3, 33), (3, 3, 100), (9, 3, 100), (5, 0, 100)]
        {
            assert_eq!(percent(PageProgress { page, pages }), expected);
        }
    }
}
