//! The read model `statistics`: how many documents there are, of what kinds, and how large.
//!
//! Each document has a member row that says what it counts for; an event moves the counters by the
//! difference between the member before and after. A withdrawn document counts as that alone, and so does
//! an erased one.

use crate::batch::Texts;
use crate::counters::Moves;
use crate::fold::{self, Evolve, Rejected, Unfit, amount};
use crate::model::Model;
use crate::rows::{self, Keyed, row};
use async_trait::async_trait;
use kmrl_domain::values::{Status, TextRef};
use kmrl_domain::{DocumentEvent, RecordedEvent};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(crate) const NAME: &str = "statistics";

row! {
    /// What a document counts for.
    Member in "statistics_members" {
        key document_id: Uuid => "uuid",
        version: i64 => "bigint",
        status: String => "text",
        source: String => "text",
        department: Option<String> => "text",
        language: Option<String> => "text",
        language_corrected: bool => "boolean",
        department_corrected: bool => "boolean",
        needs_review: bool => "boolean",
        bytes: i64 => "bigint",
        pages: i64 => "bigint",
        characters: i64 => "bigint",
        confidence: Option<i64> => "bigint",
        duplicate: bool => "boolean",
        withdrawn: bool => "boolean",
        erased: bool => "boolean",
    }
}

impl Keyed for Member {
    fn document(&self) -> Uuid {
        self.document_id
    }
}

impl Evolve for Member {
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
            (_, DocumentEvent::Uploaded(e)) => Self {
                document_id: id,
                version: recorded.sequence,
                status: Status::Queued.as_str().into(),
                source: e.source.clone(),
                department: None,
                language: None,
                language_corrected: false,
                department_corrected: false,
                needs_review: false,
                bytes: amount("size", e.blob.size)?,
                pages: 0,
                characters: 0,
                confidence: None,
                duplicate: e.duplicate_of.is_some(),
                withdrawn: false,
                erased: false,
            },
            (Some(row), _) => row.clone(),
            (None, _) => return Err(Unfit::NoUpload),
        };
        match event {
            DocumentEvent::Uploaded(_) => {}
            DocumentEvent::ProcessingStarted(_) => new.stands(Status::Processing),
            DocumentEvent::Extracted(e) => {
                new.stands(Status::Processed);
                if !new.language_corrected {
                    new.language = Some(e.language);
                }
                if !new.department_corrected {
                    new.department = e.department.or(new.department.take());
                }
                new.needs_review = !e.judgement.needs_review.is_empty();
                if !e.correction_kept {
                    new.holds(&e.text)?;
                }
                new.confidence = Some(millionths(e.confidence)?);
            }
            DocumentEvent::Failed(e) => new.stands(match e.retry_at {
                Some(_) => Status::Queued,
                None => Status::Failed,
            }),
            DocumentEvent::ReprocessingRequested(_) | DocumentEvent::QuarantineReleased(_) => {
                new.stands(Status::Queued);
            }
            DocumentEvent::Reviewed(e) => {
                new.needs_review = false;
                new.holds(&e.text)?;
            }
            DocumentEvent::Corrected(e) => {
                new.department_corrected |= e.department.is_some();
                new.language_corrected |= e.language.is_some();
                new.department = e.department.or(new.department.take());
                new.language = e.language.or(new.language.take());
            }
            DocumentEvent::Withdrawn(_) => new.withdrawn = true,
            DocumentEvent::Erased(_) => {
                new.erased = true;
                (new.language, new.confidence) = (None, None);
                (new.pages, new.characters) = (0, 0);
                new.needs_review = false;
            }
            DocumentEvent::LegalHoldPlaced(_)
            | DocumentEvent::LegalHoldReleased(_)
            | DocumentEvent::RetentionExpired(_)
            | DocumentEvent::ErasureRequested(_)
            | DocumentEvent::ErasureRejected(_)
            | DocumentEvent::ContentDestroyed(_)
            | DocumentEvent::Quarantined(_)
            | DocumentEvent::RisksAccepted(_)
            | DocumentEvent::QuarantineReleaseRequested(_)
            | DocumentEvent::QuarantineReleaseRejected(_) => {}
        }
        new.version = recorded.sequence;
        Ok(new)
    }
}

/// Whole millionths: sums of them do not depend on the order of adding, as sums of floats do.
fn millionths(confidence: f64) -> Result<i64, Unfit> {
    Ok((fold::confidence(confidence)? * 1e6).round() as i64)
}

impl Member {
    fn holds(&mut self, text: &TextRef) -> Result<(), Unfit> {
        self.pages = text.pages.into();
        self.characters = amount("number of characters", text.characters)?;
        Ok(())
    }

    fn stands(&mut self, status: Status) {
        self.status = status.as_str().into();
    }

