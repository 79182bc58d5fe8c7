//! `GET /api/v1/documents/`: a page of documents, the newest first, by skip or by cursor.

use super::super::audited::Touched;
use super::super::cursor::Cursor;
use super::super::min_position;
use super::super::problem::{Problem, ProblemBody, ProblemType};
use super::super::query::{Query, within};
use super::super::seen::Seen;
use super::super::state::ApiState;
use super::view::Document;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use kmrl_domain::values::Status;
use kmrl_projections::query::{DocumentRow, ListFilter, Page};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// How many to skip; at most 1000000. Use `cursor` to go far.
    #[param(minimum = 0, maximum = 1_000_000)]
    skip: Option<i64>,
    /// How many at most; 100 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only of this source.
    source: Option<String>,
    /// Only with this status: queued, processing, processed or failed.
    status: Option<String>,
    /// Only of this department.
    department: Option<String>,
    /// Only those in quarantine.
    quarantined: Option<bool>,
    /// Only in this language: mixed, und or a code such as en or ml.
    language: Option<String>,
    /// Only those whose text a person has to look at, or only the others.
    needs_review: Option<bool>,
    /// Only those that were found inside this document.
    parent: Option<Uuid>,
    /// Also withdrawn ones.
    include_withdrawn: Option<bool>,
    /// Also erased ones.
    include_erased: Option<bool>,
    /// Wait until this position can be read: one's own write.
    #[param(minimum = 0)]
    min_position: Option<i64>,
}

/// A page of documents.
#[derive(Serialize, ToSchema)]
pub(super) struct DocumentPage {
    /// The documents, without their text.
    documents: Vec<Document>,
    /// How many there are in all pages.
    total: i64,
    /// Which page this is, from 1; by cursor always 1.
    page: i64,
    /// How many a page has.
    per_page: i64,
    /// How many pages there are.
    total_pages: i64,
    /// For the next page; absent on the last.
    next_cursor: Option<String>,
}

/// A page of documents, the newest first
#[utoipa::path(
    get, path = "/api/v1/documents/", tag = "documents", params(ListQuery),
    responses(
        (status = 200, description = "A page", body = DocumentPage),
        (status = 400, description = "A parameter cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The position cannot be read yet, or a part does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Seen(read): Seen,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let limit = within("limit", query.limit, 100, 1..=500)?;
    let skip = within("skip", query.skip, 0, 0..=1_000_000)?;
    let page = match &query.cursor {
        Some(_) if query.skip.is_some() => {
            return Err(Problem::new(ProblemType::InvalidParameter)
                .detail("`skip` and `cursor` exclude each other"));
        }
        // One more than asked for tells whether there is a next page.
        Some(text) => {
            let Cursor { uploaded_at, id } = Cursor::decode(text)?;
            let limit = limit + 1;
            Page::After {
                uploaded_at,
                id,
                limit,
            }
        }
        None => Page::Offset {
            skip,
            limit: limit + 1,
        },
    };
    let status = query.status.map(|s| s.parse::<Status>()).transpose();
    let filter = ListFilter {
        source: query.source,
        department: query.department,
        language: query.language,
        needs_review: query.needs_review,
        parent: query.parent,
        status: status.map_err(|e| {
            Problem::new(ProblemType::InvalidParameter).detail(format!("status: {e}"))
        })?,
        quarantined: query.quarantined.unwrap_or(false),
        include_withdrawn: query.include_withdrawn.unwrap_or(false),
        include_erased: query.include_erased.unwrap_or(false),
    };
    min_position::wait(&state, query.min_position).await?;
    let mut found = read.list(&filter, page).await?;
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.documents.len() > size;
    found.documents.truncate(size);
    let next_cursor = found.documents.last().filter(|_| more).map(cursor);
    let touched = Touched::many(found.documents.len(), found.shown_at);
    Ok(touched.with(Json(DocumentPage {
        next_cursor,
        documents: found.documents.into_iter().map(Document::of).collect(),
        total: found.total,
        page: skip / limit + 1,
        per_page: limit,
        total_pages: (found.total + limit - 1) / limit,
    })))
}

fn cursor(row: &DocumentRow) -> String {
    Cursor {
        uploaded_at: row.upload_time,
        id: row.id,
    }
    .encode()
}
