//! The door's verdicts as answers: which problem a refusal is, and what an admission goes on with.

use super::super::problem::{Problem, ProblemType};
use super::super::state::ApiState;
use super::form::{Form, Unaccepted, check_name, refused};
use crate::door::{Candidate, Door, DoorError, Ground, Verdict};
use kmrl_domain::quarantine::{Admission, Objection};
use kmrl_extraction::Format;
use kmrl_extraction::inspect::decoded_name;

/// An upload that is let in.
pub(super) struct Admitted {
    pub(super) admission: Admission,
    pub(super) format: Option<Format>,
}

/// An upload that is not.
pub(super) enum Stopped {
    /// It is not taken in; worth keeping that it happened.
    Refused(Problem, Vec<Objection>),
    /// The question cannot be asked now.
    Failed(Problem),
}

/// Asks by name alone, before a byte is read: whether such files are taken in, and the most bytes
/// that one may have.
pub(super) fn knock(door: &Door, name: &str, most: u64) -> Result<u64, Unaccepted> {
    // What it is called once it is decoded has to be a name as well.
    check_name(&decoded_name(name))?;
    if !door.takes(name) {
        return Err(refused(
            ProblemType::FileTypeNotAllowed,
            "the extension of the file name is none of those taken in (door.types)",
        ));
    }
    Ok(door.max_bytes(name).unwrap_or(most).min(most))
}

/// Has the file judged.
pub(super) async fn pass(state: &ApiState, form: &Form) -> Result<Admitted, Stopped> {
    let candidate = Candidate {
        file: &form.file,
        file_name: &form.file_name,
        declared: form.declared_type.as_deref(),
    };
    match state.door.judge(candidate).await {
        Ok(Verdict::Admitted { admission, format }) => Ok(Admitted { admission, format }),
        Ok(Verdict::Refused { ground, objections }) => {
            let details: Vec<_> = objections.iter().map(|o| o.detail.as_str()).collect();
            let problem = Problem::new(kind_of(ground)).detail(details.join("; "));
            Err(Stopped::Refused(problem, objections))
        }
        Err(error) => Err(Stopped::Failed(unavailable(&error))),
    }
}

fn unavailable(error: &DoorError) -> Problem {
    Problem::unavailable(ProblemType::InspectorUnavailable, error).detail(error.to_string())
}

const fn kind_of(ground: Ground) -> ProblemType {
    match ground {
        Ground::Type => ProblemType::FileTypeNotAllowed,
        Ground::Mismatch => ProblemType::FileTypeMismatch,
        Ground::Polyglot => ProblemType::FilePolyglot,
        Ground::ArchiveBomb => ProblemType::ArchiveBomb,
        Ground::PixelBomb => ProblemType::PixelBomb,
        Ground::Executable => ProblemType::ExecutableContent,
        Ground::Macros | Ground::Javascript | Ground::LaunchAction => ProblemType::ActiveContent,
        Ground::Opaque | Ground::Uninspectable | Ground::Unscanned => {
            ProblemType::ContentUninspectable
        }
        Ground::Malware => ProblemType::MalwareFound,
    }
}
