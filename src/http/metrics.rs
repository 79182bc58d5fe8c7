//! `/metrics` in the text format of Prometheus (exposition format 0.0.4): what was counted, and the
//! figures of the last round of probes.

use super::problem::{Problem, ProblemBody};
use super::state::ApiState;
use crate::health::{Figures, HealthReport, Lag, State as ComponentState};
use crate::metrics::{CONTENT_TYPE, MetricsError, Scrape};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};

/// Metrics for Prometheus
#[utoipa::path(
    get, path = "/metrics", tag = "health",
    responses(
        (status = 200, description = "Metrics", body = String, content_type = "text/plain"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn metrics(
    State(state): State<ApiState>,
) -> Result<([(HeaderName, HeaderValue); 1], String), Problem> {
    let report = state.health.report().await;
    // A figure that cannot be had is left out.
    let documents = match report.is_ready() {
        true => state
            .everything
            .statistics()
            .await
            .ok()
            .map(|s| s.by_status),
        // Who waits for a database that is away waits long.
        false => None,
    };
    let written = || -> Result<String, MetricsError> {
        let scrape = state.metrics.scrape();
        process(&scrape, &state)?;
        components(&scrape, &report)?;
        positions(&scrape, &report)?;
        lags(&scrape, &report.figures)?;
        waiting(&scrape, &report.figures)?;
        if let Some(documents) = &documents {
            let values = documents
                .iter()
                .map(|(status, n)| (vec![status.as_str()], float(*n)));
            scrape.figures(
                "kmrl_documents",
                "Documents by status.",
                &["status"],
                values,
            )?;
        }
        scrape.text()
    };
    let text = written().map_err(|error| Problem::internal(&error))?;
    let kind = HeaderValue::from_static(CONTENT_TYPE);
    Ok(([(header::CONTENT_TYPE, kind)], text))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "metrics are floats by definition"
)]
const fn float(n: i64) -> f64 {
    n as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "metrics are floats by definition"
)]
const fn float_of(n: u64) -> f64 {
    n as f64
}

/// What this process is and holds.
fn process(scrape: &Scrape<'_>, state: &ApiState) -> Result<(), MetricsError> {
    let version = env!("CARGO_PKG_VERSION");
    let build = [(vec![version], 1.0)];
    scrape.figures(
        "kmrl_build_info",
        "Which program this is.",
        &["version"],
        build,
    )?;
    let (size, idle) = (u64::from(state.pool.size()), state.pool.num_idle() as u64);
    let pool = [
        (vec!["idle"], float_of(idle.min(size))),
        (vec!["used"], float_of(size.saturating_sub(idle))),
    ];
    scrape.figures(
        "kmrl_pool_connections",
        "Connections to PostgreSQL.",
        &["state"],
        pool,
    )?;
    let most = u64::from(state.pool.options().get_max_connections());
    scrape.figure(
        "kmrl_pool_max_connections",
        "Most connections to PostgreSQL.",
        float_of(most),
    )?;
    let live = state.live.connections();
    let paths = [
        ("all", live.all),
        ("user", live.user),
        ("document", live.document),
        ("stream", live.stream),
    ];
    let live = paths.map(|(path, n)| (vec![path], float_of(n as u64)));
    scrape.figures(
        "kmrl_live_connections",
        "Live subscribers by path: WebSockets, and the stream of server-sent events.",
        &["path"],
        live,
    )
}

fn components(scrape: &Scrape<'_>, report: &HealthReport) -> Result<(), MetricsError> {
    let of = |value: fn(&crate::health::Probe) -> f64| {
        report
            .components
            .iter()
            .map(move |probe| (vec![probe.name], value(probe)))
    };
    let up = of(|probe| f64::from(u8::from(probe.status != ComponentState::Down)));
    scrape.figures(
        "kmrl_component_up",
        "1 when the component answered its probe.",
        &["component"],
        up,
    )?;
    let well = of(|probe| f64::from(u8::from(probe.status == ComponentState::Up)));
    scrape.figures(
        "kmrl_component_well",
        "1 when the component answered and is within its thresholds.",
        &["component"],
        well,
    )?;
    let latency = of(|probe| probe.latency_ms / 1_000.0);
    scrape.figures(
        "kmrl_component_latency_seconds",
        "How long the probe took.",
        &["component"],
        latency,
    )?;
    if let Some(jail) = &report.jail {
        let full = f64::from(u8::from(jail.is_full()));
        scrape.figure(
            "kmrl_jail_full",
            "1 when readers are refused everything that they should be.",
            full,
        )?;
    }
    Ok(())
}

