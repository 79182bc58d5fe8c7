//! `GET /api/v1/events`: the log by position, filtered by document, type, actor and time.

mod shown;

use super::audited::Touched;
use super::auth::Principal;
use super::cloud_event::{BATCH_MEDIA_TYPE, CloudEvent};
use super::position;
use super::problem::{Problem, ProblemBody, ProblemType};
use super::query::{Query, within};
use super::state::ApiState;
use crate::event_store::EventFilter;
use axum::Json;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use kmrl_domain::RecordedEvent;
use kmrl_domain::authority::{Permission, Target, Visibility};
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
    /// Also events that are records of access; the default is false. Needs audit:read.
    access: Option<bool>,
    /// json (a page, the default) or cloudevents (an array of CloudEvents 1.0; `Link` has the
    /// next page).
    format: Option<String>,
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
        (status = 200, description = "A page", content(
            (EventPage = "application/json"), (Vec<CloudEvent> = "application/cloudevents-batch+json")),
            headers(("Link" = String, description = "The next page, of CloudEvents"))),
        (status = 400, description = "A parameter cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`after` is beyond the end of the log", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The log cannot be read now", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn events(
    State(state): State<ApiState>,
    principal: Principal,
    Query(query): Query<EventsQuery>,
    uri: Uri,
) -> Result<Response, Problem> {
    let after = within("after", query.after, 0, 0..=i64::MAX)?;
    let asks_for_access = query.kind.as_deref() == Some(kmrl_domain::access::EVENT);
    let as_cloud_events = match query.format.as_deref() {
        None | Some("json") => false,
        Some("cloudevents") => true,
        Some(_) => {
            let what = "`format` is json or cloudevents";
            return Err(Problem::new(ProblemType::InvalidParameter).detail(what));
        }
    };
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
    let authority = &principal.authority;
    if filter.access && !authority.permits(Permission::Audit, Target::Anything) {
        let what = format!(
            "records of access need the permission `{}`",
            Permission::Audit
        );
        return Err(Problem::new(ProblemType::Forbidden).detail(what));
    }
    let head = state.log.head().await;
    let mut head = head.map_err(crate::event_store::LogError::from)?;
    position::reached(Some(after), head)?;
    if authority.visibility() != Visibility::All {
        // Whose a document is is read from rows: what these do not have yet comes with the next page.
        head = head
            .min(state.everything.visible_position().await?)
            .max(after);
    }
    let shown = shown::page(&state, authority, filter, head).await?;
    let (events, next_after) = (shown.events, shown.next_after);
    let touched = Touched::many(events.len(), head);
    if as_cloud_events {
        return Ok(touched.with(batch(&events, &uri, next_after)));
    }
    Ok(touched.with(Json(EventPage {
        next_after,
        events: events.into_iter().map(view).collect(),
        head,
    })))
}

/// The events as a batch of CloudEvents, whose form has no place for a cursor: `Link` has it.
fn batch(events: &[RecordedEvent], uri: &Uri, next_after: i64) -> Response {
    let others = uri.query().unwrap_or_default().split('&');
    let others = others.filter(|pair| !pair.is_empty() && !pair.starts_with("after="));
    let query: String = others.flat_map(|pair| ["&", pair]).collect();
    let next = format!("<{}?after={next_after}{query}>; rel=\"next\"", uri.path());
    let events: Vec<_> = events.iter().map(CloudEvent::of).collect();
    let headers = [
        (header::CONTENT_TYPE, BATCH_MEDIA_TYPE.to_owned()),
        (header::LINK, next),
    ];
    (headers, Json(events)).into_response()
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
