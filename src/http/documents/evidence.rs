//! `GET /api/v1/documents/{id}/evidence`: a document with its history, in a file that proves
//! itself.

use super::super::audited::Touched;
use super::super::auth::Principal;
use super::super::disposition::attachment;
use super::super::problem::{Problem, ProblemBody};
use super::super::query::Query;
use super::super::state::ApiState;
use super::change::parse_id;
use crate::evidence::Request;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use kmrl_domain::access::{LONGEST_REASON, bounded};
use serde::Deserialize;
use tokio_util::io::ReaderStream;
use utoipa::IntoParams;

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EvidenceQuery {
    /// Why it is asked for; kept in the audit trail and in the pack.
    #[param(max_length = 1000)]
    reason: Option<String>,
}

/// A document with its history, as a file that proves itself
#[utoipa::path(
    get, path = "/api/v1/documents/{id}/evidence", tag = "documents",
    params(("id" = Uuid, Path, description = "The document"), EvidenceQuery),
    responses(
        (status = 200, description = "An evidence pack: a sealed zip with the document, its text, its events and the records of access to it, their proofs and a signed checkpoint, for `audit verify`. Of a document that was withdrawn or erased or is in quarantine, without content", content_type = "application/zip"),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "No checkpoint covers it yet, the signing key is not here, or a part does not answer", body = ProblemBody, content_type = "application/problem+json"),
        (status = 507, description = "There is no space to make it", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn evidence(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Query(query): Query<EvidenceQuery>,
    principal: Principal,
) -> Result<Response, Problem> {
    let document_id = parse_id(&id)?;
    let request = Request {
        document_id,
        made_by: principal.actor,
        reason: query.reason.map(|r| bounded(&r, LONGEST_REASON)),
        made_at: state.clock.now(),
    };
    let made = state.evidence.make(request).await?;
    let stream = ReaderStream::new(tokio::fs::File::from_std(made.file));
    let touched = Touched::document(document_id, made.version, made.position);
    let mut response = touched.with(Response::new(Body::from_stream(stream)));
    let headers = response.headers_mut();
    let name = format!("evidence-{document_id}-{}.zip", made.position);
    for (header, value) in [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/zip"),
        ),
        (header::CONTENT_LENGTH, HeaderValue::from(made.size)),
        (header::CONTENT_DISPOSITION, attachment(&name)),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-store"),
        ),
    ] {
        headers.insert(header, value);
    }
    Ok(response)
}
