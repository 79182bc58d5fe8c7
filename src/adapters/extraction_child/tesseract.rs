//! Characters in a picture, by tesseract in the jail of programs.
//!
//! Owns how tesseract is found, called and understood when it fails. What it recognised becomes a
//! page in `kmrl_extraction::recognised`.

use std::path::{Path, PathBuf};

use kmrl_extraction::{Page, recognised};
use tokio::time::Instant;

use super::program::{Run, RunFailure, find, run};
use super::spawner::Spawner;
use crate::config::RecognitionSettings;
use crate::extraction_child::Picture;
use crate::jail::program::Program;

/// More than any page has words for, in bytes.
const MOST_OUTPUT: usize = 16 * 1024 * 1024;
/// Where distributions put what tesseract was taught; the first is a folder a version.
const TAUGHT: [&str; 4] = [
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
    "/usr/share/tesseract/tessdata",
];
const TAUGHT_BY_VERSION: &str = "/usr/share/tesseract-ocr";

/// Tesseract, with all that it needs here.
#[derive(Clone, Debug)]
pub(super) struct Tesseract {
    program: PathBuf,
    taught: PathBuf,
    languages: String,
    dpi: u32,
}

/// Why a page was not recognised.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRecognised {
    #[error(transparent)]
    Run(#[from] RunFailure),
    #[error("tesseract ended with {status}: {complaint}")]
    Failed { status: String, complaint: String },
}

impl Tesseract {
    /// Find it. The error is what is missing, and what to do about it.
    pub(super) fn find(settings: &RecognitionSettings) -> Result<Self, String> {
        let program = find(&settings.program).ok_or_else(|| {
            format!(
                "the program {} is missing: {}",
                settings.program.display(),
                install(&settings.languages)
            )
        })?;
        let taught = folders(settings.data_dir.as_deref())
            .into_iter()
            .find(|folder| knows(folder, &settings.languages))
            .ok_or_else(|| {
                format!(
                    "tesseract lacks a language of {}: {}",
                    settings.languages,
                    install(&settings.languages)
                )
            })?;
        Ok(Self {
            program,
            taught,
            languages: settings.languages.clone(),
            dpi: settings.dpi,
        })
    }

    /// Recognise one picture.
    pub(super) async fn recognise(
        &self,
        spawner: &Spawner,
        itself: &Path,
        (picture, pixels): (Picture, Vec<u8>),
        memory_bytes: u64,
        deadline: Instant,
    ) -> Result<Page, NotRecognised> {
        let seconds = deadline.saturating_duration_since(Instant::now()).as_secs();
        let program = self.program(memory_bytes, seconds.saturating_add(2));
        // The plainest of all forms of pictures, which every build reads.
        let head = format!("P5\n{} {}\n255\n", picture.width, picture.height);
        let pieces = vec![head.into_bytes(), pixels];
        let Run {
            status,
            output,
            complaint,
        } = run(spawner, itself, &program, pieces, MOST_OUTPUT, deadline).await?;
        if !status.success() {
            return Err(NotRecognised::Failed {
                status: status.to_string(),
                complaint: String::from_utf8_lossy(&complaint).trim().to_owned(),
            });
        }
        let table = String::from_utf8_lossy(&output);
        Ok(recognised(picture.page, &table, &picture.frame))
    }

    fn program(&self, memory_bytes: u64, cpu_seconds: u64) -> Program {
        let arguments = ["stdin", "stdout", "-l", &self.languages, "--dpi"];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).into();
        arguments.extend([self.dpi.to_string(), "tsv".to_owned()]);
        let taught = self.taught.display().to_string();
        Program {
            path: self.program.clone(),
            arguments,
            environment: vec![
                ("TESSDATA_PREFIX".to_owned(), taught),
                // Pages are read side by side instead.
                ("OMP_THREAD_LIMIT".to_owned(), "1".to_owned()),
                ("LC_ALL".to_owned(), "C.UTF-8".to_owned()),
            ],
            read: vec![self.taught.clone()],
            run: Vec::new(),
            folder: None,
            processes: false,
            memory_bytes,
            cpu_seconds,
            file_bytes: 0,
        }
    }
}

fn folders(wanted: Option<&Path>) -> Vec<PathBuf> {
    if let Some(folder) = wanted {
        return vec![folder.to_owned()];
    }
    let versions = std::fs::read_dir(TAUGHT_BY_VERSION).into_iter().flatten();
    let mut folders: Vec<_> = versions
        .flatten()
        .map(|version| version.path().join("tessdata"))
        .collect();
    folders.sort();
    // The newest version first.
    folders.reverse();
    folders.extend(TAUGHT.map(PathBuf::from));
    folders
}

fn knows(folder: &Path, languages: &str) -> bool {
    languages
        .split('+')
        .all(|language| folder.join(format!("{language}.traineddata")).is_file())
}

fn install(languages: &str) -> String {
    let packages: Vec<_> = languages
        .split('+')
        .map(|language| format!("tesseract-ocr-{language}"))
        .collect();
    format!(
        "install it with `apt-get install tesseract-ocr {}` or `brew install tesseract \
         tesseract-lang`",
        packages.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn settings(program: &str, data_dir: Option<&Path>) -> RecognitionSettings {
        RecognitionSettings {
            program: program.into(),
            data_dir: data_dir.map(Path::to_owned),
            languages: "mal+eng".to_owned(),
            dpi: 300,
            page_limit: Duration::from_secs(60),
        }
    }

    #[test]
    fn what_is_missing_is_said_with_what_to_install() {
        let missing = Tesseract::find(&settings("/nowhere/tesseract", None)).unwrap_err();
        assert!(
            missing.contains("/nowhere/tesseract is missing"),
            "{missing}"
        );
        assert!(missing.contains("apt-get install tesseract-ocr tesseract-ocr-mal"));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("eng.traineddata"), "").unwrap();
        let found = Tesseract::find(&settings("/bin/sh", Some(folder.path())));
        assert!(found.unwrap_err().contains("lacks a language of mal+eng"));
        std::fs::write(folder.path().join("mal.traineddata"), "").unwrap();
        assert!(Tesseract::find(&settings("/bin/sh", Some(folder.path()))).is_ok());
    }
}
