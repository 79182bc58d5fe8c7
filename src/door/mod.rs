//! The door: what an upload is and carries, and whether it is let in.
//!
//! Owns the order of the questions (name, size, content, virus scanner), and that each has its answer
//! before anything is stored: what cannot be asked now is not let in now. It looks into no file
//! itself; that is done in the jailed child, behind a port.

mod judge;

use crate::config::{Current, DoorSettings, Policies};
use crate::ports::{ExtractFailure, InspectRequest, Inspector, Scan, ScanError, Scanner, Spooled};
use kmrl_domain::quarantine::{Admission, Objection};
use kmrl_extraction::Format;
use kmrl_extraction::inspect::{InspectLimits, Inspection, decoded_name, extension_of};
use std::io;
use std::sync::Arc;
use tokio::sync::Semaphore;

pub use judge::{Ground, Judged};

/// An upload before the door.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its bytes.
    pub file: &'a Spooled,
    /// The name that its sender gave it.
    pub file_name: &'a str,
    /// The media type that its sender declared.
    pub declared: Option<&'a str>,
}

/// What the door says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is let in, with what was found.
    Admitted {
        /// What was found.
        admission: Admission,
        /// What its content says it is.
        format: Option<Format>,
    },
    /// It is not let in.
    Refused {
        /// The gravest reason.
        ground: Ground,
        /// All of them.
        objections: Vec<Objection>,
    },
}

/// Why the door says nothing now.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The inspector could not be run.
    #[error("the inspector could not be run")]
    Inspector(#[source] io::Error),
    /// The virus scanner does not answer.
    #[error("the virus scanner does not answer")]
    Scanner(#[from] ScanError),
}

/// The door of the API.
pub struct Door {
    settings: Current<DoorSettings>,
    inspector: Arc<dyn Inspector>,
    scanner: Option<Arc<dyn Scanner>>,
    /// Inspections at once: each may take the memory of an extraction.
    places: Semaphore,
}

impl Door {
    /// A door that goes by these settings.
    #[must_use]
    pub fn new(
        settings: impl Into<Current<DoorSettings>>,
        inspector: Arc<dyn Inspector>,
        scanner: Option<Arc<dyn Scanner>>,
    ) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            settings: settings.into(),
            inspector,
            scanner,
            places: Semaphore::new(2 * processors),
        }
    }

    /// The virus scanner, where there is one.
    #[must_use]
    pub fn scanner(&self) -> Option<Arc<dyn Scanner>> {
        self.scanner.clone()
    }

    /// Whether files of this name are taken in at all; one without an extension may be.
    #[must_use]
    pub fn takes(&self, file_name: &str) -> bool {
        let extension = extension_of(&decoded_name(file_name));
        extension.is_empty() && !looks_extended(file_name)
            || self.settings.now().types.contains(&extension)
    }

    /// Most bytes of a file of this name, where that is less than of any file.
    #[must_use]
    pub fn max_bytes(&self, file_name: &str) -> Option<u64> {
        let extension = extension_of(&decoded_name(file_name));
        self.settings.now().max_bytes.get(&extension).copied()
    }

    /// Judges a file.
    ///
    /// # Errors
    /// When a question cannot be asked now, and none that can is enough to refuse.
    pub async fn judge(&self, candidate: Candidate<'_>) -> Result<Verdict, DoorError> {
        let (inspected, scanned) = tokio::join!(self.inspect(candidate), self.scan(candidate.file));
        let mut judged = Judged::default();
        let settings = self.settings.now();
        let format = match inspected {
            Ok(inspection) => {
                judged.inspection(&inspection, &settings.policies);
                self.unnamed(candidate, inspection.format, &mut judged);
                inspection.format
            }
            Err(ExtractFailure::Io(error)) => return Err(DoorError::Inspector(error)),
            Err(failure) => {
                tracing::warn!(
                    error = &failure as &dyn std::error::Error,
                    "an upload could not be inspected"
                );
                judged.uninspectable(&failure, &settings.policies);
                None
            }
        };
        match scanned {
            Ok(scan) => judged.scan(scan.as_ref(), &settings.policies),
            // What is refused anyway needs no scanner.
            Err(_) if judged.is_refused() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(judged.verdict(format))
    }

    async fn inspect(&self, candidate: Candidate<'_>) -> Result<Inspection, ExtractFailure> {
        let closed = |_| ExtractFailure::Io(io::Error::other("the door is closed"));
        let _place = self.places.acquire().await.map_err(closed)?;
        let settings = self.settings.now();
        let request = InspectRequest {
            path: candidate.file.path.clone(),
            file_name: candidate.file_name.to_owned(),
            content_type: candidate.declared.unwrap_or_default().to_owned(),
            limits: limits(&settings),
            within: settings.within,
        };
        self.inspector.inspect(request).await
    }

    async fn scan(&self, file: &Spooled) -> Result<Option<Scan>, ScanError> {
        match &self.scanner {
            Some(scanner) => scanner.scan(&file.path, file.size).await.map(Some),
            None => Ok(None),
        }
    }

    /// A file whose name says nothing is what its content is, or else what its sender declared.
    fn unnamed(&self, candidate: Candidate<'_>, content: Option<Format>, judged: &mut Judged) {
        if !extension_of(&decoded_name(candidate.file_name)).is_empty() {
            return;
        }
        let declared = candidate.declared.and_then(Format::of_media_type);
        let types = &self.settings.now().types;
        let is_taken = |format: Format| types.iter().any(|t| t == format.extension());
        match content.or(declared.filter(|format| format.is_bare_text())) {
            Some(format) if is_taken(format) => {}
            Some(_) => judged.refuse(Ground::Type, "files of this type are not taken in"),
            None => judged.refuse(
                Ground::Type,
                "neither name nor content nor declared type tell what it is",
            ),
        }
    }
}

/// The end of the name looks like an extension, though none that there is: `.tar.gz~`, `.{7b…}`.
fn looks_extended(file_name: &str) -> bool {
    let name = decoded_name(file_name);
    let end = name.rsplit_once('.').map(|(_, end)| end);
    end.is_some_and(|end| !end.is_empty() && !end.contains(char::is_whitespace))
}

fn limits(settings: &DoorSettings) -> InspectLimits {
    InspectLimits {
        max_depth: settings.max_depth,
        max_entries: settings.max_entries,
        max_unpacked_bytes: settings.max_unpacked_bytes,
        max_ratio: settings.max_ratio,
        max_pixels: settings.max_pixels,
    }
}

/// What is done about a ground.
const fn policy_of(policies: &Policies, ground: Ground) -> crate::config::Policy {
    use crate::config::Policy::Reject;
    match ground {
        Ground::Type | Ground::ArchiveBomb | Ground::PixelBomb => Reject,
        Ground::Mismatch => policies.mismatches,
        Ground::Polyglot => policies.polyglots,
        Ground::Executable => policies.executables,
        Ground::Macros => policies.macros,
        Ground::Javascript => policies.javascript,
        Ground::LaunchAction => policies.launch_actions,
        Ground::Opaque => policies.opaque,
        Ground::Uninspectable => policies.uninspectable,
        Ground::Malware => policies.malware,
        Ground::Unscanned => policies.unscanned,
    }
}
