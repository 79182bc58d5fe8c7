//! `GET /api/v1/documents/statistics`: how many documents there are, of what kinds.

use super::super::audited::Touched;
use super::super::problem::{Problem, ProblemBody};
use super::super::query::Query;
use super::super::seen::Seen;
use super::super::state::ApiState;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use kmrl_projections::query::Statistics;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// No parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StatisticsQuery {}

/// Counts of documents; withdrawn ones are only in `withdrawn`, erased ones only in `erased`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DocumentStatistics {
    total: i64,
    by_status: BTreeMap<String, i64>,
    by_source: BTreeMap<String, i64>,
    by_department: BTreeMap<String, i64>,
    by_language: BTreeMap<String, i64>,
    /// Bytes of all originals.
    bytes: i64,
    pages: i64,
    characters: i64,
    duplicates: i64,
    withdrawn: i64,
    erased: i64,
    average_confidence: Option<f64>,
    /// Whose text a person has to look at.
    needs_review: i64,
}

impl DocumentStatistics {
    /// As the read model has them.
    pub(crate) fn of(s: Statistics) -> Self {
        Self {
            total: s.total,
            by_status: s.by_status,
            by_source: s.by_source,
            by_department: s.by_department,
            by_language: s.by_language,
            bytes: s.bytes,
            pages: s.pages,
            characters: s.characters,
            duplicates: s.duplicates,
            withdrawn: s.withdrawn,
            erased: s.erased,
            average_confidence: s.average_confidence,
            needs_review: s.needs_review,
        }
    }
}

/// Counts of documents
#[utoipa::path(
    get, path = "/api/v1/documents/statistics", tag = "documents",
    responses(
        (status = 200, description = "The counts", body = DocumentStatistics),
        (status = 400, description = "A parameter is unknown", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn statistics(
    State(state): State<ApiState>,
    Seen(read): Seen,
    _: Query<StatisticsQuery>,
) -> Result<Response, Problem> {
    let at = state.everything.visible_position().await?;
    let statistics = DocumentStatistics::of(read.statistics().await?);
    Ok(Touched::many(1, at).with(Json(statistics)))
}
