//! `GET /api/v1/documents/{id}/download`: the original bytes, streamed, with ranges and names.

use super::super::arrival;
use super::super::audited::Touched;
use super::super::disposition::attachment;
use super::super::etag::client_has;
use super::super::problem::{Problem, ProblemBody, ProblemType};
use super::super::query::Query;
use super::super::range;
use super::super::seen::Seen;
use super::super::state::ApiState;
use super::change::parse_id;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use kmrl_projections::query::DocumentRow;
use serde::Deserialize;
use std::ops::Range;
use utoipa::IntoParams;

/// No parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DownloadQuery {}

/// The original bytes of a document
#[utoipa::path(
    get, path = "/api/v1/documents/{id}/download", tag = "documents",
    params(
        ("id" = Uuid, Path, description = "The document"),
        ("Range" = Option<String>, Header, description = "One range of bytes"),
    ),
    responses(
        (status = 200, description = "The bytes, as the type that they are", content_type = "*/*", headers(("ETag" = String, description = "SHA-256 of the bytes"))),
        (status = 206, description = "The range of the bytes", content_type = "*/*"),
        (status = 304, description = "The client has them"),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "It is in quarantine", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "It was withdrawn or erased", body = ProblemBody, content_type = "application/problem+json"),
        (status = 416, description = "The range lies outside", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The object store does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn download(
    State(state): State<ApiState>,
    Seen(read): Seen,
    Path(id): Path<String>,
    _: Query<DownloadQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = parse_id(&id)?;
    let row = arrival::row(&state, id, || read.document(id)).await?;
    if row.erased_at.is_some() {
        return Err(Problem::new(ProblemType::DocumentErased));
    }
    if row.withdrawn_at.is_some() {
        return Err(Problem::new(ProblemType::DocumentWithdrawn));
    }
    if super::quarantine::holds(row.quarantine_state.as_deref()) {
        return Err(Problem::new(ProblemType::DocumentQuarantined));
    }
    let touched = Touched::document(row.id, row.version, row.shown_at);
    let tag = value(&format!("\"{}\"", row.sha256));
    if client_has(&headers, &tag) {
        return Ok(touched.with((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)])));
    }
    let size = u64::try_from(row.file_size).unwrap_or(0);
    let range = range::of(&headers, size, &tag)?;
    let reader = state.blobs.get(&row.s3_key, range.clone()).await?;
    let mut response = touched.with(Response::new(Body::from_stream(reader.stream)));
    describe(&mut response, &row, range, size);
    response.headers_mut().insert(header::ETAG, tag);
    Ok(response)
}

/// A downloaded document never runs anything in our origin, whatever it is.
fn describe(response: &mut Response, row: &DocumentRow, range: Option<Range<u64>>, size: u64) {
    let length = range.as_ref().map_or(size, |r| r.end - r.start);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, value(&row.content_type));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(
        header::CONTENT_DISPOSITION,
        attachment(&row.original_filename),
    );
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let policy = HeaderValue::from_static("sandbox; default-src 'none'; frame-ancestors 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    if let Some(range) = range {
        let text = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        headers.insert(header::CONTENT_RANGE, value(&text));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text)
        .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"))
}
