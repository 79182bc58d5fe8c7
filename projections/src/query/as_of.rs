//! A document as it was: its own events folded up to a moment, by the code that keeps the read
//! models.
//!
//! Owns which events and which text belong to the moment. It reads no table, so that what it says
//! depends on the log (and on what erasure left beside it) alone.

use super::DocumentRow;
use crate::batch;
use crate::error::ProjectionError;
use crate::fold;
use crate::models::{documents, texts};
use crate::source::TextSource;
use kmrl_domain::RecordedEvent;
use serde_json::Value;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

/// A document after the first `count` events of its stream; `None` without its upload.
///
/// Private parts and texts that were erased are blank, and of a document that was erased later is
/// shown what an erased one shows. The text is the newest that can be had, as in the read models,
/// where an event whose text is missing is parked and the rest goes on.
///
/// # Errors
/// When the store of texts does not answer.
pub async fn as_of(
    stream: &[RecordedEvent],
    count: usize,
    source: &dyn TextSource,
) -> Result<Option<DocumentRow>, ProjectionError> {
    let events = stream.get(..count).unwrap_or(stream);
    let folded = fold::fold::<documents::Document>(events, &BTreeMap::new());
    let Some(mut document) = folded.changed.into_values().next() else {
        return Ok(None);
    };
    let erased = is_erased(stream);
    if erased {
        document.forget_content();
    }
    let mut row = shown(document);
    row.incomplete = !folded.rejected.is_empty();
    if !erased {
        add_text(&mut row, events, source).await?;
    }
    Ok(Some(row))
}

/// The document was erased: of no moment is its content shown any more.
#[must_use]
pub fn is_erased(stream: &[RecordedEvent]) -> bool {
    stream.iter().any(fold::is_erasure)
}

async fn add_text(
    row: &mut DocumentRow,
    events: &[RecordedEvent],
    source: &dyn TextSource,
) -> Result<(), ProjectionError> {
    for event in events.chunks(1).rev() {
        let fetched = batch::fetch(&texts::Texts, event, source).await?;
        let folded = texts::texts(event, &BTreeMap::new(), &fetched);
        row.incomplete |= !folded.rejected.is_empty();
        if let Some(text) = folded.changed.into_values().next() {
            row.extracted_text = Some(text.text);
            (row.title, row.producer) = (text.title, text.producer);
            break;
        }
    }
    Ok(())
}

/// The document after each event of its stream, without its text; `None` where an event could not
/// be applied or there was no upload yet.
#[must_use]
pub fn each_version(stream: &[RecordedEvent]) -> Vec<Option<DocumentRow>> {
    let erased = is_erased(stream);
    let mut prior: BTreeMap<Uuid, documents::Document> = BTreeMap::new();
    let mut rows = Vec::with_capacity(stream.len());
    for event in stream.chunks(1) {
        let changed = fold::fold(event, &prior).changed;
        rows.push(changed.values().next().cloned().map(|mut document| {
            if erased {
                document.forget_content();
            }
            shown(document)
        }));
        prior.extend(changed);
    }
    rows
}

/// The row as the queries over the read models give it.
fn shown(d: documents::Document) -> DocumentRow {
    DocumentRow {
        id: d.id,
        original_filename: d.original_filename,
        s3_key: d.s3_key,
        source: d.source,
        content_type: d.content_type,
        file_size: d.file_size,
        upload_time: stored(d.uploaded_at),
        status: d.status,
        extracted_text: None,
        title: None,
        producer: None,
        confidence_score: d.confidence_score,
        language: d.language,
        department: d.department,
        metadata: json(Some(d.metadata)).unwrap_or_default(),
        uploaded_by: d.uploaded_by,
        sha256: d.sha256,
        duplicate_of: d.duplicate_of,
        parent: d.parent,
        children: None,
        priority: d.priority,
        version: d.version,
        position: d.position,
        run: d.run,
        attempt: d.attempt,
        page_count: d.page_count,
        character_count: d.character_count,
        error: d.error.and_then(|text| serde_json::from_str(&text).ok()),
        retry_at: d.retry_at.map(stored),
        processing_started_at: d.processing_started_at.map(stored),
        processed_at: d.processed_at.map(stored),
        withdrawn_at: d.withdrawn_at.map(stored),
        withdrawal_reason: d.withdrawal_reason,
        legal_holds: json(Some(d.legal_holds)).unwrap_or_default(),
        retention_rule: d.retention_rule,
        erasure_state: d.erasure_state,
        erasure: json(d.erasure),
        erased_at: d.erased_at.map(stored),
        quarantine_state: d.quarantine_state,
        quarantine: json(d.quarantine),
        accepted_risks: json(d.accepted_risks),
        findings: json(d.findings),
        text_sha256: d.text_sha256,
        text_corrected: d.text_corrected,
        recognised_pages: d.recognised_pages,
        unread_pages: d.unread_pages,
        language_shares: json(d.language_shares),
        language_corrected: d.language_corrected,
        department_corrected: d.department_corrected,
        department_evidence: json(d.department_evidence),
        needs_review: d.needs_review,
        review_reasons: json(Some(d.review_reasons)).unwrap_or_default(),
        review: json(d.review),
        incomplete: false,
        shown_at: d.position,
    }
}