    /// Adds (`by` 1) or takes away (-1) what the document counts for.
    fn count(&self, moves: &mut Moves<2>, by: i64) {
        if self.erased {
            moves.add(["erased", ""], by);
            return;
        }
        if self.withdrawn {
            moves.add(["withdrawn", ""], by);
            return;
        }
        moves.add(["total", ""], by);
        moves.add(["status", &self.status], by);
        moves.add(["source", &self.source], by);
        if let Some(department) = &self.department {
            moves.add(["department", department], by);
        }
        if let Some(language) = &self.language {
            moves.add(["language", language], by);
        }
        moves.add(["bytes", ""], by * self.bytes);
        moves.add(["pages", ""], by * self.pages);
        moves.add(["characters", ""], by * self.characters);
        if self.duplicate {
            moves.add(["duplicates", ""], by);
        }
        if let Some(confidence) = self.confidence {
            moves.add(["confidences", ""], by);
            moves.add(["confidence_millionths", ""], by * confidence);
        }
        if self.needs_review {
            moves.add(["needs_review", ""], by);
        }
    }
}

fn moves(prior: &BTreeMap<Uuid, Member>, changed: &BTreeMap<Uuid, Member>) -> Moves<2> {
    let mut moves = Moves::default();
    for (id, member) in changed {
        if let Some(before) = prior.get(id) {
            before.count(&mut moves, -1);
        }
        member.count(&mut moves, 1);
    }
    moves
}

/// The read model.
pub(crate) struct Statistics;

#[async_trait]
impl Model for Statistics {
    fn name(&self) -> &'static str {
        NAME
    }

    fn shape(&self) -> i32 {
        3
    }

    fn definition(&self) -> &'static str {
        include_str!("statistics.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["statistics", "statistics_members"]
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
                &format!("{schema}.statistics"),
                ["dimension", "value"],
            )
            .await?;
        let rows = folded.changed.into_values().collect();
        rows::upsert::<Member>(connection, schema, rows).await?;
        Ok(folded.rejected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;
    use kmrl_domain::judged::Verdict;

    fn members(events: Vec<Spec>) -> BTreeMap<Uuid, Member> {
        fold::fold(&log(events), &BTreeMap::new()).changed
    }

    #[test]
    fn an_upload_counts_once() {
        let moves = moves(&BTreeMap::new(), &members(vec![(1, 1, uploaded())]));
        assert_eq!(moves.of(["total", ""]), 1);
        assert_eq!(moves.of(["status", "queued"]), 1);
        assert_eq!(moves.of(["source", "maximo"]), 1);
        assert_eq!(moves.of(["bytes", ""]), 1_024);
    }

    #[test]
    fn an_outcome_moves_it_from_one_status_to_another() {
        let before = members(vec![(1, 1, uploaded()), (1, 2, started(1, 1))]);
        let moves = moves(&before, &members(document(1)));
        assert_eq!(moves.of(["total", ""]), 0);
        assert_eq!(moves.of(["status", "processing"]), -1);
        assert_eq!(moves.of(["status", "processed"]), 1);
        assert_eq!(moves.of(["confidence_millionths", ""]), 900_000);
        assert_eq!(moves.of(["needs_review", ""]), 0);
    }

    #[test]
    fn a_doubtful_text_is_for_review_while_it_stands() {
        let doubtful = [
            (1, 1, uploaded()),
            (1, 2, started(1, 1)),
            (1, 3, doubtful()),
        ];
        let before = members(doubtful.to_vec());
        assert_eq!(moves(&BTreeMap::new(), &before).of(["needs_review", ""]), 1);
        let after = members([doubtful.to_vec(), vec![(1, 4, reprocessing(2))]].concat());
        assert_eq!(moves(&before, &after).of(["needs_review", ""]), 0);
        let reviewed = vec![(1, 4, reviewed(Verdict::Accepted, "cdef"))];
        let after = members([doubtful.to_vec(), reviewed].concat());
        assert_eq!(moves(&before, &after).of(["needs_review", ""]), -1);
    }

    #[test]
    fn a_withdrawn_document_counts_as_that_alone() {
        let before = members(document(1));
        let after = members([document(1), vec![(1, 4, withdrawn())]].concat());
        let moves = moves(&before, &after);
        assert_eq!(moves.of(["withdrawn", ""]), 1);
        for gone in ["total", "bytes", "pages", "characters", "confidences"] {
            assert!(moves.of([gone, ""]) < 0, "{gone}");
        }
    }

    #[test]
    fn an_erased_document_counts_as_that_alone_withdrawn_or_not() {
        for way in [
            document(1),
            [document(1), vec![(1, 4, withdrawn())]].concat(),
        ] {
            let before = members(way.clone());
            let next = way.len() as i64 + 1;
            let erasure = vec![
                (1, next, requested("key:admin")),
                (1, next + 1, erased("key:admin", "key:approver")),
            ];
            let after = members([way, erasure].concat());
            let gone = moves(&before, &after);
            assert_eq!(gone.of(["erased", ""]), 1);
            let all = moves(&BTreeMap::new(), &after);
            for none in [
                "total",
                "withdrawn",
                "bytes",
                "pages",
                "characters",
                "confidences",
            ] {
                assert_eq!(all.of([none, ""]), 0, "{none}");
            }
        }
    }

    #[test]
    fn a_senseless_confidence_is_rejected() {
        let events = log(vec![(1, 1, uploaded()), (1, 2, extracted_at(7.0))]);
        let folded = fold::fold::<Member>(&events, &BTreeMap::new());
        assert_eq!(folded.rejected[0].error, "its confidence is out of range");
    }
}
