//! The row of a document, and how its events change it.

use crate::counters::Moves;
use crate::fold::{Evolve, Unfit, amount, storable};
use crate::models::{erasure, quarantine};
use crate::rows::{Keyed, row};
use kmrl_domain::event::{Corrected, Erased, Failed, ProcessingStarted, Uploaded};
use kmrl_domain::private::{CorrectedPrivate, UploadedPrivate};
use kmrl_domain::values::Status;
use kmrl_domain::{DocumentEvent, RecordedEvent};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

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

    pub(super) fn count(&self, moves: &mut Moves<6>, by: i64) {
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

pub(in crate::models) fn json(value: &impl Serialize) -> Result<String, Unfit> {
    serde_json::to_string(value).map_err(|_| Unfit::Range { field: "value" })
}
