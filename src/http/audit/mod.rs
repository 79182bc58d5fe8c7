//! `GET /api/v1/audit` and `GET /api/v1/documents/{id}/audit`: the audit trail, by page or as an
//! export that streams.

mod answer;
mod shown;
mod view;

use super::arrival;
use super::problem::{Problem, ProblemBody, ProblemType};
use super::query::Query;
use super::state::ApiState;
use super::{documents::parse_id, events::moment};
use crate::audit::Question;
use answer::Wanted;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use kmrl_projections::query::Order;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;
use view::AuditPage;

/// Their routes.
pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(audit))
        .routes(routes!(document_audit))
        .routes(routes!(shown::shown))
}

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    /// Only of this document.
    document_id: Option<Uuid>,
    /// Only by this actor, such as key:admin, anonymous or system:worker.
    actor: Option<String>,
    /// Only this action, such as view, download, upload or withdraw.
    action: Option<String>,
    /// Only with this outcome: shown, accepted, unchanged, replayed, refused, denied or failed.
    outcome: Option<String>,
    /// Only recorded then or later (RFC 3339).
    since: Option<String>,
    /// Only recorded before (RFC 3339).
    until: Option<String>,
    /// Only after this position.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Only before this position.
    #[param(minimum = 0)]
    before: Option<i64>,
    /// newest (the default) or oldest first.
    order: Option<String>,
    /// How many at most; 100 when absent. Not for exports.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// json (a page, the default), jsonl or csv (everything, streamed); or as Accept says.
    format: Option<String>,
    /// Why this is asked for; kept with the record of this access.
    #[param(max_length = 1000)]
    reason: Option<String>,
    /// Wait until the trail shows this position.
    #[param(minimum = 0)]
    min_position: Option<i64>,
}

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TimelineQuery {
    /// Only by this actor, such as key:admin, anonymous or system:worker.
    actor: Option<String>,
    /// Only this action, such as view, download, upload or withdraw.
    action: Option<String>,
    /// Only with this outcome: shown, accepted, unchanged, replayed, refused, denied or failed.
    outcome: Option<String>,
    /// Only recorded then or later (RFC 3339).
    since: Option<String>,
    /// Only recorded before (RFC 3339).
    until: Option<String>,
    /// Only after this position.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Only before this position.
    #[param(minimum = 0)]
    before: Option<i64>,
    /// oldest (the default) or newest first.
    order: Option<String>,
    /// How many at most; 100 when absent. Not for exports.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// json (a page, the default), jsonl or csv (everything, streamed); or as Accept says.
    format: Option<String>,
    /// Why this is asked for; kept with the record of this access.
    #[param(max_length = 1000)]
    reason: Option<String>,
    /// Wait until the trail shows this position.
    #[param(minimum = 0)]
    min_position: Option<i64>,
}

impl TimelineQuery {
    fn of(self, id: Uuid) -> AuditQuery {
        AuditQuery {
            document_id: Some(id),
            actor: self.actor,
            action: self.action,
            outcome: self.outcome,
            since: self.since,
            until: self.until,
            after: self.after,
            before: self.before,
            order: self.order,
            limit: self.limit,
            cursor: self.cursor,
            format: self.format,
            reason: self.reason,
            min_position: self.min_position,
        }
    }
}

/// The audit trail
///
/// Every change and every access: who, what, which document and version, when, from where, and
/// how it ended. Records of access are durable before their answer; this view of them follows
/// within about a second, and says in `position` how far it is.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "audit", params(AuditQuery),
    responses(
        (status = 200, description = "A page, or the whole as an export", content(
            (AuditPage = "application/json"), (String = "application/jsonl"), (String = "text/csv"))),
        (status = 400, description = "A parameter cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The trail cannot be read, or this access not be recorded, now", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
async fn audit(
    State(state): State<ApiState>,
    headers: HeaderMap,
    Query(query): Query<AuditQuery>,
) -> Result<Response, Problem> {
    let wanted = wanted(query, &headers, Order::Newest, ("audit", "audit_export"))?;
    wanted.answer(&state).await
}

/// One timeline of a document's changes and reads
#[utoipa::path(
    get, path = "/api/v1/documents/{id}/audit", tag = "audit",
    params(("id" = Uuid, Path, description = "The document"), TimelineQuery),
    responses(
        (status = 200, description = "A page, or the whole as an export", content(
            (AuditPage = "application/json"), (String = "application/jsonl"), (String = "text/csv"))),
        (status = 400, description = "The id or a parameter cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The trail cannot be read, or this access not be recorded, now", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
async fn document_audit(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Query(query): Query<TimelineQuery>,
) -> Result<Response, Problem> {
    let id = parse_id(&id)?;
    let actions = ("document_audit", "document_audit_export");
    let wanted = wanted(query.of(id), &headers, Order::Oldest, actions)?;
    arrival::row(&state, id, || state.everything.status(id)).await?;
    wanted.answer(&state).await
}

fn wanted(
    query: AuditQuery,
    headers: &HeaderMap,
    order: Order,
    actions: (&'static str, &'static str),
) -> Result<Wanted, Problem> {
    let question = Question {
        document_id: query.document_id,
        actor: query.actor,
        action: query.action,
        outcome: query.outcome,
        since: moment("since", query.since)?,
        until: moment("until", query.until)?,
        after: query.after,
        before: query.before,
    };
    if query.reason.is_some_and(|r| r.chars().count() > 1_000) {
        let what = "`reason` has at most 1000 characters";
        return Err(Problem::new(ProblemType::InvalidParameter).detail(what));
    }
    Ok(Wanted {
        filter: question.filter()?,
        order: answer::order(query.order.as_deref(), order)?,
        export: answer::format(query.format.as_deref(), headers)?,
        cursor: answer::cursor(query.cursor.as_deref())?,
        limit: query.limit,
        min_position: query.min_position,
        actions,
    })
}