fn positions(scrape: &Scrape<'_>, report: &HealthReport) -> Result<(), MetricsError> {
    let positions = [
        (
            "kmrl_log_head_position",
            "Position of the newest event.",
            report.head,
        ),
        (
            "kmrl_log_visible_position",
            "Position that can be read.",
            report.visible,
        ),
    ];
    for (name, help, position) in positions {
        if let Some(position) = position {
            scrape.figure(name, help, float(position))?;
        }
    }
    Ok(())
}

fn lags(scrape: &Scrape<'_>, figures: &Figures) -> Result<(), MetricsError> {
    if let Some(relay) = &figures.relay {
        scrape.figure(
            "kmrl_relay_lag_events",
            "Events that the relay has not taken in, counted up to 10,000.",
            float(relay.events),
        )?;
        scrape.figure(
            "kmrl_relay_lag_seconds",
            "How long the oldest of them has waited.",
            relay.seconds,
        )?;
    }
    if let Some(notary) = &figures.notary {
        scrape.figure(
            "kmrl_checkpoint_lag_events",
            "Entries of the log that no signed checkpoint covers.",
            float(notary.events),
        )?;
        scrape.figure(
            "kmrl_checkpoint_lag_seconds",
            "Age of the oldest of them.",
            notary.seconds,
        )?;
    }
    if let Some(age) = figures.checkpoint_age_seconds {
        scrape.figure(
            "kmrl_checkpoint_age_seconds",
            "Age of the newest signed checkpoint. Grows while the log does not.",
            age,
        )?;
    }
    if let Some(projections) = &figures.projections {
        let of = |value: fn(&Lag) -> f64| {
            projections
                .iter()
                .map(move |lag| (vec![lag.name.as_str()], value(lag)))
        };
        scrape.figures(
            "kmrl_projection_lag_events",
            "Positions that a projection has not passed.",
            &["projection"],
            of(|lag| float(lag.events)),
        )?;
        scrape.figures(
            "kmrl_projection_lag_seconds",
            "How long the oldest of them has waited.",
            &["projection"],
            of(|lag| lag.seconds),
        )?;
    }
    if let Some(ahead) = figures.clock_ahead_seconds {
        scrape.figure(
            "kmrl_clock_ahead_seconds",
            "How far this machine's clock is ahead of the database's.",
            ahead,
        )?;
    }
    Ok(())
}

fn waiting(scrape: &Scrape<'_>, figures: &Figures) -> Result<(), MetricsError> {
    if let Some(queue) = &figures.queue {
        let labels = &["priority", "state"];
        let jobs = queue
            .iter()
            .map(|f| (vec![f.priority.as_str(), f.state.as_str()], float(f.jobs)));
        scrape.figures("kmrl_queue_jobs", "Jobs that are not ended.", labels, jobs)?;
        let oldest = queue
            .iter()
            .filter(|f| f.state == "waiting")
            .map(|f| (vec![f.priority.as_str()], f.oldest_seconds));
        scrape.figures(
            "kmrl_queue_oldest_waiting_seconds",
            "How long the oldest job could have been worked on.",
            &["priority"],
            oldest,
        )?;
    }
    if let Some(parked) = &figures.parked {
        let values = parked
            .iter()
            .map(|(name, n)| (vec![name.as_str()], float(*n)));
        scrape.figures(
            "kmrl_parked_events",
            "Events that a projection could not apply.",
            &["projection"],
            values,
        )?;
    }
    if let Some(disk) = figures.disk {
        scrape.figure(
            "kmrl_disk_free_bytes",
            "Room on the disk of the data folder.",
            float_of(disk.free),
        )?;
        scrape.figure(
            "kmrl_disk_total_bytes",
            "Size of the disk of the data folder.",
            float_of(disk.total),
        )?;
    }
    Ok(())
}
