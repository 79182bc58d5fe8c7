//! Answers a checked question to the audit trail: as a page, or as lines that stream.

use super::super::audited::Touched;
use super::super::disposition::attachment;
use super::super::problem::{Problem, ProblemType};
use super::super::query::within;
use super::super::state::ApiState;
use super::view::AuditPage;
use crate::audit::{self, BadQuestion, Export, Exporter};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use futures::stream;
use kmrl_projections::query::{AuditFilter, AuditKey, AuditRow, Order, QueryError};
use std::time::Duration;

/// Looks again this often while the trail has not come as far as was asked for.
const LOOK: Duration = Duration::from_millis(50);

/// What was asked for, checked.
pub(super) struct Wanted {
    pub(super) filter: AuditFilter,
    pub(super) order: Order,
    /// `None`: a page.
    pub(super) export: Option<Export>,
    pub(super) cursor: Option<AuditKey>,
    pub(super) limit: Option<i64>,
    pub(super) min_position: Option<i64>,
    /// What a page and an export are called in the trail itself.
    pub(super) actions: (&'static str, &'static str),
}

impl Wanted {
    pub(super) async fn answer(self, state: &ApiState) -> Result<Response, Problem> {
        let position = self.wait(state).await?;
        match self.export {
            None => self.page(state, position).await,
            Some(format) => self.export(state, format, position).await,
        }
    }

    /// Where the trail is, once it is where it was asked to be.
    async fn wait(&self, state: &ApiState) -> Result<i64, Problem> {
        let deadline = tokio::time::Instant::now() + state.min_position_wait;
        let mut ticks = tokio::time::interval(LOOK);
        loop {
            let position = state.everything.audit_position().await?;
            match self.min_position {
                Some(wanted) if wanted > position => {
                    if tokio::time::Instant::now() >= deadline {
                        let what =
                            format!("position {wanted} was asked for, the trail is at {position}");
                        return Err(Problem::new(ProblemType::PositionNotReached).detail(what));
                    }
                    ticks.tick().await;
                }
                _ => return Ok(position),
            }
        }
    }

    async fn page(self, state: &ApiState, position: i64) -> Result<Response, Problem> {
        let limit = within("limit", self.limit, 100, 1..=1_000)?;
        // One more than asked for tells whether there is a next page.
        let read = state
            .everything
            .audit(&self.filter, self.order, self.cursor, limit + 1);
        let mut entries = read.await?;
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = entries.len() > size;
        entries.truncate(size);
        let last = entries.last().filter(|_| more).map(AuditRow::key);
        let touched = Touched {
            action: Some(self.actions.0),
            ..Touched::many(entries.len(), position)
        };
        Ok(touched.with(Json(AuditPage {
            entries,
            next_cursor: last.map(audit::cursor),
            position,
        })))
    }

    async fn export(
        self,
        state: &ApiState,
        format: Export,
        position: i64,
    ) -> Result<Response, Problem> {
        if self.limit.is_some() {
            let what = "an export takes no `limit`: it holds everything";
            return Err(Problem::new(ProblemType::InvalidParameter).detail(what));
        }
        let read = state.everything.clone();
        let exporter = Exporter::begin(read, self.filter, self.order, format, self.cursor).await?;
        let lines = stream::try_unfold(exporter, |mut exporter| async move {
            let next = exporter.next().await.inspect_err(broken)?;
            Ok::<_, QueryError>(next.map(|(text, _)| (Bytes::from(text), exporter)))
        });
        let touched = Touched {
            action: Some(self.actions.1),
            shown_at: Some(position),
            ..Touched::default()
        };
        let mut response = touched.with(Response::new(Body::from_stream(lines)));
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static(format.media_type());
        headers.insert(header::CONTENT_TYPE, kind);
        let name = format!("audit.{}", format.ending());
        headers.insert(header::CONTENT_DISPOSITION, attachment(&name));
        Ok(response)
    }
}

/// The connection is cut, so that nobody takes a part for the whole.
fn broken(error: &QueryError) {
    let error: &(dyn std::error::Error + 'static) = error;
    tracing::warn!(error, "an export of the audit trail was cut off");
}

pub(super) fn order(text: Option<&str>, default: Order) -> Result<Order, Problem> {
    match text {
        None => Ok(default),
        Some("newest") => Ok(Order::Newest),
        Some("oldest") => Ok(Order::Oldest),
        Some(_) => {
            let what = "`order` is newest or oldest";
            Err(Problem::new(ProblemType::InvalidParameter).detail(what))
        }
    }
}

pub(super) fn cursor(text: Option<&str>) -> Result<Option<AuditKey>, Problem> {
    let read = |t| audit::parse_cursor(t).ok_or_else(|| Problem::new(ProblemType::InvalidCursor));
    text.map(read).transpose()
}

/// `None` for a page. The parameter wins over `Accept`, of which the first known type counts.
pub(super) fn format(text: Option<&str>, headers: &HeaderMap) -> Result<Option<Export>, Problem> {
    match text {
        Some("json") => return Ok(None),
        Some("jsonl") => return Ok(Some(Export::Jsonl)),
        Some("csv") => return Ok(Some(Export::Csv)),
        Some(_) => {
            let what = "`format` is json, jsonl or csv";
            return Err(Problem::new(ProblemType::InvalidParameter).detail(what));
        }
        None => {}
    }
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok());
    let known = accept.unwrap_or_default().split(',').find_map(|part| {
        let essence = part.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "text/csv" => Some(Some(Export::Csv)),
            "application/jsonl" | "application/x-ndjson" | "application/ndjson" => {
                Some(Some(Export::Jsonl))
            }
            "application/json" | "*/*" => Some(None),
            _ => None,
        }
    });
    Ok(known.flatten())
}

impl From<BadQuestion> for Problem {
    fn from(bad: BadQuestion) -> Self {
        let kind = match bad {
            BadQuestion::Reversed { .. } => ProblemType::RangeReversed,
            _ => ProblemType::InvalidParameter,
        };
        Self::new(kind).detail(bad.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &'static str) -> Option<Export> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        format(None, &headers).unwrap()
    }

    #[test]
    fn the_first_known_type_counts_and_the_parameter_wins() {
        assert_eq!(accepted("text/csv"), Some(Export::Csv));
        assert_eq!(
            accepted("text/html, application/jsonl;q=0.9"),
            Some(Export::Jsonl)
        );
        assert_eq!(accepted("application/json, text/csv"), None);
        assert_eq!(accepted("*/*"), None);
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/csv"));
        assert_eq!(format(Some("json"), &headers).unwrap(), None);
        assert!(format(Some("xml"), &headers).is_err());
    }
}
