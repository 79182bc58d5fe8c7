//! The read model `documents`: what lists and details show of each document, but for its text.
//!
//! It never passes `texts`, so that no document is shown as processed before its text is there.

use crate::batch::Texts;
use crate::counters::Moves;
use crate::fold::{self, Evolve, Rejected, Unfit, amount, storable};
use crate::model::Model;
use crate::models::{erasure, quarantine, texts};
use crate::rows::{self, Keyed, row};
use async_trait::async_trait;
use kmrl_domain::event::{Corrected, Erased, Failed, ProcessingStarted, Uploaded};
use kmrl_domain::private::{CorrectedPrivate, UploadedPrivate};
use kmrl_domain::values::Status;
use kmrl_domain::{DocumentEvent, RecordedEvent};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

pub(crate) const NAME: &str = "documents";

row! {
    /// A document.
    Document in "documents" {
        key id: Uuid => "uuid",
        version: i64 => "bigint",
        position: i64 => "bigint",
        original_filename: String => "text",
        s3_key: String => "text",
        sha256: String => "text",
        source: String => "text",
        content_type: String => "text",
        file_size: i64 => "bigint",
        uploaded_at: OffsetDateTime => "timestamptz",
        uploaded_by: String => "text",
        uploader: String => "text",
        metadata: String => "json",
        duplicate_of: Option<Uuid> => "uuid",
        parent: Option<Uuid> => "uuid",
        priority: String => "text",
        status: String => "text",
        run: i64 => "bigint",
        attempt: i64 => "bigint",
        error: Option<String> => "json",
        retry_at: Option<OffsetDateTime> => "timestamptz",
        processing_started_at: Option<OffsetDateTime> => "timestamptz",
        processed_at: Option<OffsetDateTime> => "timestamptz",
        language: Option<String> => "text",
        department: Option<String> => "text",
        confidence_score: Option<f64> => "double precision",
        page_count: Option<i64> => "bigint",
        character_count: Option<i64> => "bigint",
        text_sha256: Option<String> => "text",
        text_corrected: bool => "boolean",
        recognised_pages: Option<i64> => "bigint",
        unread_pages: Option<i64> => "bigint",
        language_shares: Option<String> => "json",
        language_corrected: bool => "boolean",
        department_corrected: bool => "boolean",
        department_evidence: Option<String> => "json",
        needs_review: bool => "boolean",
        review_reasons: String => "json",
        review: Option<String> => "json",
        findings: Option<String> => "json",
        withdrawn_at: Option<OffsetDateTime> => "timestamptz",
        withdrawal_reason: Option<String> => "text",
        legal_holds: String => "jsonb",
        retention_rule: Option<String> => "text",
        erasure_state: Option<String> => "text",
        erasure: Option<String> => "jsonb",
        erasure_position: Option<i64> => "bigint",
        erased_at: Option<OffsetDateTime> => "timestamptz",
        quarantine_state: Option<String> => "text",
        quarantine: Option<String> => "jsonb",
        accepted_risks: Option<String> => "jsonb",
    }
}

impl Keyed for Document {
    fn document(&self) -> Uuid {
        self.id
    }
}

