//! The content of an erased document is gone from everywhere. Said once.

use super::ErasureRefusal;
use crate::command::RecordDestruction;
use crate::document::Document;
use crate::event::{ContentDestroyed, DocumentEvent};

pub(super) fn decide(
    document: &Document,
    c: &RecordDestruction,
) -> Result<Option<DocumentEvent>, ErasureRefusal> {
    if !document.erased {
        return Err(ErasureRefusal::NotErased);
    }
    if document.destroyed {
        return Ok(None);
    }
    Ok(Some(DocumentEvent::ContentDestroyed(ContentDestroyed {
        private_parts: c.private_parts,
        objects_removed: c.objects_removed,
        objects_kept: c.objects_kept,
        destroyed_at: c.at,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::testing::*;

    fn destroyed() -> DocumentEvent {
        DocumentEvent::ContentDestroyed(ContentDestroyed {
            private_parts: 1,
            objects_removed: 2,
            objects_kept: 0,
            destroyed_at: at(12),
        })
    }

    fn record() -> DocumentCommand {
        DocumentCommand::RecordDestruction(RecordDestruction {
            private_parts: 1,
            objects_removed: 2,
            objects_kept: 0,
            at: at(12),
        })
    }

    #[test]
    fn it_follows_the_erasure_once() {
        let erased = vec![
            uploaded(),
            requested("key:admin"),
            erased("key:admin", "key:approver"),
        ];
        given(erased.clone())
            .when(record())
            .then_expect_events(vec![destroyed()]);
        nothing([erased, vec![destroyed()]].concat(), record());
    }

    #[test]
    fn nothing_is_destroyed_before() {
        given(vec![uploaded(), requested("key:admin")])
            .when(record())
            .then_expect_error(ErasureRefusal::NotErased.into());
    }
}
