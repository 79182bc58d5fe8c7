//! One round: everything probed side by side, and what is made of it.

use super::probe::{Probe, State, probe, probe_within};
use super::{HealthReport, Lag, Probed, disk, figures};
use crate::config::HealthSettings;
use crate::health::jail::JailView;
use sqlx::PgConnection;
use std::io;
use std::time::Duration;
use time::OffsetDateTime;

/// A connection that took longer than this to get says that there are too few.
const SLOW_POOL_MS: f64 = 1_000.0;
/// The first time, processes are started.
const JAIL_PATIENCE: Duration = Duration::from_secs(15);

pub(super) async fn of(p: &Probed) -> HealthReport {
    p.metrics.health_round();
    let (database, engines, scanner, (jail, jailed), (disk, room)) = tokio::join!(
        database(p),
        engines(p),
        scanner(p),
        jail(p),
        probe("disk", disk::of(&p.data_dir)),
    );
    let mut components = database.probes;
    components.extend(engines);
    components.extend(scanner);
    components.extend(jailed);
    let short = disk.filter(|disk| disk.free < p.settings.now().disk_free_bytes);
    components.push(room.judged(short.map(|disk| format!("{} bytes are free", disk.free))));
    let is_down = |probe: &Probe| probe.required && probe.status == State::Down;
    let status = if components.iter().any(is_down) {
        "unhealthy"
    } else if components.iter().any(|probe| probe.status != State::Up) {
        "degraded"
    } else {
        "healthy"
    };
    let mut report = HealthReport::of(p, components, status);
    report.head = database.head;
    report.visible = database.visible;
    report.jail = jail;
    report.figures = database.figures;
    report.figures.disk = disk;
    report
}

/// What the database was asked.
#[derive(Default)]
struct Database {
    probes: Vec<Probe>,
    head: Option<i64>,
    visible: Option<i64>,
    figures: figures::Figures,
}

async fn database(p: &Probed) -> Database {
    let mut found = Database::default();
    // Side by side: while the database is away each of them waits until its patience ends.
    let ((head, postgresql), (connection, pool), (visible, read_models)) = tokio::join!(
        probe("postgresql", p.log.head()),
        probe("pool", p.pool.acquire()),
        probe("read_models", figures::visible(&p.read)),
    );
    (found.head, found.visible) = (head, visible);
    found.probes.push(postgresql.required());
    let slow = pool.latency_ms > SLOW_POOL_MS;
    found
        .probes
        .push(pool.judged(slow.then(|| "connections are waited for".to_owned())));
    found.probes.push(read_models.required());
    if let Some(mut connection) = connection {
        clock(p, &mut connection, &mut found).await;
        followers(p, &mut connection, &mut found).await;
        waiting(p, &mut connection, &mut found).await;
    }
    found
}

async fn clock(p: &Probed, c: &mut PgConnection, found: &mut Database) {
    let (before, begun) = (p.clock.now(), tokio::time::Instant::now());
    let (theirs, clock) = probe("clock", figures::clock(c)).await;
    let ahead = theirs.map(|theirs| ahead(before, begun.elapsed(), theirs));
    let most = p.settings.now().clock_skew.as_secs_f64();
    let off = ahead.filter(|ahead| ahead.abs() > most);
    let says = off.map(|s| format!("this machine is {s:.1} s ahead of the database"));
    found.probes.push(clock.judged(says));
    found.figures.clock_ahead_seconds = ahead;
}

/// Everybody who goes along the log.
async fn followers(p: &Probed, c: &mut PgConnection, found: &mut Database) {
    let most = p.settings.now().lag;
    let (relay, probed) = probe("relay", figures::relay(c)).await;
    found
        .probes
        .push(probed.judged(late(relay.as_slice(), most)));
    found.figures.relay = relay;
    let (projections, probed) = probe("projections", figures::projections(c)).await;
    let behind = late(projections.as_deref().unwrap_or_default(), most);
    found.probes.push(probed.judged(behind));
    found.figures.projections = projections;
    let (notary, probed) = probe("notary", figures::notary(c)).await;
    let (notary, age) = notary.map_or((None, None), |(lag, age)| (Some(lag), age));
    // It signs every so often, so so much it may be behind anyway.
    let behind = late(notary.as_slice(), most + p.notary_every);
    found.probes.push(probed.judged(behind));
    (found.figures.notary, found.figures.checkpoint_age_seconds) = (notary, age);
}

