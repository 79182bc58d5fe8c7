//! `GET /api/v1/audit/{position}/{index}/shown`: what a reader was shown then.

use super::super::audited::Touched;
use super::super::auth::{Principal, sees};
use super::super::documents::{Document, Moment, Past};
use super::super::problem::{Problem, ProblemBody, ProblemType};
use super::super::state::ApiState;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use kmrl_domain::access::{self, AccessRecord, AccessRecorded, Outcome};
use kmrl_domain::{Permission, RecordedEvent};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// What a reader was shown, with who and when.
#[derive(Serialize, ToSchema)]
pub(super) struct Shown {
    access: Access,
    /// The document as it was then, whole, also where the action shows less of it (`status`,
    /// `download`). What has been erased since is blank.
    document: Document,
}

/// The record of the access.
#[derive(Serialize, ToSchema)]
struct Access {
    /// Position of its event in the log.
    position: i64,
    /// Place in its event, from 0.
    index: usize,
    #[schema(example = "view")]
    action: String,
    #[schema(example = "key:admin")]
    actor: String,
    key_id: Option<String>,
    /// When it was answered, by the clock of the process.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// When its event was recorded.
    #[serde(with = "time::serde::rfc3339")]
    recorded_at: OffsetDateTime,
    request_id: Option<String>,
    /// Address of the other end of the connection.
    address: Option<String>,
    user_agent: Option<String>,
    reason: Option<String>,
    document_id: Uuid,
    /// Version that was shown.
    version: Option<i64>,
    /// Position of the log that the answer was made at.
    shown_at: Option<i64>,
}

/// What a reader was shown
///
/// Takes a record of access by its place in the audit trail (`position` and `index` there) and
/// gives the document as of the version that was shown.
#[utoipa::path(
    get, path = "/api/v1/audit/{position}/{index}/shown", tag = "audit",
    params(
        ("position" = i64, Path, minimum = 1, description = "Position of the record's event"),
        ("index" = i64, Path, minimum = 0, description = "The record's place in its event"),
    ),
    responses(
        (status = 200, description = "The document as it was then", body = Shown),
        (status = 400, description = "The place is no place", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such record, or it showed no document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The log or the text cannot be read now", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn shown(
    State(state): State<ApiState>,
    principal: Principal,
    Path((position, index)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let position: i64 = number("position", &position)?;
    let index: usize = number("index", &index)?;
    let event = state.log.at(position).await?;
    let event = event.filter(|e| e.aggregate_type == access::TYPE);
    let event = event.ok_or_else(|| none(position, index))?;
    let record = record(&event, index)?;
    let (document_id, moment) = moment(&record)?;
    sees(&state, &principal, Permission::Audit, document_id).await?;
    let past = Past::load(&state, document_id, moment).await?;
    let touched = Touched {
        document_id: Some(document_id),
        version: record.version,
        shown_at: record.shown_at,
        count: Some(1),
        ..Touched::default()
    };
    Ok(touched.with(Json(Shown {
        access: Access {
            position,
            index,
            action: record.action,
            actor: record.actor,
            key_id: record.key_id,
            at: record.at,
            recorded_at: event.recorded_at,
            request_id: record.request_id,
            address: record.address,
            user_agent: record.user_agent,
            reason: record.reason,
            document_id,
            version: record.version,
            shown_at: record.shown_at,
        },
        document: past.document(),
    })))
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, Problem> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or_else(|| {
        let what = format!("`{name}` is a whole number, as in the audit trail");
        Problem::new(ProblemType::InvalidParameter).detail(what)
    })
}

fn record(event: &RecordedEvent, index: usize) -> Result<AccessRecord, Problem> {
    let AccessRecorded { records } = event.decode().map_err(|e| Problem::internal(&e))?;
    let record = records.into_iter().nth(index);
    record.ok_or_else(|| none(event.position, index))
}

fn none(position: i64, index: usize) -> Problem {
    let what = format!("position {position} has no record of access {index}");
    Problem::new(ProblemType::AccessNotFound).detail(what)
}

/// Which document was shown, and as of when.
fn moment(record: &AccessRecord) -> Result<(Uuid, Moment), Problem> {
    let moment = match (record.version, record.shown_at) {
        (Some(version), _) => Some(Moment::Version(version)),
        (None, Some(position)) if position > 0 => Some(Moment::Position(position)),
        (None, _) => None,
    };
    let shown = record.outcome == Outcome::Shown;
    match (record.document_id, moment) {
        (Some(id), Some(moment)) if shown => Ok((id, moment)),
        _ => {
            let (action, outcome) = (&record.action, record.outcome);
            let what = format!("it is a `{action}` that was {outcome}");
            Err(Problem::new(ProblemType::NothingShown).detail(what))
        }
    }
}
