//! Two of every role at once.

use crate::cast::{Cast, Part, stage, world};
use crate::ledger::Ledger;
use crate::support::gateway::Gateway;
use crate::verdict::{Leaves, verify};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_of_each_role_do_each_thing_once() {
    let stage = stage().await;
    let mut cast = Cast::of(
        world(&[("KMRL_DATABASE_MAX_CONNECTIONS", "4")]).await,
        None,
        stage,
    )
    .await;
    let others: Vec<Gateway> = ["relay,projector", "worker", "api"]
        .map(|roles| Gateway::spawn(cast.world.command(roles)))
        .into();
    let other_api = others.last().unwrap();
    let (mut one, mut two) = (Ledger::new("one"), Ledger::new("two"));
    let many = async |ledger: &mut Ledger, api: &Gateway| {
        for n in 0..20 {
            // Both send the same bytes at the same time.
            assert!(ledger.upload(api, "same.txt", format!("same {n}")).await);
            assert!(ledger.read(api, "/api/v1/documents/").await);
        }
    };
    tokio::join!(many(&mut one, cast.api()), many(&mut two, other_api));
    // One of each goes away in the middle of what there is to do.
    for part in [Part::Back, Part::Worker] {
        cast.kill(part);
    }
    one.append(two);
    verify(&cast, &one, Leaves::Perhaps).await;
}
