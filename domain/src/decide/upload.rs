//! May a document be taken in? Once, under an id of its own; with what the door found in it, so
//! that nothing can come between the document and its quarantine.

use crate::command::Upload;
use crate::document::Document;
use crate::event::{DocumentEvent, Quarantined, RisksAccepted, Uploaded};
use crate::quarantine::Admission;

/// Why an upload was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadRefusal {
    /// The id is taken.
    #[error("a document with this id was uploaded before")]
    AlreadyUploaded,
    /// It is inside too many others.
    #[error("it is inside more than {DEEPEST} documents")]
    TooDeep,
}

/// How many documents there may be around one: an archive in a message in an archive.
pub const DEEPEST: u32 = 3;

pub(super) fn decide(document: &Document, c: Upload) -> Result<Vec<DocumentEvent>, UploadRefusal> {
    if document.uploaded {
        return Err(UploadRefusal::AlreadyUploaded);
    }
    if c.parent.is_some_and(|parent| parent.level > DEEPEST) {
        return Err(UploadRefusal::TooDeep);
    }
    let mut events = vec![DocumentEvent::Uploaded(Uploaded {
        blob: c.blob,
        content_type: c.content_type,
        source: c.source,
        priority: c.priority,
        duplicate_of: c.duplicate_of,
        parent: c.parent,
        private: c.private,
        uploaded_at: c.at,
    })];
    let Admission {
        quarantine,
        accepted,
    } = c.admission;
    if !accepted.is_empty() {
        events.push(DocumentEvent::RisksAccepted(RisksAccepted {
            objections: accepted,
            accepted_at: c.at,
        }));
    }
    if !quarantine.is_empty() {
        events.push(DocumentEvent::Quarantined(Quarantined {
            objections: quarantine,
            quarantined_at: c.at,
        }));
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::testing::*;
    use crate::values::{Blob, Parent, Priority};

    fn upload() -> DocumentCommand {
        admitted(Admission::default())
    }

    fn admitted(admission: Admission) -> DocumentCommand {
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
            parent: None,
            private: digest(),
            admission,
            at: at(0),
        })
    }

    fn inside(level: u32) -> DocumentCommand {
        let DocumentCommand::Upload(mut upload) = upload() else {
            unreachable!("it is an upload");
        };
        let id = uuid::Uuid::from_u128(1);
        upload.parent = Some(Parent { id, level });
        DocumentCommand::Upload(upload)
    }

    #[test]
    fn a_new_document_is_taken_in() {
        given(vec![])
            .when(upload())
            .then_expect_events(vec![uploaded()]);
    }

    #[test]
    fn what_the_door_found_comes_with_it() {
        let admission = Admission {
            quarantine: vec![objection("macros")],
            accepted: vec![objection("javascript")],
        };
        given(vec![])
            .when(admitted(admission))
            .then_expect_events(vec![
                uploaded(),
                risks_accepted("javascript"),
                quarantined("macros"),
            ]);
    }

    #[test]
    fn one_inside_another_names_it() {
        let DocumentEvent::Uploaded(mut event) = uploaded() else {
            unreachable!("it is an upload");
        };
        let id = uuid::Uuid::from_u128(1);
        event.parent = Some(Parent { id, level: DEEPEST });
        given(vec![])
            .when(inside(DEEPEST))
            .then_expect_events(vec![DocumentEvent::Uploaded(event)]);
    }

    #[test]
    fn there_is_an_innermost() {
        given(vec![])
            .when(inside(DEEPEST + 1))
            .then_expect_error(UploadRefusal::TooDeep.into());
    }

    #[test]
    fn an_id_is_used_once() {
        given(vec![uploaded()])
            .when(upload())
            .then_expect_error(UploadRefusal::AlreadyUploaded.into());
    }
}
