//! The jail of readers as health tells it: found out by trying, and kept for a while.
//!
//! A kernel does not change while it runs, but whether a child can be started does. Whoever asks for
//! health must not be able to start processes by that, so a good answer is kept.

use crate::ports::{JailProbe, JailReport, Protections};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;

/// Finds it out with the first question, and again after a time.
pub struct Jail {
    probe: Option<Arc<dyn JailProbe>>,
    every: Duration,
    found: Mutex<Option<(Instant, JailView)>>,
}

/// What processes that touch documents cannot do; what is `true` was tried and refused.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JailView {
    /// Our own reader; absent when it could not be asked.
    reader: Option<Protections>,
    /// Programs of others, such as tesseract; absent when it could not be asked.
    programs: Option<Protections>,
    /// What character recognition lacks; absent when it lacks nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recognition_lacks: Option<String>,
    /// Each format that is read by a program beside the gateway, and the one that is installed;
    /// null: none, and such documents end as `unsupported_type`.
    helpers: BTreeMap<String, Option<String>>,
}

impl Jail {
    /// Of a process with readers, or of one without.
    #[must_use]
    pub fn new(probe: Option<Arc<dyn JailProbe>>, every: Duration) -> Self {
        Self {
            probe,
            every,
            found: Mutex::new(None),
        }
    }

    pub(super) async fn view(&self) -> Option<JailView> {
        let probe = self.probe.as_ref()?;
        let mut found = self.found.lock().await;
        if let Some((at, view)) = &*found
            && at.elapsed() < self.every
        {
            return Some(view.clone());
        }
        let view = JailView::of(probe.probe().await);
        // One that could not be asked is asked again with the next question.
        *found = view.was_asked().then(|| (Instant::now(), view.clone()));
        Some(view)
    }
}

impl JailView {
    fn of(report: JailReport) -> Self {
        let told = |found: Result<Protections, String>| {
            found
                .inspect_err(|error| tracing::warn!(%error, "the jail could not be probed"))
                .ok()
        };
        Self {
            reader: told(report.reader),
            programs: told(report.program),
            recognition_lacks: report.recognition,
            helpers: report
                .helpers
                .into_iter()
                .map(|(format, program)| {
                    let program = program.map(|program| program.display().to_string());
                    (format.to_owned(), program)
                })
                .collect(),
        }
    }

    /// Both jails could be tried.
    pub(super) const fn was_asked(&self) -> bool {
        self.reader.is_some() && self.programs.is_some()
    }

    /// Everything that should be refused is.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let reader = self.reader.is_some_and(Protections::is_full);
        let programs = self.programs.is_some_and(Protections::is_full_for_program);
        reader && programs
    }

    /// full or partial.
    #[must_use]
    pub fn word(&self) -> &'static str {
        if self.is_full() { "full" } else { "partial" }
    }
}