impl Evolve for Document {
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
            DocumentEvent::Uploaded(_) => {}
            DocumentEvent::ProcessingStarted(e) => new.started(&e),
            DocumentEvent::Extracted(e) => new.extracted(e)?,
            DocumentEvent::Failed(e) => new.failed(&e)?,
            DocumentEvent::ReprocessingRequested(e) => {
                new.status = Status::Queued.as_str().into();
                new.priority = e.priority.as_str().into();
                (new.run, new.attempt) = (e.run.into(), 0);
                (new.error, new.retry_at) = (None, None);
            }
            DocumentEvent::Reviewed(e) => new.reviewed(e)?,
            DocumentEvent::Corrected(e) => new.corrected(recorded, e)?,
            DocumentEvent::Withdrawn(e) => {
                new.withdrawn_at = Some(e.withdrawn_at);
                new.withdrawal_reason = Some(storable(e.reason));
            }
            DocumentEvent::LegalHoldPlaced(e) => {
                new.legal_holds = erasure::placed(&new.legal_holds, e, actor(recorded))?;
            }
            DocumentEvent::LegalHoldReleased(e) => {
                new.legal_holds = erasure::released(&new.legal_holds, &e)?;
            }
            DocumentEvent::RetentionExpired(e) => {
                new.retention_rule = Some(storable(e.rule));
                // What was decided on before the rule is not what the rule asks for.
                if new.erasure_state.as_deref() == Some(erasure::REJECTED) {
                    (new.erasure_state, new.erasure, new.erasure_position) = (None, None, None);
                }
            }
            DocumentEvent::ErasureRequested(e) => {
                new.erasing(recorded, erasure::REQUESTED, |_| erasure::requested(e))?;
            }
            DocumentEvent::ErasureRejected(e) => {
                new.erasing(recorded, erasure::REJECTED, |was| was.rejected(e))?;
            }
            DocumentEvent::Erased(e) => new.erased(recorded, e)?,
            DocumentEvent::ContentDestroyed(e) => {
                new.erasing(recorded, erasure::DONE, |was| was.destroyed(&e))?;
            }
            DocumentEvent::Quarantined(e) => {
                new.in_quarantine(quarantine::QUARANTINED, |_| quarantine::begun(e))?;
            }
            DocumentEvent::RisksAccepted(e) => {
                let shown: Vec<_> = e.objections.into_iter().map(quarantine::shown).collect();
                new.accepted_risks = Some(json(&shown)?);
            }
            DocumentEvent::QuarantineReleaseRequested(e) => {
                new.in_quarantine(quarantine::RELEASE_REQUESTED, |was| was.requested(e))?;
            }
            DocumentEvent::QuarantineReleaseRejected(e) => {
                new.in_quarantine(quarantine::QUARANTINED, |was| was.rejected(e))?;
            }
            DocumentEvent::QuarantineReleased(e) => {
                new.status = Status::Queued.as_str().into();
                (new.run, new.attempt) = (e.run.into(), 0);
                new.in_quarantine(quarantine::RELEASED, |was| was.released(e))?;
            }
        }
        new.version = recorded.sequence;
        new.position = recorded.position;
        Ok(new)
    }
}

impl Document {
    fn uploaded(id: Uuid, recorded: &RecordedEvent, e: &Uploaded) -> Result<Self, Unfit> {
        // Erased by law: the document stays, without its name.
        let private: UploadedPrivate = private(recorded)?.unwrap_or_default();
        Ok(Self {
            id,
            version: recorded.sequence,
            position: recorded.position,
            original_filename: storable(private.file_name),
            s3_key: e.blob.key.clone(),
            sha256: e.blob.sha256.clone(),
            source: e.source.clone(),
            content_type: e.content_type.clone(),
            file_size: amount("size", e.blob.size)?,
            uploaded_at: e.uploaded_at,
            uploaded_by: storable(private.uploaded_by),
            uploader: storable(actor(recorded)),
            metadata: Value::Object(private.metadata).to_string(),
            duplicate_of: e.duplicate_of,
            parent: e.parent.map(|parent| parent.id),
            priority: e.priority.as_str().into(),
            status: Status::Queued.as_str().into(),
            run: 1,
            attempt: 0,
            error: None,
            retry_at: None,
            processing_started_at: None,
            processed_at: None,
            language: None,
            department: None,
            confidence_score: None,
            page_count: None,
            character_count: None,
            text_sha256: None,
            text_corrected: false,
            recognised_pages: None,
            unread_pages: None,
            language_shares: None,
            language_corrected: false,
            department_corrected: false,
            department_evidence: None,
            needs_review: false,
            review_reasons: "[]".into(),
            review: None,
            findings: None,
            withdrawn_at: None,
            withdrawal_reason: None,
            legal_holds: "[]".into(),
            retention_rule: None,
            erasure_state: None,
            erasure: None,
            erasure_position: None,
            erased_at: None,
            quarantine_state: None,
            quarantine: None,
            accepted_risks: None,
        })
    }