async fn waiting(p: &Probed, c: &mut PgConnection, found: &mut Database) {
    let (queue, probed) = probe("queue", figures::queue(c)).await;
    let settings = p.settings.now();
    let long = queue
        .as_deref()
        .and_then(|queue| too_long(queue, &settings));
    found.probes.push(probed.judged(long));
    found.figures.queue = queue;
    found.figures.parked = probe("parked", figures::parked(c)).await.0;
}

/// Seconds that our clock is ahead of theirs, as far as it can be told.
fn ahead(before: OffsetDateTime, took: Duration, theirs: OffsetDateTime) -> f64 {
    let half = took.as_secs_f64() / 2.0;
    let difference = (before - theirs).as_seconds_f64() + half;
    difference.signum() * (difference.abs() - half).max(0.0)
}

fn late(all: &[Lag], most: Duration) -> Option<String> {
    let late = all.iter().filter(|lag| lag.seconds > most.as_secs_f64());
    let said: Vec<String> = late
        .map(|lag| format!("{} is {:.0} s behind", lag.name, lag.seconds))
        .collect();
    (!said.is_empty()).then(|| said.join(", "))
}

fn too_long(queue: &[super::QueueFigure], settings: &HealthSettings) -> Option<String> {
    let waiting = || queue.iter().filter(|figure| figure.state == "waiting");
    let jobs: i64 = waiting().map(|figure| figure.jobs).sum();
    if jobs.cast_unsigned() > settings.queue_jobs {
        return Some(format!("{jobs} jobs wait"));
    }
    let oldest = waiting()
        .map(|figure| figure.oldest_seconds)
        .fold(0.0, f64::max);
    (oldest > settings.queue_wait.as_secs_f64()).then(|| format!("a job waits for {oldest:.0} s"))
}

async fn engines(p: &Probed) -> [Probe; 2] {
    let (blobs, queue) = tokio::join!(
        probe("object_store", p.blobs.probe()),
        probe("jetstream", p.queue.probe()),
    );
    [blobs.1, queue.1]
}

async fn scanner(p: &Probed) -> Option<Probe> {
    let scanner = p.scanner.as_ref()?;
    Some(probe("clamd", scanner.probe()).await.1)
}

/// Jail and character recognition, where this process has readers.
async fn jail(p: &Probed) -> (Option<JailView>, Vec<Probe>) {
    let asked = async {
        let view = p.jail.view().await;
        if view.as_ref().is_some_and(|view| !view.was_asked()) {
            return Err(io::Error::other("no reader could be started"));
        }
        Ok(view)
    };
    let (view, probed) = probe_within(JAIL_PATIENCE, "jail", asked).await;
    match view {
        // It has none.
        Some(None) => (None, Vec::new()),
        Some(Some(view)) => {
            let partial = (!view.is_full()).then(|| "this system lacks some of it".to_owned());
            let mut recognition = probed.clone().judged(view.recognition_lacks.clone());
            recognition.name = "recognition";
            (Some(view), vec![probed.judged(partial), recognition])
        }
        None => (None, vec![probed]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_clock_is_told_as_far_as_the_round_trip_lets_it() {
        let theirs = datetime!(2026-01-01 12:00:00 UTC);
        let at = |seconds: f64| theirs + time::Duration::seconds_f64(seconds);
        let took = Duration::from_secs(2);
        // Asked a second before, answered a second after: perhaps the same.
        assert_eq!(ahead(at(-1.0), took, theirs), 0.0);
        assert!((ahead(at(5.0), took, theirs) - 5.0).abs() < 1e-6);
        assert!((ahead(at(-7.0), took, theirs) + 5.0).abs() < 1e-6);
    }
}
