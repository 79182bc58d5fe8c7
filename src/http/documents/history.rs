//! `GET /api/v1/documents/{id}/history`: each version of a document, and what changed in it.

use super::super::audited::Touched;
use super::super::problem::{Problem, ProblemBody};
use super::super::query::{Query, within};
use super::super::state::ApiState;
use super::change::parse_id;
use super::past::stream;
use super::view::Document;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use kmrl_domain::RecordedEvent;
use kmrl_projections::query::{DocumentRow, each_version};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Fields that say which version it is, not what is in it.
const NOT_CONTENT: [&str; 5] = ["id", "version", "position", "extracted_text", "incomplete"];

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// Only versions after this one; 0 when absent.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// How many at most; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
}

/// A document's versions, the oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct History {
    document_id: Uuid,
    versions: Vec<Version>,
    /// `after` for the next page; absent on the last.
    next_after: Option<i64>,
}

/// What one event made of a document. `?as_of=v` and its version shows the whole.
#[derive(Serialize, ToSchema)]
struct Version {
    version: i64,
    /// Place of its event in the log.
    position: i64,
    #[serde(rename = "type")]
    #[schema(example = "Corrected")]
    event_type: String,
    /// Who, such as `key:admin`.
    actor: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    recorded_at: OffsetDateTime,
    correlation_id: Option<String>,
    /// Fields of the document that are not what they were; the text shows as its SHA-256. What
    /// has been erased since is blank.
    changes: Vec<FieldChange>,
    /// The event could be applied.
    applied: bool,
}

/// A field before and after.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
struct FieldChange {
    #[schema(example = "department")]
    field: String,
    old: Value,
    new: Value,
}

/// The versions of a document
#[utoipa::path(
    get, path = "/api/v1/documents/{id}/history", tag = "documents",
    params(("id" = Uuid, Path, description = "The document"), HistoryQuery),
    responses(
        (status = 200, description = "The versions", body = History),
        (status = 400, description = "The id or a parameter cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The log cannot be read now", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn history(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Response, Problem> {
    let document_id = parse_id(&id)?;
    let after = within("after", query.after, 0, 0..=i64::MAX)?;
    let limit = within("limit", query.limit, 100, 1..=1000)?;
    let events = stream(&state, document_id).await?;
    let newest = events.last().map_or((0, 0), |e| (e.sequence, e.position));
    let mut versions = versions(&events);
    versions.retain(|v| v.version > after && v.version - after <= limit);
    let next_after = versions.last().map(|v| v.version);
    let touched = Touched::document(document_id, newest.0, newest.1);
    Ok(touched.with(Json(History {
        document_id,
        versions,
        next_after: next_after.filter(|last| *last < newest.0),
    })))
}

fn versions(events: &[RecordedEvent]) -> Vec<Version> {
    let mut before = Map::new();
    let version = |(event, row): (&RecordedEvent, Option<DocumentRow>)| {
        let applied = row.is_some();
        let mut changes = Vec::new();
        if let Some(after) = row.and_then(fields) {
            changes = difference(&before, &after);
            before = after;
        }
        Version {
            version: event.sequence,
            position: event.position,
            event_type: event.event_type.clone(),
            actor: event.metadata.get("actor").cloned(),
            recorded_at: event.recorded_at,
            correlation_id: event.metadata.get("correlation_id").cloned(),
            changes,
            applied,
        }
    };
    events
        .iter()
        .zip(each_version(events))
        .map(version)
        .collect()
}

/// The document as it is shown, but for what tells versions apart.
fn fields(row: DocumentRow) -> Option<Map<String, Value>> {
    match serde_json::to_value(Document::of(row)) {
        Ok(Value::Object(mut fields)) => {
            fields.retain(|name, _| !NOT_CONTENT.contains(&name.as_str()));
            Some(fields)
        }
        Ok(_) => None,
        Err(error) => {
            tracing::error!(%error, "writing a version of a document");
            None
        }
    }
}

fn difference(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<FieldChange> {
    let change = |(field, new): (&String, &Value)| {
        let old = before.get(field).cloned().unwrap_or_default();
        (old != *new).then(|| FieldChange {
            field: field.clone(),
            old,
            new: new.clone(),
        })
    };
    after.iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_changed_is_told_and_nothing_else() {
        let map = |value: Value| value.as_object().unwrap().clone();
        let before = map(json!({"department": null, "language": "en", "metadata": {"a": 1}}));
        let after = map(json!({"department": "safety", "language": "en", "metadata": {"a": 1}}));
        let changed = difference(&before, &after);
        assert_eq!(changed.len(), 1);
        assert_eq!(
            serde_json::to_value(&changed[0]).unwrap(),
            json!({"field": "department", "old": null, "new": "safety"})
        );
        assert_eq!(difference(&Map::new(), &after).len(), 3);
    }
}