    fn started(&mut self, e: &ProcessingStarted) {
        self.status = Status::Processing.as_str().into();
        (self.run, self.attempt) = (e.attempt.run.into(), e.attempt.attempt.into());
        self.processing_started_at = Some(e.started_at);
        (self.error, self.retry_at) = (None, None);
    }

    fn failed(&mut self, e: &Failed) -> Result<(), Unfit> {
        let status = match e.retry_at {
            Some(_) => Status::Queued,
            None => Status::Failed,
        };
        self.status = status.as_str().into();
        (self.run, self.attempt) = (e.attempt.run.into(), e.attempt.attempt.into());
        self.error = Some(json(&e.reason)?);
        self.retry_at = e.retry_at;
        Ok(())
    }

    fn corrected(&mut self, recorded: &RecordedEvent, e: Corrected) -> Result<(), Unfit> {
        self.said_by_a_person(&e);
        self.department = e.department.or(self.department.take());
        self.language = e.language.or(self.language.take());
        if e.private.is_some() {
            let private: Option<CorrectedPrivate> = private(recorded)?;
            // Erased: what it was is not to be shown, and what was before it is not true any more.
            let metadata = private.map_or_else(Map::new, |p| p.metadata);
            self.metadata = Value::Object(metadata).to_string();
        }
        Ok(())
    }

    /// A step of an erasure: where it is now, and what is known of it.
    fn erasing(
        &mut self,
        recorded: &RecordedEvent,
        state: &str,
        step: impl FnOnce(erasure::Erasure) -> erasure::Erasure,
    ) -> Result<(), Unfit> {
        let before = erasure::Erasure::read(self.erasure.as_deref())?;
        self.erasure = Some(step(before).written()?);
        self.erasure_state = Some(state.into());
        self.erasure_position = Some(recorded.position);
        Ok(())
    }

    /// A step of a quarantine: where it is now, and what is known of it.
    fn in_quarantine(
        &mut self,
        state: &str,
        step: impl FnOnce(quarantine::Quarantine) -> quarantine::Quarantine,
    ) -> Result<(), Unfit> {
        let before = quarantine::Quarantine::read(self.quarantine.as_deref())?;
        self.quarantine = Some(json(&step(before))?);
        self.quarantine_state = Some(state.into());
        Ok(())
    }

    fn erased(&mut self, recorded: &RecordedEvent, e: Erased) -> Result<(), Unfit> {
        self.erased_at = Some(e.erased_at);
        self.forget_content();
        self.erasing(recorded, erasure::APPROVED, |was| was.approved(e))
    }

    /// Whatever tells of the content goes. What stays says that there was a document, whence, when
    /// and how large, and why it was erased.
    pub(crate) fn forget_content(&mut self) {
        self.original_filename.clear();
        self.uploaded_by.clear();
        self.metadata = "{}".into();
        (self.error, self.retry_at) = (None, None);
        (self.language, self.confidence_score) = (None, None);
        (self.page_count, self.character_count) = (None, None);
        (self.text_sha256, self.findings) = (None, None);
        self.withdrawal_reason = None;
        self.forget_judgement();
    }

    fn count(&self, moves: &mut Moves<6>, by: i64) {
        let word = |word: &Option<String>| word.clone().unwrap_or_default();
        let (department, language) = (word(&self.department), word(&self.language));
        let review = if self.needs_review { "waiting" } else { "" };
        let standing = match (self.erased_at, self.withdrawn_at) {
            (Some(_), _) => "erased",
            (None, Some(_)) => "withdrawn",
            (None, None) => "standing",
        };
        moves.add(
            [
                &self.source,
                &self.status,
                &department,
                &language,
                review,
                standing,
            ],
            by,
        );
    }
}

