//! `GET /api/v1/keys`: which keys there are and were.

use super::super::problem::{Problem, ProblemBody};
use super::super::query::{Query, within};
use super::super::state::ApiState;
use super::KeyTerms;
use axum::Json;
use axum::extract::State;
use kmrl_domain::api_key::Grant;
use kmrl_projections::query::ApiKeyRow;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct KeysQuery {
    /// How many at most; 100 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i64>,
    /// Only those before this position: `next_before` of the page before.
    #[param(minimum = 0)]
    before: Option<i64>,
}

/// The newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Keys {
    keys: Vec<Key>,
    /// For the next page; absent on the last.
    next_before: Option<i64>,
}

/// A key, without anything of its secret.
#[derive(Serialize, ToSchema)]
struct Key {
    #[serde(flatten)]
    terms: KeyTerms,
    /// active, expired or revoked.
    state: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    issued_at: OffsetDateTime,
    issued_by: String,
    /// When it was used last, some moments late.
    #[serde(with = "time::serde::rfc3339::option")]
    last_used_at: Option<OffsetDateTime>,
    /// When it got another secret last.
    #[serde(with = "time::serde::rfc3339::option")]
    rotated_at: Option<OffsetDateTime>,
    /// Until when the secret before is good.
    #[serde(with = "time::serde::rfc3339::option")]
    overlap_until: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    revoked_at: Option<OffsetDateTime>,
    revoked_by: Option<String>,
    revocation_reason: Option<String>,
}

/// Keys, the newest first
#[utoipa::path(
    get, path = "/api/v1/keys", tag = "keys", params(KeysQuery),
    responses(
        (status = 200, description = "The newest first", body = Keys),
        (status = 400, description = "A parameter cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn keys(
    State(state): State<ApiState>,
    Query(query): Query<KeysQuery>,
) -> Result<Json<Keys>, Problem> {
    let limit = within("limit", query.limit, 100, 1..=500)?;
    let rows = state.everything.api_keys(limit, query.before).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|n| n == limit);
    let next_before = rows.last().filter(|_| full).map(|row| row.position);
    let now = state.clock.now();
    let keys: Result<_, _> = rows.into_iter().map(|row| view(row, now)).collect();
    Ok(Json(Keys {
        keys: keys.map_err(|e: serde_json::Error| Problem::internal(&e))?,
        next_before,
    }))
}

fn view(row: ApiKeyRow, now: OffsetDateTime) -> Result<Key, serde_json::Error> {
    let grant: Grant = serde_json::from_value(row.terms)?;
    let expired = grant.expires_at.is_some_and(|end| end <= now);
    Ok(Key {
        state: match row.revoked_at {
            Some(_) => "revoked",
            None if expired => "expired",
            None => "active",
        },
        terms: KeyTerms::of(row.id, grant),
        issued_at: row.issued_at,
        issued_by: row.issued_by,
        last_used_at: row.last_used_at,
        rotated_at: row.rotated_at,
        overlap_until: row.overlap_until,
        revoked_at: row.revoked_at,
        revoked_by: row.revoked_by,
        revocation_reason: row.revocation_reason,
    })
}
