//! Settings read again while the program runs, on SIGHUP.
//!
//! Owns which parts get which section. Settings that cannot be used change nothing.

use super::Parts;
use crate::config::{
    ConfigError, Current, DoorSettings, HealthSettings, JudgingSettings, LimitSettings,
    RetentionRule, SettingFlags, Settings, UploadSettings, Values,
};
use crate::logs;
use crate::metrics::{Metrics, Reload};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The sections that take effect without a new start.
#[derive(Clone)]
pub(super) struct Reloadable {
    pub(super) upload: Current<UploadSettings>,
    pub(super) door: Current<DoorSettings>,
    pub(super) judging: Current<JudgingSettings>,
    pub(super) health: Current<HealthSettings>,
    pub(super) retention: Current<Vec<RetentionRule>>,
    pub(super) origins: Current<Vec<String>>,
    pub(super) limits: Current<LimitSettings>,
}

impl Reloadable {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            upload: settings.upload.clone().into(),
            door: settings.door.clone().into(),
            judging: settings.judging.clone().into(),
            health: settings.health.clone().into(),
            retention: settings.erasure.retention.clone().into(),
            origins: settings.http.allowed_origins.clone().into(),
            limits: settings.limits.clone().into(),
        }
    }

    fn replace(&self, settings: Settings) {
        logs::replace_filter(&settings.log);
        self.upload.replace(settings.upload);
        self.door.replace(settings.door);
        self.judging.replace(settings.judging);
        self.health.replace(settings.health);
        self.retention.replace(settings.erasure.retention);
        self.origins.replace(settings.http.allowed_origins);
        self.limits.replace(settings.limits);
    }
}

/// Reads the settings again whenever the process gets SIGHUP, until shutdown.
pub(super) async fn run(parts: &Parts, flags: SettingFlags, shutdown: CancellationToken) {
    let Ok(mut hangups) = signal(SignalKind::hangup()) else {
        tracing::error!("SIGHUP cannot be listened for: settings are not read again");
        shutdown.cancelled().await;
        return;
    };
    let mut before = flags.reader().ok().map(|reader| reader.values());
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = hangups.recv() => {}
        }
        parts.look.notify_one();
        // Files are read: not on a thread that others wait for.
        let again = flags.clone();
        let read = tokio::task::spawn_blocking(move || read(&again)).await;
        let Ok(read) = read else {
            tracing::error!("reading the settings again broke off");
            parts.metrics.reloaded(Reload::Failed);
            continue;
        };
        apply(&parts.reloadable, &parts.metrics, read, &mut before);
    }
}

/// With its causes: whoever changed the file needs to know the line.
fn told(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}

fn read(flags: &SettingFlags) -> Result<(Settings, Values), ConfigError> {
    let reader = flags.reader()?;
    let values = reader.values();
    for warning in reader.warnings() {
        tracing::warn!("{warning}");
    }
    Ok((Settings::read(reader)?, values))
}

fn apply(
    reloadable: &Reloadable,
    metrics: &Arc<Metrics>,
    read: Result<(Settings, Values), ConfigError>,
    before: &mut Option<Values>,
) {
    let (settings, values) = match read {
        Ok(read) => read,
        Err(error) => {
            tracing::error!(
                error = told(&error),
                "the settings cannot be used; those before stay in force"
            );
            metrics.reloaded(Reload::Failed);
            return;
        }
    };
    let waiting = before
        .as_ref()
        .map_or_else(Vec::new, |before| before.need_restart(&values));
    reloadable.replace(settings);
    if waiting.is_empty() {
        tracing::info!("the settings were read again and are in force");
        metrics.reloaded(Reload::Applied);
    } else {
        tracing::warn!(
            settings = waiting.join(", "),
            "the settings were read again; these take effect with the next start"
        );
        metrics.reloaded(Reload::NeedsRestart);
    }
    // What needs a new start stays different from what the process began with.
    before.get_or_insert(values);
}
