//! What stands beside a document's words: what hits are filtered and counted by, and the words of
//! name and metadata, which come with events.

use crate::fold::{Evolve, Unfit, storable};
use crate::words::Vector;
use kmrl_domain::event::{Corrected, Uploaded};
use kmrl_domain::private::{CorrectedPrivate, UploadedPrivate};
use kmrl_domain::values::Status;
use kmrl_domain::{DocumentEvent, RecordedEvent};
use serde::Serialize;
use serde_json::Value;
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

/// How deep metadata are looked into.
const DEEPEST: usize = 16;

/// A document, but for the words of its text.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub(super) struct Entry {
    pub document_id: Uuid,
    pub version: i64,
    pub position: i64,
    pub source: String,
    pub department: Option<String>,
    pub language: Option<String>,
    pub status: String,
    #[serde(with = "time::serde::rfc3339")]
    pub uploaded_at: OffsetDateTime,
    pub withdrawn: bool,
    /// A person said which.
    pub department_corrected: bool,
    /// A person said which.
    pub language_corrected: bool,
    /// A `tsvector`, as text.
    pub name: String,
    /// A `tsvector`, as text.
    pub metadata: String,
    /// Its rows go.
    #[sqlx(skip)]
    #[serde(skip)]
    pub erased: bool,
}

impl Evolve for Entry {
    fn version(&self) -> i64 {
        self.version
    }

    fn evolve(
        row: Option<&Self>,
        id: Uuid,
        recorded: &RecordedEvent,
        event: DocumentEvent,
    ) -> Result<Self, Unfit> {
        let mut new = match (row, &event) {
            (_, DocumentEvent::Uploaded(e)) => Self::uploaded(id, recorded, e)?,
            (Some(row), _) => row.clone(),
            (None, _) => return Err(Unfit::NoUpload),
        };
        match event {
            DocumentEvent::ProcessingStarted(_) => new.stands(Status::Processing),
            DocumentEvent::Extracted(e) => {
                new.stands(Status::Processed);
                if !new.language_corrected {
                    new.language = Some(storable(e.language));
                }
                if !new.department_corrected {
                    new.department = e.department.map(storable).or(new.department);
                }
            }
            DocumentEvent::Failed(e) if e.retry_at.is_none() => new.stands(Status::Failed),
            DocumentEvent::Failed(_)
            | DocumentEvent::ReprocessingRequested(_)
            | DocumentEvent::QuarantineReleased(_) => {
                new.stands(Status::Queued);
            }
            DocumentEvent::Corrected(e) => new.corrected(recorded, e)?,
            DocumentEvent::Withdrawn(_) => new.withdrawn = true,
            DocumentEvent::Erased(_) => new.erased = true,
            // Taken up above, or of no concern.
            _ => {}
        }
        new.version = recorded.sequence;
        new.position = recorded.position;
        Ok(new)
    }
}

impl Entry {
    fn uploaded(id: Uuid, recorded: &RecordedEvent, e: &Uploaded) -> Result<Self, Unfit> {
        let private: UploadedPrivate = recorded
            .private()
            .map_err(|_| Unfit::Private)?
            .unwrap_or_default();
        let mut name = Vector::default();
        name.add(&private.file_name, 'A');
        name.add(&private.uploaded_by, 'A');
        Ok(Self {
            document_id: id,
            version: recorded.sequence,
            position: recorded.position,
            source: e.source.clone(),
            department: None,
            language: None,
            status: Status::Queued.as_str().into(),
            uploaded_at: e.uploaded_at,
            withdrawn: false,
            department_corrected: false,
            language_corrected: false,
            name: name.to_text(),
            metadata: words_of(&Value::Object(private.metadata)).to_text(),
            erased: false,
        })
    }

    fn stands(&mut self, status: Status) {
        self.status = status.as_str().into();
    }

    fn corrected(&mut self, recorded: &RecordedEvent, e: Corrected) -> Result<(), Unfit> {
        self.department_corrected |= e.department.is_some();
        self.language_corrected |= e.language.is_some();
        self.department = e.department.map(storable).or(self.department.take());
        self.language = e.language.map(storable).or(self.language.take());
        if e.private.is_some() {
            let private: Option<CorrectedPrivate> =
                recorded.private().map_err(|_| Unfit::Private)?;
            let metadata = private.map(|p| p.metadata).unwrap_or_default();
            self.metadata = words_of(&Value::Object(metadata)).to_text();
        }
        Ok(())
    }
}

/// The words of the values of metadata; their names are the same in every document.
fn words_of(metadata: &Value) -> Vector {
    let mut words = Vector::default();
    add(&mut words, metadata, DEEPEST);
    words
}

fn add(words: &mut Vector, value: &Value, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    match value {
        Value::String(text) => words.add(text, 'B'),
        Value::Number(number) => words.add(&number.to_string(), 'B'),
        Value::Array(values) => values.iter().for_each(|v| add(words, v, depth)),
        Value::Object(fields) => fields.values().for_each(|v| add(words, v, depth)),
        Value::Null | Value::Bool(_) => {}
    }
}