/// Who did it, as kept with the event.
fn actor(recorded: &RecordedEvent) -> String {
    recorded.metadata.get("actor").cloned().unwrap_or_default()
}

fn private<T: DeserializeOwned>(recorded: &RecordedEvent) -> Result<Option<T>, Unfit> {
    recorded.private().map_err(|_| Unfit::Private)
}

pub(super) fn json(value: &impl Serialize) -> Result<String, Unfit> {
    serde_json::to_string(value).map_err(|_| Unfit::Range { field: "value" })
}

/// How the counts move from the rows before to the rows after.
pub(super) fn moves(
    prior: &BTreeMap<Uuid, Document>,
    changed: &BTreeMap<Uuid, Document>,
) -> Moves<6> {
    let mut moves = Moves::default();
    for (id, row) in changed {
        if let Some(before) = prior.get(id) {
            before.count(&mut moves, -1);
        }
        row.count(&mut moves, 1);
    }
    moves
}

/// The read model.
pub(crate) struct Documents;

#[async_trait]
impl Model for Documents {
    fn name(&self) -> &'static str {
        NAME
    }

    fn shape(&self) -> i32 {
        4
    }

    fn definition(&self) -> &'static str {
        include_str!("documents.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["documents", "document_counts"]
    }

    fn follows(&self) -> Option<&'static str> {
        Some(texts::NAME)
    }

    fn concerns(&self, event: &RecordedEvent) -> bool {
        fold::is_of_document(event)
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        events: &[RecordedEvent],
        _texts: &Texts,
    ) -> Result<Vec<Rejected>, sqlx::Error> {
        let prior = rows::load(connection, schema, &fold::touched(events)).await?;
        let folded = fold::fold(events, &prior);
        moves(&prior, &folded.changed)
            .store(
                connection,
                &format!("{schema}.document_counts"),
                [
                    "source",
                    "status",
                    "department",
                    "language",
                    "review",
                    "standing",
                ],
            )
            .await?;
        let rows = folded.changed.into_values().collect();
        rows::upsert::<Document>(connection, schema, rows).await?;
        Ok(folded.rejected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    fn folded(events: Vec<Spec>) -> (BTreeMap<Uuid, Document>, Vec<Rejected>) {
        let folded = fold::fold(&log(events), &BTreeMap::new());
        (folded.changed, folded.rejected)
    }

    fn row_of(events: Vec<Spec>) -> Document {
        let (rows, rejected) = folded(events);
        assert!(rejected.is_empty(), "{rejected:?}");
        rows[&id(1)].clone()
    }

    #[test]
    fn an_upload_is_a_queued_document_with_its_private_part() {
        let row = row_of(vec![(1, 1, uploaded())]);
        assert_eq!(
            (row.status.as_str(), row.run, row.attempt),
            ("queued", 1, 0)
        );
        assert_eq!(row.original_filename, "job card.pdf");
        assert_eq!(row.metadata, r#"{"wonum":"WO-1"}"#);
        assert_eq!((row.version, row.position), (1, 1));
    }

    #[test]
    fn a_document_whose_private_part_was_erased_has_no_name() {
        let mut events = log(vec![(1, 1, uploaded())]);
        events[0].private = None;
        let rows = fold::fold::<Document>(&events, &BTreeMap::new()).changed;
        assert_eq!(rows[&id(1)].original_filename, "");
        assert_eq!(rows[&id(1)].metadata, "{}");
    }

    #[test]
    fn it_goes_its_way_to_processed() {
        let row = row_of(document(1));
        assert_eq!(row.status, "processed");
        assert_eq!((row.page_count, row.character_count), (Some(1), Some(5)));
        assert_eq!(row.confidence_score, Some(0.9));
        assert_eq!(row.version, 3);
    }

    #[test]
    fn a_failure_with_a_retry_queues_and_the_last_one_fails() {
        let way = vec![
            (1, 1, uploaded()),
            (1, 2, started(1, 1)),
            (1, 3, failed(1, 1, true)),
        ];
        let row = row_of(way.clone());
        assert_eq!(row.status, "queued");
        assert!(row.retry_at.is_some() && row.error.is_some());
        let row = row_of(
            [
                way,
                vec![(1, 4, started(1, 2)), (1, 5, failed(1, 2, false))],
            ]
            .concat(),
        );
        assert_eq!((row.status.as_str(), row.retry_at), ("failed", None));
        assert!(row.error.unwrap().contains("unsupported_type"));
    }

    #[test]
    fn reprocessing_opens_a_run_and_keeps_the_last_text() {
        let row = row_of([document(1), vec![(1, 4, reprocessing(2))]].concat());
        assert_eq!(
            (row.status.as_str(), row.run, row.attempt),
            ("queued", 2, 0)
        );
        assert!(row.text_sha256.is_some());
    }

    #[test]
    fn a_correction_changes_what_it_names() {
        let row = row_of(vec![
            (1, 1, uploaded()),
            (1, 2, corrected(Some("safety"), None)),
        ]);
        assert_eq!(row.department.as_deref(), Some("safety"));
        assert_eq!(row.metadata, r#"{"wonum":"WO-1"}"#);
        let row = row_of(vec![
            (1, 1, uploaded()),
            (1, 2, corrected(None, Some("WO-2"))),
        ]);
        assert_eq!(row.metadata, r#"{"wonum":"WO-2"}"#);
    }

    fn erased_way() -> Vec<Spec> {
        let way = [
            document(1),
            vec![
                (1, 4, requested("key:admin")),
                (1, 5, erased("key:admin", "key:approver")),
                (1, 6, destroyed()),
            ],
        ];
        way.concat()
    }

    #[test]
    fn an_erased_document_tells_nothing_of_its_content() {
        let row = row_of(erased_way());
        assert_eq!(
            (row.original_filename.as_str(), row.metadata.as_str()),
            ("", "{}")
        );
        assert_eq!(
            (row.uploaded_by.as_str(), row.text_sha256.as_deref()),
            ("", None)
        );
        assert_eq!(
            (row.page_count, row.character_count, row.language),
            (None, None, None)
        );
        assert!(row.erased_at.is_some());
        assert_eq!(row.erasure_state.as_deref(), Some("done"));
        assert_eq!(row.erasure_position, Some(6));
        let told = row.erasure.unwrap();
        for part in [
            "key:admin",
            "key:approver",
            "asked by the subject",
            "\"objects_kept\":1",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn what_is_left_after_destruction_gives_the_same_row() {
        let whole = fold::fold::<Document>(&log(erased_way()), &BTreeMap::new()).changed;
        let mut events = log(erased_way());
        events.iter_mut().for_each(|e| e.private = None);
        let rest = fold::fold::<Document>(&events, &BTreeMap::new());
        assert!(rest.rejected.is_empty());
        assert_eq!(rest.changed, whole);
    }

    #[test]
    fn an_erased_document_is_counted_as_that_alone() {
        let (before, _) = folded([document(1), vec![(1, 4, withdrawn())]].concat());
        let (after, _) = folded(
            [
                document(1),
                vec![
                    (1, 4, withdrawn()),
                    (1, 5, erased("key:admin", "key:approver")),
                ],
            ]
            .concat(),
        );
        let moves = moves(&before, &after);
        assert_eq!(
            moves.of([
                "maximo",
                "processed",
                "rolling_stock",
                "en",
                "",
                "withdrawn"
            ]),
            -1
        );
        assert_eq!(
            moves.of(["maximo", "processed", "rolling_stock", "", "", "erased"]),
            1
        );
    }

    #[test]
    fn a_quarantine_is_told_step_by_step() {
        let way = vec![
            (1, 1, uploaded()),
            (1, 2, risks_accepted()),
            (1, 3, quarantined()),
        ];
        let row = row_of(way.clone());
        assert_eq!(row.status, "queued");
        assert_eq!(row.quarantine_state.as_deref(), Some("quarantined"));
        assert!(row.quarantine.unwrap().contains("macros"));
        assert!(row.accepted_risks.unwrap().contains("javascript"));
        let asked = [way, vec![(1, 4, release_requested())]].concat();
        let row = row_of(asked.clone());
        assert_eq!(row.quarantine_state.as_deref(), Some("release_requested"));
        let rejected = [asked.clone(), vec![(1, 5, release_rejected())]].concat();
        let row = row_of(rejected);
        assert_eq!(row.quarantine_state.as_deref(), Some("quarantined"));
        assert!(row.quarantine.unwrap().contains("not convinced"));
        let row = row_of([asked, vec![(1, 5, quarantine_released())]].concat());
        assert_eq!(row.quarantine_state.as_deref(), Some("released"));
        assert_eq!(
            (row.status.as_str(), row.run, row.attempt),
            ("queued", 2, 0)
        );
        let told = row.quarantine.unwrap();
        for part in ["macros", "key:admin", "key:approver", "looked at by hand"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn legal_holds_come_and_go() {
        let row = row_of(vec![
            (1, 1, uploaded()),
            (1, 2, held("case-1")),
            (1, 3, held("case-2")),
            (1, 4, released("case-1")),
        ]);
        assert!(row.legal_holds.contains("case-2") && !row.legal_holds.contains("case-1"));
    }

    #[test]
    fn a_rejection_before_the_rule_expired_is_forgotten() {
        let way = vec![
            (1, 1, uploaded()),
            (1, 2, requested("key:admin")),
            (1, 3, rejected("key:approver")),
        ];
        let row = row_of(way.clone());
        assert_eq!(row.erasure_state.as_deref(), Some("rejected"));
        let row = row_of([way, vec![(1, 4, expired("days=1"))]].concat());
        assert_eq!(
            (row.erasure_state, row.retention_rule.as_deref()),
            (None, Some("days=1"))
        );
    }

    #[test]
    fn what_was_applied_is_not_applied_again() {
        let events = log(document(1));
        let once = fold::fold::<Document>(&events, &BTreeMap::new()).changed;
        let again = fold::fold(&events, &once);
        assert!(again.changed.is_empty() && again.rejected.is_empty());
    }

    #[test]
    fn an_unreadable_event_is_rejected_and_the_rest_goes_on() {
        let mut events = log([document(1), document(2)].concat());
        events[1].payload = serde_json::json!({"type": "ProcessingStarted"});
        let folded = fold::fold::<Document>(&events, &BTreeMap::new());
        assert_eq!(folded.rejected.len(), 1);
        assert_eq!(folded.rejected[0].document_id, Some(id(1)));
        assert_eq!(folded.changed[&id(1)].status, "processed");
        assert_eq!(folded.changed[&id(2)].status, "processed");
    }

    #[test]
    fn events_without_their_upload_are_rejected() {
        let (rows, rejected) = folded(vec![(1, 2, started(1, 1))]);
        assert!(rows.is_empty());
        assert_eq!(
            rejected[0].error,
            "the upload of its document was not applied"
        );
    }

    #[test]
    fn a_parser_that_quotes_a_private_part_is_not_repeated() {
        let mut events = log(vec![(1, 1, uploaded())]);
        events[0].private = Some(serde_json::json!({"file_name": 17, "secret": "name"}));
        let rejected = fold::fold::<Document>(&events, &BTreeMap::new()).rejected;
        assert_eq!(rejected[0].error, "its private part does not have its form");
    }

    #[test]
    fn counts_move_by_difference() {
        let (before, _) = folded(vec![(1, 1, uploaded())]);
        let (after, _) = folded(document(1));
        let moves = moves(&before, &after);
        assert_eq!(moves.of(["maximo", "queued", "", "", "", "standing"]), -1);
        assert_eq!(
            moves.of(["maximo", "processed", "rolling_stock", "en", "", "standing"]),
            1
        );
    }
}