/// The JSON of a row is written by the fold itself.
fn json(text: Option<String>) -> Option<Value> {
    text.and_then(|text| serde_json::from_str(&text).ok())
}

/// A time as a table gives it back: in UTC and to the microsecond.
fn stored(time: OffsetDateTime) -> OffsetDateTime {
    let time = time.to_offset(time::UtcOffset::UTC);
    let micros = time.microsecond() * 1_000;
    time.replace_nanosecond(micros).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::TextError;
    use crate::testing::*;
    use async_trait::async_trait;
    use kmrl_domain::values::TextArtefact;

    /// Texts that are all there, or all erased.
    struct Pages(Option<&'static str>);

    #[async_trait]
    impl TextSource for Pages {
        async fn text(&self, key: &str) -> Result<TextArtefact, TextError> {
            let page = self
                .0
                .ok_or_else(|| TextError::Missing { key: key.into() })?;
            Ok(TextArtefact {
                pages: vec![page.to_owned()],
                title: None,
                producer: None,
            })
        }
    }

    #[tokio::test]
    async fn a_document_is_shown_as_it_was_after_each_event() {
        let events = log(document(1));
        let mut seen = Vec::new();
        for n in 1..=3 {
            let row = as_of(&events, n, &Pages(Some("hello"))).await.unwrap();
            let row = row.unwrap();
            seen.push((row.version, row.status, row.extracted_text));
        }
        assert_eq!(
            seen,
            [
                (1, "queued".to_owned(), None),
                (2, "processing".to_owned(), None),
                (3, "processed".to_owned(), Some("hello".to_owned())),
            ]
        );
        let none = as_of(&events, 0, &Pages(None)).await.unwrap();
        assert_eq!(none, None);
    }

    #[tokio::test]
    async fn what_was_erased_is_blank() {
        let mut events = log(document(1));
        for event in &mut events {
            event.private = None;
        }
        let row = as_of(&events, 3, &Pages(None)).await.unwrap().unwrap();
        assert_eq!(
            (row.original_filename.as_str(), row.uploaded_by.as_str()),
            ("", "")
        );
        assert_eq!(
            (row.metadata, row.extracted_text),
            (serde_json::json!({}), None)
        );
        assert_eq!(row.status, "processed");
    }

    #[tokio::test]
    async fn of_an_erased_document_no_moment_shows_content() {
        let erasure = vec![
            (1, 4, requested("key:admin")),
            (1, 5, erased("key:admin", "key:approver")),
        ];
        let events = log([document(1), erasure].concat());
        let row = as_of(&events, 3, &Pages(Some("hello"))).await.unwrap();
        let row = row.unwrap();
        assert_eq!((row.version, row.status.as_str()), (3, "processed"));
        assert_eq!(
            (
                row.original_filename.as_str(),
                row.extracted_text,
                row.language
            ),
            ("", None, None)
        );
        assert!(!row.incomplete && row.erased_at.is_none());
        let rows = each_version(&events);
        assert!(
            rows.iter()
                .flatten()
                .all(|row| row.original_filename.is_empty())
        );
    }

    #[test]
    fn versions_follow_one_another() {
        let events = log([document(1), vec![(1, 4, corrected(Some("safety"), None))]].concat());
        let rows = each_version(&events);
        let departments: Vec<_> = rows
            .iter()
            .map(|row| row.as_ref().and_then(|row| row.department.as_deref()))
            .collect();
        assert_eq!(
            departments,
            [None, None, Some("rolling_stock"), Some("safety")]
        );
    }

    #[test]
    fn times_are_those_of_the_tables() {
        let precise = time::macros::datetime!(2026-03-01 10:00:00.123456789 +05:30);
        let stored = stored(precise);
        assert_eq!(stored.nanosecond(), 123_456_000);
        assert_eq!(stored.offset(), time::UtcOffset::UTC);
    }
}
