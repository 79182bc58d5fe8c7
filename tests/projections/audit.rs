//! The audit trail: changes and accesses in one order, apart from what readers wait for.

use crate::history::{self, id};
use crate::world::{New, World};
use kmrl_domain::access::{self, AccessRecord, AccessRecorded, Outcome};
use kmrl_projections::query::{AuditFilter, AuditKey, AuditRow, Order};
use serde_json::json;
use time::macros::datetime;
use uuid::Uuid;

/// So many accesses to document 1, in one event of a stream of access.
fn accesses(sequence: i64, records: u32) -> New {
    let record = |n: u32| AccessRecord {
        document_id: Some(id(1)),
        version: Some(2),
        user_agent: Some(format!("agent {n}")),
        ..AccessRecord::new(
            if n.is_multiple_of(2) {
                "view"
            } else {
                "download"
            },
            if n.is_multiple_of(3) {
                Outcome::Denied
            } else {
                Outcome::Shown
            },
            if n.is_multiple_of(3) {
                "anonymous"
            } else {
                "key:admin"
            },
            datetime!(2026-01-02 03:04:05 UTC),
        )
    };
    let event = AccessRecorded {
        records: (0..records).map(record).collect(),
    };
    New {
        aggregate_type: access::TYPE,
        id: Uuid::from_u128(5),
        sequence,
        event_type: access::EVENT,
        payload: serde_json::to_value(event).unwrap(),
        private: None,
    }
}

/// A history with accesses in between; how many rows it makes.
async fn told(world: &World) -> usize {
    world.append(history::processed(1)).await;
    world.append(vec![accesses(1, 5)]).await;
    world.append(history::way(4)).await;
    world
        .append(vec![history::refused(1), accesses(2, 7)])
        .await;
    let head: i64 = sqlx::query_scalar("SELECT position FROM es_head")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    usize::try_from(head).unwrap() - 2 + 12
}

async fn all(world: &World, filter: &AuditFilter, order: Order) -> Vec<AuditRow> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let page = world.read.audit(filter, order, after, 3).await.unwrap();
        let Some(last) = page.last() else {
            return rows;
        };
        after = Some(last.key());
        rows.extend(page);
    }
}

#[tokio::test]
async fn pages_hold_every_entry_once_in_either_order() {
    let world = World::new().await;
    let expected = told(&world).await;
    world.catch_up().await;
    let oldest = all(&world, &AuditFilter::default(), Order::Oldest).await;
    assert_eq!(oldest.len(), expected);
    assert!(oldest.is_sorted_by_key(AuditRow::key));
    let mut newest = all(&world, &AuditFilter::default(), Order::Newest).await;
    newest.reverse();
    assert_eq!(newest, oldest);
}

#[tokio::test]
async fn filters_take_what_they_say() {
    let world = World::new().await;
    told(&world).await;
    world.catch_up().await;
    let every = all(&world, &AuditFilter::default(), Order::Oldest).await;
    let check = async |filter: AuditFilter, fits: &dyn Fn(&AuditRow) -> bool| {
        let found = all(&world, &filter, Order::Oldest).await;
        let expected: Vec<_> = every.iter().filter(|r| fits(r)).cloned().collect();
        assert!(!expected.is_empty(), "{filter:?}");
        assert_eq!(found, expected, "{filter:?}");
    };
    let any = AuditFilter::default;
    let of_one = AuditFilter {
        document_id: Some(id(1)),
        ..any()
    };
    check(of_one, &|r| r.document_id == Some(id(1))).await;
    let view = AuditFilter {
        action: Some("view".into()),
        ..any()
    };
    check(view, &|r| r.action == "view").await;
    let denied = AuditFilter {
        outcome: Some(Outcome::Denied),
        ..any()
    };
    check(denied, &|r| r.outcome == "denied").await;
    let nobody = AuditFilter {
        actor: Some("anonymous".into()),
        ..any()
    };
    check(nobody, &|r| r.actor == "anonymous").await;
    let between = AuditFilter {
        after: Some(2),
        before: Some(6),
        ..any()
    };
    check(between, &|r| r.position > 2 && r.position < 6).await;
    let since = every[every.len() - 1].recorded_at;
    let late = AuditFilter {
        since: Some(since),
        ..any()
    };
    check(late, &|r| r.recorded_at >= since).await;
    let early = AuditFilter {
        until: Some(since),
        ..any()
    };
    check(early, &|r| r.recorded_at < since).await;
    let never = AuditFilter {
        since: Some(datetime!(2999-01-01 00:00 UTC)),
        ..any()
    };
    assert!(all(&world, &never, Order::Newest).await.is_empty());
}

#[tokio::test]
async fn delivered_twice_and_rebuilt_it_is_the_same() {
    let world = World::new().await;
    told(&world).await;
    world.catch_up().await;
    let before = world.dump_of("audit", 1).await;
    sqlx::query("UPDATE projections SET position = 2 WHERE name = 'audit'")
        .execute(&world.pool)
        .await
        .unwrap();
    world.catch_up().await;
    assert_eq!(world.dump_of("audit", 1).await, before);
    world
        .projector
        .rebuild("audit", &mut |_, _| {})
        .await
        .unwrap();
    assert_eq!(world.dump_of("audit", 2).await, before);
}

#[tokio::test]
async fn the_trail_holds_back_nobody() {
    let world = World::new().await;
    told(&world).await;
    let visible = world.projector.catch_up().await.unwrap();
    assert_eq!(world.read.visible_position().await.unwrap(), visible);
    assert_eq!(world.read.audit_position().await.unwrap(), 0);
    let shown = world.read.document(id(1)).await.unwrap().unwrap();
    assert_eq!(shown.shown_at, visible);
    world.projector.catch_up_apart().await.unwrap();
    assert_eq!(world.read.audit_position().await.unwrap(), visible);
}

#[tokio::test]
async fn an_event_of_access_that_cannot_be_read_is_parked_alone() {
    let world = World::new().await;
    let mut bad = accesses(1, 1);
    bad.payload = json!({"type": "AccessRecorded", "records": 7});
    world.append(vec![bad, accesses(2, 2)]).await;
    world.catch_up().await;
    assert_eq!(world.parked().await, [("audit".to_owned(), 1)].into());
    let rows = all(&world, &AuditFilter::default(), Order::Oldest).await;
    let keys: Vec<AuditKey> = rows.iter().map(AuditRow::key).collect();
    let key = |index| AuditKey { position: 2, index };
    assert_eq!(keys, [key(0), key(1)]);
}
