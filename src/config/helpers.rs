//! Settings of the programs that read formats which the gateway does not read itself.

use super::reader::Reader;
use kmrl_extraction::Helper;
use std::path::{Path, PathBuf};

/// Which programs may be asked for help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelperSettings {
    /// Names or paths, the one to be tried first in front. The last part of each says which it is.
    pub programs: Vec<PathBuf>,
}

impl Default for HelperSettings {
    fn default() -> Self {
        Self {
            programs: Helper::programs().map(PathBuf::from).collect(),
        }
    }
}

pub(super) fn helpers(r: &mut Reader) -> HelperSettings {
    let named: String = r.required("helpers.programs", "none".to_owned());
    let words = named.split(',').map(str::trim);
    let programs: Vec<_> = words
        .filter(|word| !word.is_empty() && *word != "none")
        .map(PathBuf::from)
        .collect();
    let unknown = |program: &&PathBuf| !is_known(program);
    if let Some(program) = programs.iter().find(unknown) {
        let known: Vec<_> = Helper::programs().collect();
        let (program, known) = (program.display(), known.join(", "));
        r.error(
            "helpers.programs",
            &format!("{program} is none of {known}, with a path or without"),
        );
    }
    HelperSettings { programs }
}

fn is_known(program: &Path) -> bool {
    Helper::programs().any(|known| program.file_name() == Some(known.as_ref()))
}
