//! `GET /api/v1/log/entries`: entries as they are hashed, with their leaves, as JSON Lines.

use super::super::problem::{Problem, ProblemBody, ProblemType};
use super::super::query::{Query, within};
use super::super::state::ApiState;
use crate::event_store::LogError;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::try_unfold;
use serde::Deserialize;
use utoipa::IntoParams;

/// Entries read at once: what the answer holds in memory.
const PAGE: i64 = 256;

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EntriesQuery {
    /// Only entries after this position; 0 when absent.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// How many at most; all that there are now when absent.
    #[param(minimum = 1)]
    limit: Option<i64>,
}

/// Entries of the log as they are hashed
#[utoipa::path(
    get, path = "/api/v1/log/entries", tag = "log", params(EntriesQuery),
    responses(
        (status = 200, description = "One entry a line with its leaf hash, as JSON Lines. The leaf is SHA-256 over a byte 0 and position, aggregate_type, aggregate_id, sequence, event_type, event_version, recorded_at, payload and metadata, joined by line feeds", body = String, content_type = "application/jsonl"),
        (status = 400, description = "A parameter cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "The log has no such position", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The log cannot be read now", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn entries(
    State(state): State<ApiState>,
    Query(query): Query<EntriesQuery>,
) -> Result<Response, Problem> {
    let after = within("after", query.after, 0, 0..=i64::MAX)?;
    let limit = within("limit", query.limit, i64::MAX, 1..=i64::MAX)?;
    let head = state.log.head().await.map_err(LogError::from)?;
    if after > head {
        let what = format!("the newest entry is at position {head}");
        return Err(Problem::new(ProblemType::LogPositionFuture).detail(what));
    }
    let to = head.min(after.saturating_add(limit));
    // The first page is read before the answer begins, so that it can still be a problem.
    let first = page(&state, after, to).await?;
    let stream = try_unfold((state, first), move |(state, page)| async move {
        let Some(Page { text, last }) = page else {
            return Ok(None);
        };
        let next = self::page(&state, last, to).await?;
        Ok::<_, PageError>(Some((text, (state, next))))
    });
    let kind = [(header::CONTENT_TYPE, "application/jsonl")];
    Ok((kind, Body::from_stream(stream)).into_response())
}

/// Some entries as lines, and the position of the last of them.
struct Page {
    text: Bytes,
    last: i64,
}

/// Why a page was not made. Once the answer has begun, it breaks it off.
#[derive(Debug, thiserror::Error)]
enum PageError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("writing an entry as a line")]
    Line(#[from] serde_json::Error),
}

impl From<PageError> for Problem {
    fn from(error: PageError) -> Self {
        match error {
            PageError::Log(error) => error.into(),
            PageError::Line(_) => Self::internal(&error),
        }
    }
}

async fn page(state: &ApiState, after: i64, to: i64) -> Result<Option<Page>, PageError> {
    let entries = state.tree.entries(after, to, PAGE).await;
    let entries = entries.map_err(LogError::from)?;
    let Some(last) = entries.last().map(|e| e.entry.position) else {
        return Ok(None);
    };
    let mut text = Vec::new();
    for entry in &entries {
        serde_json::to_writer(&mut text, entry)?;
        text.push(b'\n');
    }
    Ok(Some(Page {
        text: text.into(),
        last,
    }))
}
