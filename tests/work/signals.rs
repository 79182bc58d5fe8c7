//! Hints and progress between two processes on one nats-server.

use crate::nats::NatsServer;
use crate::support::eventually;
use kmrl_gateway::adapters::nats;
use kmrl_gateway::signals::{Progress, Signals};
use time::OffsetDateTime;
use uuid::Uuid;

async fn connect(server: &NatsServer, prefix: &str) -> Signals {
    Signals::connect(nats::connect(&server.url()).await.unwrap(), prefix)
}

#[tokio::test]
async fn hints_and_progress_reach_the_other_process_and_no_other_system() {
    let server = NatsServer::start();
    let one = connect(&server, "kmrl").await;
    let two = connect(&server, "kmrl").await;
    let stranger = connect(&server, "other").await;
    let (mut appended, projected) = (two.on_appended(), two.on_projected());
    let strange = stranger.on_appended();
    // The other's ear may not be open yet: a hint may be lost, and is given again.
    eventually("a hint", || async {
        one.appended();
        appended.has_changed().unwrap().then_some(())
    })
    .await;
    appended.borrow_and_update();
    assert!(!projected.has_changed().unwrap());
    let mut progress = two.progress();
    let report = Progress {
        document_id: Uuid::nil(),
        percent: 50,
        page: 1,
        pages: 2,
        timestamp: OffsetDateTime::UNIX_EPOCH,
    };
    one.send_progress(report.clone());
    assert_eq!(progress.recv().await.unwrap(), report);
    assert!(!strange.has_changed().unwrap());
}

#[tokio::test]
async fn a_process_hears_its_own_hint_once() {
    let server = NatsServer::start();
    let one = connect(&server, "kmrl").await;
    let two = connect(&server, "kmrl").await;
    let hints = one.on_jobs_published();
    one.jobs_published();
    // Back from the server come ours, then the other's: only the latter counts.
    let mut progress = one.progress();
    let report = Progress {
        document_id: Uuid::nil(),
        percent: 1,
        page: 1,
        pages: 100,
        timestamp: OffsetDateTime::UNIX_EPOCH,
    };
    eventually("the other's report", || {
        two.send_progress(report.clone());
        let heard = progress.try_recv().ok();
        async move { heard }
    })
    .await;
    assert_eq!(*hints.borrow(), 1);
}
