//! Pages that are pictures: made into rasters by one child, recognised one at a time.
//!
//! Owns that loop and what a document is worth of which not every page could be recognised. While
//! tesseract is at one page, the child draws the next.

use kmrl_extraction::{Extraction, Page, PageProgress};
use tokio::sync::mpsc;

use super::ExtractionChild;
use super::program::RunFailure;
use super::session::{Deadline, Heard, Session};
use super::tesseract::{NotRecognised, Tesseract};
use crate::extraction_child::{Picture, Render, Task};
use crate::ports::{ExtractFailure, ExtractRequest};

/// Recognise what is not text yet in an extraction. A document with text on any page is worth what
/// it has; its other pages stay pictures, and lower its confidence.
pub(super) async fn recognise(
    children: &ExtractionChild,
    input: &ExtractRequest,
    extraction: Extraction,
    deadline: Deadline,
    progress: &mpsc::Sender<PageProgress>,
) -> Result<Extraction, ExtractFailure> {
    let wanted = extraction.pictures();
    if wanted.is_empty() {
        return Ok(extraction);
    }
    let tesseract = match Tesseract::find(&children.settings.recognition) {
        Ok(tesseract) => tesseract,
        Err(what) => return worth(extraction, Some(ExtractFailure::OcrUnavailable { what })),
    };
    let task = Task::Render(Render {
        pages: wanted.clone(),
        dpi: children.settings.recognition.dpi,
    });
    let pages = u32::try_from(extraction.pages.len()).unwrap_or(u32::MAX);
    let pictures = u32::try_from(wanted.len()).unwrap_or(u32::MAX);
    let mut work = Work {
        children,
        tesseract,
        deadline,
        progress,
        last: PageProgress {
            page: pages.saturating_sub(pictures),
            pages,
        },
        read: Vec::new(),
        failure: None,
    };
    match children.start(task, input, deadline).await {
        Ok(session) => work.run(session, &wanted).await,
        Err(failure) => work.failure = Some(failure),
    }
    worth(extraction.with_recognised(work.read), work.failure)
}

/// The document when it has text or nothing failed, else the failure.
fn worth(
    extraction: Extraction,
    failure: Option<ExtractFailure>,
) -> Result<Extraction, ExtractFailure> {
    let Some(failure) = failure else {
        return Ok(extraction);
    };
    let has_text = |page: &Page| !page.text.trim().is_empty();
    if !extraction.pages.iter().any(has_text) {
        return Err(failure);
    }
    tracing::warn!(
        error = &failure as &dyn std::error::Error,
        pages = ?extraction.pictures(),
        "not every page could be recognised"
    );
    Ok(extraction)
}

struct Work<'a> {
    children: &'a ExtractionChild,
    tesseract: Tesseract,
    deadline: Deadline,
    progress: &'a mpsc::Sender<PageProgress>,
    last: PageProgress,
    read: Vec<Page>,
    /// The first of them.
    failure: Option<ExtractFailure>,
}

impl Work<'_> {
    async fn run(&mut self, mut session: Session, wanted: &[u32]) {
        let mut wanted = wanted.iter();
        loop {
            match session.hear::<()>().await {
                Heard::Picture(picture, pixels) if Some(&picture.page) == wanted.next() => {
                    if self.deadline.is_near() {
                        // Dropped, the session kills its child.
                        self.fail(self.deadline.passed(self.last));
                        return;
                    }
                    self.page((picture, pixels)).await;
                }
                Heard::Picture(..) => {
                    self.fail(ExtractFailure::Crashed {
                        status: "it showed a page that was not asked for".to_owned(),
                    });
                    return;
                }
                Heard::Page(_) => {}
                end => {
                    if let Err(failure) = session.finish(end).await {
                        self.fail(failure);
                    }
                    return;
                }
            }
        }
    }

    async fn page(&mut self, shown: (Picture, Vec<u8>)) {
        let settings = &self.children.settings;
        let number = shown.0.page;
        let until = self.deadline.within(settings.recognition.page_limit);
        let memory = settings.memory_bytes;
        let (spawner, itself) = (&self.children.spawner, &self.children.program);
        let read = self
            .tesseract
            .recognise(spawner, itself, shown, memory, until)
            .await;
        match read {
            Ok(page) => self.read.push(page),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    page = number,
                    "a page was not recognised"
                );
                self.fail(self.meaning(error));
            }
        }
        self.last.page = self.last.page.saturating_add(1);
        // A hint: when there is no room for it, the next page is as good.
        let _ = self.progress.try_send(self.last);
    }

    fn meaning(&self, error: NotRecognised) -> ExtractFailure {
        match error {
            NotRecognised::Run(RunFailure::Time) => ExtractFailure::TimeLimit {
                seconds: self.children.settings.recognition.page_limit.as_secs(),
                pages_done: self.last.page,
                pages: self.last.pages,
            },
            NotRecognised::Run(RunFailure::Io(error)) => ExtractFailure::Io(error),
            NotRecognised::Run(error @ RunFailure::TooMuch(_)) => ExtractFailure::Crashed {
                status: error.to_string(),
            },
            NotRecognised::Failed { status, .. } => ExtractFailure::Crashed {
                status: format!("tesseract ended with {status}"),
            },
        }
    }

    fn fail(&mut self, failure: ExtractFailure) {
        self.failure.get_or_insert(failure);
    }
}
