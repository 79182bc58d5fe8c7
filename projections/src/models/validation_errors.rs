//! The read model `validation_errors`: uploads refused at the door or put into quarantine there, and
//! documents whose processing was given up.
//!
//! One row an event. Source and name of a failed document are the documents' own; queries join them.

use crate::batch::Texts;
use crate::fold::{self, Rejected, Unfit, storable};
use crate::model::Model;
use crate::models::quarantine;
use crate::rows::{self, row};
use async_trait::async_trait;
use kmrl_domain::private::RefusedPrivate;
use kmrl_domain::quarantine::Objection;
use kmrl_domain::{DocumentEvent, RecordedEvent, UploadRefused, intake};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

pub(crate) const NAME: &str = "validation_errors";

row! {
    /// An error.
    ValidationError in "validation_errors" {
        key position: i64 => "bigint",
        id: Uuid => "uuid",
        at: OffsetDateTime => "timestamptz",
        kind: String => "text",
        problem: String => "text",
        detail: String => "text",
        source: Option<String> => "text",
        file_name: Option<String> => "text",
        document_id: Option<Uuid> => "uuid",
        objections: Option<String> => "jsonb",
        uploader: Option<String> => "text",
    }
}

fn errors(events: &[RecordedEvent]) -> (Vec<ValidationError>, Vec<Rejected>) {
    let (mut rows, mut rejected) = (Vec::new(), Vec::new());
    for recorded in events {
        let row = if is_refusal(recorded) {
            refusal(recorded).map(Some)
        } else if is_failure(recorded) {
            failure(recorded)
        } else if is_quarantine(recorded) {
            kept_back(recorded)
        } else {
            Ok(None)
        };
        match row {
            Ok(row) => rows.extend(row),
            Err(why) => rejected.push(Rejected::new(recorded, &why)),
        }
    }
    (rows, rejected)
}

fn is_refusal(event: &RecordedEvent) -> bool {
    event.aggregate_type == intake::TYPE
}

fn is_failure(event: &RecordedEvent) -> bool {
    fold::is_of_document(event) && event.event_type == "Failed"
}

fn is_quarantine(event: &RecordedEvent) -> bool {
    fold::is_of_document(event) && event.event_type == "Quarantined"
}

fn refusal(recorded: &RecordedEvent) -> Result<ValidationError, Unfit> {
    let event: UploadRefused = recorded.decode()?;
    let private: Option<RefusedPrivate> = recorded.private().map_err(|_| Unfit::Private)?;
    Ok(ValidationError {
        position: recorded.position,
        id: recorded.id()?,
        at: event.refused_at,
        kind: "refused_upload".into(),
        problem: event.problem,
        detail: storable(event.detail),
        source: event.source,
        file_name: private.and_then(|p| p.file_name).map(storable),
        document_id: None,
        objections: told(event.objections)?,
        uploader: recorded.metadata.get("actor").cloned().map(storable),
    })
}

/// The objections as JSON; `None` when there are none.
fn told(objections: Vec<Objection>) -> Result<Option<String>, Unfit> {
    if objections.is_empty() {
        return Ok(None);
    }
    let shown: Vec<_> = objections.into_iter().map(quarantine::shown).collect();
    let text = serde_json::to_string(&shown).map_err(|_| Unfit::Range { field: "value" })?;
    Ok(Some(text))
}

fn kept_back(recorded: &RecordedEvent) -> Result<Option<ValidationError>, Unfit> {
    let id = recorded.id()?;
    Ok(match recorded.decode()? {
        DocumentEvent::Quarantined(event) => Some(ValidationError {
            position: recorded.position,
            id,
            at: event.quarantined_at,
            kind: "quarantined_upload".into(),
            problem: "quarantined".into(),
            detail: "The document waits in quarantine for two persons".into(),
            source: None,
            file_name: None,
            document_id: Some(id),
            objections: told(event.objections)?,
            uploader: None,
        }),
        _ => None,
    })
}

/// A failure after which no attempt follows; one that is retried is no error yet.
fn failure(recorded: &RecordedEvent) -> Result<Option<ValidationError>, Unfit> {
    let id = recorded.id()?;
    Ok(match recorded.decode()? {
        DocumentEvent::Failed(event) if event.retry_at.is_none() => Some(ValidationError {
            position: recorded.position,
            id,
            at: event.failed_at,
            kind: "failed_processing".into(),
            problem: event.reason.code,
            detail: storable(event.reason.detail),
            source: None,
            file_name: None,
            document_id: Some(id),
            objections: None,
            uploader: None,
        }),
        _ => None,
    })
}

/// The read model.
pub(crate) struct ValidationErrors;

#[async_trait]
impl Model for ValidationErrors {
    fn name(&self) -> &'static str {
        NAME
    }

    fn shape(&self) -> i32 {
        4
    }

    fn definition(&self) -> &'static str {
        include_str!("validation_errors.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["validation_errors"]
    }

    fn concerns(&self, event: &RecordedEvent) -> bool {
        is_refusal(event) || is_failure(event) || is_quarantine(event) || fold::is_erasure(event)
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        events: &[RecordedEvent],
        _texts: &Texts,
    ) -> Result<Vec<Rejected>, sqlx::Error> {
        let (rows, rejected) = errors(events);
        rows::upsert(&mut *connection, schema, rows).await?;
        let erasures = events.iter().filter(|event| fold::is_erasure(event));
        let erased: Vec<Uuid> = erasures.filter_map(|event| event.id().ok()).collect();
        if !erased.is_empty() {
            // That it failed stays; the sentence may tell of the content.
            sqlx::query(&format!(
                "UPDATE {schema}.validation_errors SET detail = '' WHERE document_id = ANY($1)"
            ))
            .bind(erased)
            .execute(connection)
            .await?;
        }
        Ok(rejected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_refused_upload_is_an_error_with_its_file_name() {
        let (rows, rejected) = errors(&[refused(1)]);
        assert!(rejected.is_empty());
        assert_eq!(rows[0].problem, "empty-file");
        assert_eq!(rows[0].file_name.as_deref(), Some("empty.pdf"));
        assert_eq!(rows[0].document_id, None);
        assert!(
            rows[0]
                .objections
                .as_deref()
                .unwrap()
                .contains("nothing in it")
        );
    }

    #[test]
    fn a_quarantine_is_an_error_with_what_the_door_objected_to() {
        let (rows, rejected) = errors(&log(vec![(1, 1, uploaded()), (1, 2, quarantined())]));
        assert!(rejected.is_empty());
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].kind, "quarantined_upload");
        assert!(rows[0].objections.as_deref().unwrap().contains("macros"));
    }

    #[test]
    fn only_the_last_failure_is_an_error() {
        let way = vec![(1, 1, failed(1, 1, true)), (1, 2, failed(1, 2, false))];
        let (rows, _) = errors(&log(way));
        assert_eq!(rows.len(), 1);
        assert_eq!(
            (rows[0].position, rows[0].problem.as_str()),
            (2, "unsupported_type")
        );
        assert_eq!(rows[0].document_id, Some(id(1)));
    }

    #[test]
    fn other_events_are_passed_over() {
        let (rows, rejected) = errors(&log(document(1)));
        assert!(rows.is_empty() && rejected.is_empty());
    }
}
