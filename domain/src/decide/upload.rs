//! May a document be taken in? Once, under an id of its own.

use crate::command::Upload;
use crate::document::Document;
use crate::event::{DocumentEvent, Uploaded};

/// Why an upload was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadRefusal {
    /// The id is taken.
    #[error("a document with this id was uploaded before")]
    AlreadyUploaded,
}

pub(super) fn decide(
    document: &Document,
    c: Upload,
) -> Result<Option<DocumentEvent>, UploadRefusal> {
    if document.uploaded {
        return Err(UploadRefusal::AlreadyUploaded);
    }
    Ok(Some(DocumentEvent::Uploaded(Uploaded {
        blob: c.blob,
        content_type: c.content_type,
        source: c.source,
        priority: c.priority,
        duplicate_of: c.duplicate_of,
        private: c.private,
        uploaded_at: c.at,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::testing::*;
    use crate::values::{Blob, Priority};

    fn upload() -> DocumentCommand {
        DocumentCommand::Upload(Upload {
            blob: Blob {
                key: "sha256/ab".into(),
                sha256: "ab".into(),
                size: 3,
            },
            content_type: "text/plain".into(),
            source: "manual".into(),
            priority: Priority::Normal,
            duplicate_of: None,
            private: digest(),
            at: at(0),
        })
    }

    #[test]
    fn a_new_document_is_taken_in() {
        given(vec![])
            .when(upload())
            .then_expect_events(vec![uploaded()]);
    }

    #[test]
    fn an_id_is_used_once() {
        given(vec![uploaded()])
            .when(upload())
            .then_expect_error(UploadRefusal::AlreadyUploaded.into());
    }
}
