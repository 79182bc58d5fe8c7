//! Structured logs: lines for people on a terminal, JSON elsewhere. Owns the subscriber, once.

use crate::config::{LogFormat, LogSettings};
use std::io::IsTerminal;
use std::sync::OnceLock;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt};

/// The filter in force, to be replaced.
static FILTER: OnceLock<Handle<EnvFilter, Registry>> = OnceLock::new();

/// Installs the subscriber for the process. Logs go to standard error; standard output is for
/// what a command prints.
pub fn init(settings: &LogSettings) {
    let (filter, handle) = reload::Layer::new(filter(settings));
    let human = match settings.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if human {
        lines.with_target(false).boxed()
    } else {
        lines.json().flatten_event(true).boxed()
    };
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    // A second call (tests) keeps the first subscriber.
    if subscriber.try_init().is_ok() {
        let _ = FILTER.set(handle);
    }
}

/// Puts another filter in force. The form of the lines stays.
pub fn replace_filter(settings: &LogSettings) {
    let Some(handle) = FILTER.get() else {
        return;
    };
    if let Err(error) = handle.reload(filter(settings)) {
        tracing::error!(%error, "the filter of the log was not replaced");
    }
}

fn filter(settings: &LogSettings) -> EnvFilter {
    // The filter was checked with the settings.
    EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new("info"))
}
