//! The jail of readers as health tells it: found out once, by trying, and kept.
//!
//! A kernel does not change while it runs, and whoever asks for health must not be able to start
//! processes by that.

use crate::ports::{JailProbe, JailReport, Protections};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::OnceCell;
use utoipa::ToSchema;

/// Finds it out with the first question.
pub struct Jail {
    probe: Option<Arc<dyn JailProbe>>,
    found: OnceCell<JailView>,
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
    recognition_lacks: Option<String>,
    /// Each format that is read by a program beside the gateway, and the one that is installed;
    /// null: none, and such documents end as `unsupported_type`.
    helpers: BTreeMap<String, Option<String>>,
}

impl Jail {
    /// Of a process with readers, or of one without.
    #[must_use]
    pub fn new(probe: Option<Arc<dyn JailProbe>>) -> Self {
        Self {
            probe,
            found: OnceCell::new(),
        }
    }

    pub(super) async fn view(&self) -> Option<JailView> {
        let probe = self.probe.as_ref()?;
        if let Some(found) = self.found.get() {
            return Some(found.clone());
        }
        let view = JailView::of(probe.probe().await);
        if view.reader.is_some() && view.programs.is_some() {
            // When two asked at once, they found the same.
            let _ = self.found.set(view.clone());
        }
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

    /// full or partial.
    pub(super) fn word(&self) -> &'static str {
        let reader = self.reader.is_some_and(Protections::is_full);
        let programs = self.programs.is_some_and(Protections::is_full_for_program);
        if reader && programs {
            "full"
        } else {
            "partial"
        }
    }
}
