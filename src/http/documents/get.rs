//! `GET /api/v1/documents/{id}`: one document with its text.

use super::super::arrival;
use super::super::audited::Touched;
use super::super::etag::{client_has, etag};
use super::super::min_position;
use super::super::problem::{Problem, ProblemBody};
use super::super::query::Query;
use super::super::seen::Seen;
use super::super::state::ApiState;
use super::change::parse_id;
use super::past::{Moment, Past};
use super::view::Document;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct GetQuery {
    /// Wait until this position can be read: one's own write.
    #[param(minimum = 0)]
    min_position: Option<i64>,
    /// As it was at a version (`v3`), at a position of the log (`41`) or at a time (RFC 3339,
    /// such as 2026-01-02T03:04:05Z): with what its events had said up to then. What has been
    /// erased since is blank.
    #[param(example = "v3")]
    as_of: Option<String>,
}

/// One document with its text
#[utoipa::path(
    get, path = "/api/v1/documents/{id}", tag = "documents",
    params(("id" = Uuid, Path, description = "The document"), GetQuery),
    responses(
        (status = 200, description = "The document", body = Document, headers(
            ("ETag" = String, description = "Its version; absent once it was erased"),
            ("Cache-Control" = String, description = "With as_of: whether it can be kept"),
        )),
        (status = 304, description = "The client has it"),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document, or not yet, or the moment has not come", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The position cannot be read yet, or a part does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn get(
    State(state): State<ApiState>,
    Seen(read): Seen,
    Path(id): Path<String>,
    Query(query): Query<GetQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = parse_id(&id)?;
    min_position::wait(&state, query.min_position).await?;
    if let Some(moment) = query.as_of {
        let past = Past::load(&state, id, Moment::parse(&moment)?).await?;
        return Ok(past.answer(&headers));
    }
    let row = arrival::row(&state, id, || read.document(id)).await?;
    let tag = etag(row.version);
    let touched = Touched::document(id, row.version, row.shown_at);
    let response = if client_has(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(Document::of(row)).into_response()
    };
    let mut response = touched.with(response);
    response.headers_mut().insert(header::ETAG, tag);
    Ok(response)
}
