//! Connections to PostgreSQL and NATS are cut in the middle of what they send.

use crate::cast::{Cast, stage, world};
use crate::ledger::Ledger;
use crate::support::proxy::Proxy;
use crate::verdict::{Leaves, verify};

/// Bytes until a cut: within a statement, its arrays, its answer, a message to NATS.
const CUTS: [u32; 8] = [1, 60, 400, 1_500, 3_000, 6_000, 12_000, 30_000];

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_to_postgres_cut_in_the_middle_of_a_statement() {
    let stage = stage().await;
    let mut world = world(&[]).await;
    let proxy = Proxy::before(&world.database.url).await;
    let url = proxy.url(&world.database.url);
    world.settings.push(("DATABASE_URL".into(), url));
    let cast = Cast::of(world, None, stage).await;
    let ledger = cut_and_cut(&cast, &proxy, "cut-pg").await;
    verify(&cast, &ledger, Leaves::Perhaps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_to_nats_cut_in_the_middle_of_a_message() {
    let stage = stage().await;
    let mut world = world(&[]).await;
    let proxy = Proxy::before(world.nats.nats_url()).await;
    let url = proxy.url(world.nats.nats_url());
    world.settings.push(("NATS_URL".into(), url));
    let cast = Cast::of(world, None, stage).await;
    let ledger = cut_and_cut(&cast, &proxy, "cut-nats").await;
    assert!(ledger.sent.iter().all(|sent| sent.accepted));
    verify(&cast, &ledger, Leaves::Nothing).await;
}

async fn cut_and_cut(cast: &Cast, proxy: &Proxy, tag: &str) -> Ledger {
    let mut ledger = Ledger::new(tag);
    for bytes in CUTS {
        proxy.cut_after(bytes);
        for n in 0..3 {
            let text = format!("{tag} {bytes} {}", n / 2);
            let _ = ledger.upload(cast.api(), "cut.txt", text).await;
            let _ = ledger.read(cast.api(), "/api/v1/documents/").await;
        }
        proxy.cut();
    }
    // Nobody gets through for a while.
    proxy.refuse(true);
    let _ = ledger.upload(cast.api(), "alone.txt", "alone").await;
    proxy.refuse(false);
    ledger.send_again(cast.api()).await;
    ledger
}
