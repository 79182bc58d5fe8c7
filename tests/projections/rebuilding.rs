//! A rebuilt projection equals the live one, while the log grows too, and can be taken back.

use crate::history;
use crate::world::{World, append};
use kmrl_projections::{NAMES, ProjectionError, Projector};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[tokio::test]
async fn a_rebuild_equals_what_grew_in_small_steps() {
    let world = World::new().await;
    let events = history::interleaved(0..70);
    for few in events.chunks(13) {
        world.append(few.to_vec()).await;
        world.catch_up().await;
    }
    let live = world.dump(1).await;
    for name in NAMES {
        let mut told = Vec::new();
        let report = world
            .projector
            .rebuild(name, &mut |done, head| told.push((done, head)))
            .await
            .unwrap();
        assert_eq!(
            (report.generation, report.previous, report.parked),
            (2, 1, 0)
        );
        let head = events.len() as i64;
        assert_eq!(
            (told.first(), told.last()),
            (Some(&(0, head)), Some(&(head, head)))
        );
    }
    assert_eq!(world.dump(2).await, live);
    assert_eq!(world.dump(1).await, live, "the one before is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_goes_on_while_the_log_grows_and_readers_read() {
    let world = World::new().await;
    world.append(history::interleaved(0..200)).await;
    world.catch_up().await;
    let done = Arc::new(AtomicBool::new(false));
    let (pool, projector, stop) = (world.pool.clone(), world.projector.clone(), done.clone());
    let grower = tokio::spawn(async move {
        let mut next = 200;
        while !stop.load(Ordering::Relaxed) && next < 2_000 {
            append(&pool, history::interleaved(next..next + 5)).await;
            projector.catch_up().await.unwrap();
            next += 5;
        }
        next
    });
    let (read, stop) = (world.read.clone(), done.clone());
    let reader = tokio::spawn(async move {
        let mut most = 0;
        while !stop.load(Ordering::Relaxed) {
            let total = read.statistics().await.unwrap().total;
            assert!(total >= most, "readers never see less");
            most = total;
            assert!(read.document(history::id(2)).await.unwrap().is_some());
        }
    });
    for name in NAMES {
        world.projector.rebuild(name, &mut |_, _| {}).await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    let uploads = grower.await.unwrap();
    reader.await.unwrap();
    world.catch_up().await;
    let statistics = world.read.statistics().await.unwrap();
    assert_eq!(statistics.total + statistics.withdrawn, i64::from(uploads));
    let grown = world.dump(2).await;
    for name in NAMES {
        world.projector.rebuild(name, &mut |_, _| {}).await.unwrap();
    }
    assert_eq!(world.dump(3).await, grown);
}

#[tokio::test]
async fn two_rebuilds_at_once_make_one_generation() {
    let world = World::new().await;
    world.append(history::interleaved(0..70)).await;
    world.catch_up().await;
    let (mut quiet, mut silent) = (|_, _| {}, |_, _| {});
    let (one, other) = tokio::join!(
        world.projector.rebuild("documents", &mut quiet),
        world.projector.rebuild("documents", &mut silent),
    );
    assert_eq!(one.unwrap().generation, 2);
    assert_eq!(other.unwrap().generation, 2);
    let (old, new) = (world.dump_of("documents", 1), world.dump_of("documents", 2));
    assert_eq!(old.await, new.await);
}

#[tokio::test]
async fn a_rollback_shows_the_one_before_caught_up() {
    let world = World::new().await;
    world.append(history::interleaved(0..20)).await;
    world.catch_up().await;
    assert!(matches!(
        world.projector.rollback("statistics").await,
        Err(ProjectionError::NothingToRollBackTo {
            projection: "statistics"
        })
    ));
    world
        .projector
        .rebuild("statistics", &mut |_, _| {})
        .await
        .unwrap();
    world.append(history::interleaved(20..40)).await;
    world.catch_up().await;
    let before = world.read.statistics().await.unwrap();
    let report = world.projector.rollback("statistics").await.unwrap();
    assert_eq!((report.generation, report.previous), (1, 2));
    assert_eq!(world.read.statistics().await.unwrap(), before);
    world.append(history::interleaved(40..50)).await;
    let head = world.catch_up().await;
    assert_eq!(world.position("statistics").await, head);
    // The next rebuild keeps only the one that it takes the place of.
    let report = world
        .projector
        .rebuild("statistics", &mut |_, _| {})
        .await
        .unwrap();
    assert_eq!((report.generation, report.previous), (3, 1));
    let kept: Vec<i32> = sqlx::query_scalar(
        "SELECT generation FROM projections WHERE name = 'statistics' ORDER BY 1",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert_eq!(kept, [1, 3]);
}

#[tokio::test]
async fn tables_of_another_shape_are_rebuilt_while_they_are_still_read() {
    let world = World::new().await;
    world.append(history::interleaved(0..20)).await;
    world.catch_up().await;
    let before = world.dump(1).await;
    sqlx::query("UPDATE projections SET shape = shape - 1")
        .execute(&world.pool)
        .await
        .unwrap();
    assert!(matches!(
        world.projector.catch_up().await,
        Err(ProjectionError::NotPrepared { .. })
    ));
    world.projector.prepare().await.unwrap();
    assert_eq!(world.read.statistics().await.unwrap().withdrawn, 2);
    world.catch_up().await;
    assert_eq!(world.dump(2).await, before);
    assert!(matches!(
        world.projector.rollback("texts").await,
        Err(ProjectionError::NothingToRollBackTo { .. })
    ));
}

#[tokio::test]
async fn programs_that_start_at_once_prepare_once() {
    let world = World::new().await;
    sqlx::raw_sql("DELETE FROM projections; DROP SCHEMA rm_texts_1 CASCADE; DROP SCHEMA rm_statistics_1 CASCADE; DROP SCHEMA rm_validation_errors_1 CASCADE; DROP SCHEMA rm_documents_1 CASCADE; DROP SCHEMA rm_search_1 CASCADE; DROP SCHEMA rm_audit_1 CASCADE; DROP SCHEMA rm_api_keys_1 CASCADE;")
        .execute(&world.pool)
        .await
        .unwrap();
    let other = Projector::new(world.pool.clone(), world.log.clone(), world.shelf.clone());
    let (one, two) = tokio::join!(world.projector.prepare(), other.prepare());
    one.unwrap();
    two.unwrap();
    let generations: i64 = sqlx::query_scalar("SELECT count(*) FROM projections")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(generations, NAMES.len() as i64);
}
