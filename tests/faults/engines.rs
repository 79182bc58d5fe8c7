//! PostgreSQL and NATS go away under load and come back; the clock is set back.

use crate::cast::{Cast, own_world, stage, world};
use crate::ledger::Ledger;
use crate::support::eventually;
use crate::support::gateway::{World, signal};
use crate::verdict::{Leaves, verify};

/// Uploads and reads that go on whatever happens.
async fn load(cast: &Cast, ledger: &mut Ledger, uploads: u32) {
    for n in 0..uploads {
        // What is not answered is sent again later.
        let _ = ledger
            .upload(cast.api(), &format!("{n}.txt"), format!("load {}", n % 20))
            .await;
        let _ = ledger.read(cast.api(), "/api/v1/documents/").await;
    }
}

async fn some_are_in(world: &World, count: i64) {
    eventually("some uploads are in", || async {
        let sql = "SELECT count(*) FROM events WHERE event_type = 'Uploaded'";
        let query = sqlx::query_scalar(sql).fetch_one(&world.database.pool);
        let found: i64 = query.await.ok()?;
        (found >= count).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_stopped_at_once_under_load_and_started_again() {
    let stage = stage().await;
    let (world, postgres, _dir) = own_world().await;
    let cast = Cast::of(world, None, stage).await;
    let mut ledger = Ledger::new("postgres");
    let stop_twice = async {
        some_are_in(&cast.world, 5).await;
        // An immediate stop; whoever supervises it starts it again.
        let before = postgres.pid().unwrap();
        signal(before, "QUIT");
        eventually("it runs again", || async {
            postgres.pid().filter(|pid| *pid != before)
        })
        .await;
        postgres.kill().await.unwrap();
        postgres.restart().await.unwrap();
    };
    tokio::join!(load(&cast, &mut ledger, 40), stop_twice);
    ledger.send_again(cast.api()).await;
    verify(&cast, &ledger, Leaves::Perhaps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_killed_under_load_and_its_store_wiped() {
    let cast = Cast::new(None).await;
    let mut ledger = Ledger::new("nats");
    let wipe = async {
        some_are_in(&cast.world, 5).await;
        cast.world.nats.kill().await.unwrap();
        some_are_in(&cast.world, 12).await;
        cast.world.nats.restart_empty().await.unwrap();
    };
    tokio::join!(load(&cast, &mut ledger, 30), wipe);
    // Uploads do not need NATS.
    assert!(ledger.sent.iter().all(|sent| sent.accepted));
    verify(&cast, &ledger, Leaves::Nothing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_back_stops_nothing_and_the_logs_time_never_decreases() {
    let stage = stage().await;
    let cast = Cast::of(world(&[]).await, None, stage).await;
    let mut ledger = Ledger::new("clock");
    ledger.some_uploads(cast.api()).await;
    // The log is an hour ahead of the clock, as it is when the clock is set back by an hour.
    let ahead = "UPDATE es_head SET recorded_at = recorded_at + interval '1 hour'";
    cast.world.as_superuser(ahead).await;
    load(&cast, &mut ledger, 5).await;
    verify(&cast, &ledger, Leaves::Nothing).await;
    let still: bool =
        sqlx::query_scalar("SELECT recorded_at > now() + interval '30 minutes' FROM es_head")
            .fetch_one(&cast.world.database.pool)
            .await
            .unwrap();
    assert!(still, "the log's time went back");
}
