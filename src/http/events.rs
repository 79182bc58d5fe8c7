//! `GET /api/v1/events`: the log by position, filtered by document, type, actor and time.

use super::audited::Touched;
use super::problem::{Problem, ProblemBody, ProblemType};
use super::query::{Query, within};
use super::state::ApiState;
use crate::event_store::EventFilter;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use kmrl_domain::RecordedEvent;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Only events after this position; 0 when absent.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// How many at most; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// Only of this document.
    document_id: Option<Uuid>,
    /// Only of this type, such as Uploaded.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    kind: Option<String>,
    /// Only by this actor, such as key:admin or system:worker.
    actor: Option<String>,
    /// Only recorded then or later (RFC 3339).
    since: Option<String>,
    /// Only recorded before (RFC 3339).
    until: Option<String>,
    /// Also events that are records of access; the default is false.
    access: Option<bool>,
}

/// A page of the log.
#[derive(Serialize, ToSchema)]
pub(super) struct EventPage {
    events: Vec<Event>,
    /// `after` for the next page.
    next_after: i64,
    /// Position of the newest event of the log.
    head: i64,
}

/// An event.
#[derive(Serialize, ToSchema)]
struct Event {
    /// Place in the log: 1, 2, 3 … without a gap.
    position: i64,
    aggregate_type: String,
    aggregate_id: String,
    /// Place in the stream of its document, from 1.
    sequence: i64,
    event_type: String,
    event_version: String,
    #[schema(value_type = Object)]
    payload: Value,
    /// actor, key_id, request_id, correlation_id, causation_id, traceparent.
    metadata: HashMap<String, String>,
    #[serde(with = "time::serde::rfc3339")]
    recorded_at: OffsetDateTime,
}

/// A page of the log
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events", params(EventsQuery),
    responses(
        (status = 200, description = "A page", body = EventPage),
        (status = 400, description = "A parameter cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The log cannot be read now", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn events(
    State(state): State<ApiState>,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Problem> {
    let after = within("after", query.after, 0, 0..=i64::MAX)?;
    let asks_for_access = query.kind.as_deref() == Some(kmrl_domain::access::EVENT);
    let filter = EventFilter {
        after,
        limit: within("limit", query.limit, 100, 1..=1000)?,
        document_id: query.document_id,
        event_type: query.kind,
        actor: query.actor,
        since: moment("since", query.since)?,
        until: moment("until", query.until)?,
        access: query.access.unwrap_or(asks_for_access),
    };
    let head = state
        .log
        .head()
        .await
        .map_err(crate::event_store::LogError::from)?;
    let events: Vec<Event> = state
        .log
        .page(&filter)
        .await?
        .into_iter()
        .map(view)
        .collect();
    let last = events.last().map_or(after, |e| e.position);
    let full = i64::try_from(events.len()).is_ok_and(|n| n == filter.limit);
    let touched = Touched::many(events.len(), head);
    Ok(touched.with(Json(EventPage {
        // After a page that is not full nothing that passes is left up to the head.
        next_after: if full { last } else { last.max(head) },
        events,
        head,
    })))
}

pub(super) fn moment(name: &str, text: Option<String>) -> Result<Option<OffsetDateTime>, Problem> {
    let parse = |t: String| {
        OffsetDateTime::parse(&t, &Rfc3339).map_err(|e| {
            let what =
                format!("`{name}` is a time as in RFC 3339, such as 2026-01-02T03:04:05Z: {e}");
            Problem::new(ProblemType::InvalidParameter).detail(what)
        })
    };
    text.map(parse).transpose()
}

fn view(e: RecordedEvent) -> Event {
    Event {
        position: e.position,
        aggregate_type: e.aggregate_type,
        aggregate_id: e.aggregate_id,
        sequence: e.sequence,
        event_type: e.event_type,
        event_version: e.event_version,
        payload: e.payload,
        metadata: e.metadata,
        recorded_at: e.recorded_at,
    }
}
