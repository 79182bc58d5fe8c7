//! Settings of character recognition: which program, which languages, how long.

use super::reader::Reader;
use std::path::PathBuf;
use std::time::Duration;

/// How pictures become text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecognitionSettings {
    /// Name or path of tesseract.
    pub program: PathBuf,
    /// Folder with what it was taught; absent: where distributions put it.
    pub data_dir: Option<PathBuf>,
    /// Languages in tesseract's words, joined by `+`.
    pub languages: String,
    /// Pixels an inch that pages of PDFs are drawn with.
    pub dpi: u32,
    /// The longest that one page may take.
    pub page_limit: Duration,
}

impl Default for RecognitionSettings {
    fn default() -> Self {
        Self {
            program: "tesseract".into(),
            data_dir: None,
            languages: "mal+eng".to_owned(),
            dpi: 300,
            page_limit: Duration::from_secs(60),
        }
    }
}

pub(super) fn recognition(r: &mut Reader) -> RecognitionSettings {
    let default = RecognitionSettings::default();
    let languages = r.required("ocr.languages", default.languages);
    let is_language = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if !languages.split('+').all(is_language) {
        r.error(
            "ocr.languages",
            "must be words such as mal and eng joined by +",
        );
    }
    RecognitionSettings {
        program: r.required("ocr.program", default.program),
        data_dir: r.optional("ocr.data_dir"),
        languages,
        dpi: u32::try_from(r.number("ocr.dpi", 72, 600)).unwrap_or(default.dpi),
        page_limit: Duration::from_secs(r.number("ocr.page_limit", 1, 3_600)),
    }
}
