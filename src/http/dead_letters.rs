//! `GET /api/v1/dead-letters` and replaying one: what was given up on and waits for somebody.

use super::context::Caller;
use super::problem::{Problem, ProblemBody, ProblemType};
use super::query::{Query, within};
use super::state::ApiState;
use crate::dead_letters::{DeadLetter, LetterId, NoLetterId, ReplayError};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LettersQuery {
    /// How many; 100 when absent. A few more come when several are at the last one's position.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i64>,
    /// Only those before this position: `next_before` of the page before.
    #[param(minimum = 0)]
    before: Option<i64>,
}

/// The newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Letters {
    dead_letters: Vec<DeadLetter>,
    /// For the next page; absent on the last.
    next_before: Option<i64>,
}

/// What becomes of a replay.
#[derive(Serialize, ToSchema)]
pub(super) struct Replaying {
    /// Which.
    id: String,
    /// started: it goes on in the background, and the letter stays on the list if it fails again.
    state: &'static str,
}

/// What was given up on
#[utoipa::path(
    get, path = "/api/v1/dead-letters", tag = "operations", params(LettersQuery),
    responses(
        (status = 200, description = "The newest first", body = Letters),
        (status = 400, description = "A parameter cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn dead_letters(
    State(state): State<ApiState>,
    Query(query): Query<LettersQuery>,
) -> Result<Json<Letters>, Problem> {
    let limit = within("limit", query.limit, 100, 1..=500)?;
    let letters = state.dead_letters.list(query.before, limit).await;
    let dead_letters = letters.map_err(|e| Problem::unavailable(ProblemType::Unavailable, &e))?;
    let is_full = i64::try_from(dead_letters.len()).is_ok_and(|n| n >= limit);
    Ok(Json(Letters {
        next_before: dead_letters.last().filter(|_| is_full).map(|l| l.position),
        dead_letters,
    }))
}

/// Try one again
#[utoipa::path(
    post, path = "/api/v1/dead-letters/{id}/replay", tag = "operations",
    params(("id" = String, Path, description = "Its id, as listed")),
    responses(
        (status = 202, description = "It is tried again in the background", body = Replaying),
        (status = 400, description = "The id cannot be one", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is none of this id (any more)", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The document's state forbids it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn replay(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Replaying>), Problem> {
    let letter: LetterId = id.parse().map_err(|e: NoLetterId| {
        Problem::new(ProblemType::InvalidParameter).detail(e.to_string())
    })?;
    let (letters, metadata) = (state.dead_letters.clone(), caller.metadata());
    match letter {
        LetterId::Job(_) => letters.replay(letter, metadata, &mut |_, _| {}).await?,
        LetterId::Parked(..) => {
            letters.find(letter).await?;
            // A rebuild takes its time. Cut short by a restart, it is taken up by the next replay.
            tokio::spawn(async move {
                if let Err(error) = letters.replay(letter, metadata, &mut |_, _| {}).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        %letter,
                        "a dead letter was replayed in vain"
                    );
                }
            });
        }
    }
    let state = "started";
    Ok((StatusCode::ACCEPTED, Json(Replaying { id, state })))
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Unknown => Self::new(ProblemType::DeadLetterNotFound),
            ReplayError::Command(error) => error.into(),
            ReplayError::StillUnfit { .. } => {
                Self::new(ProblemType::Conflict).detail(error.to_string())
            }
            ReplayError::Database(_) | ReplayError::Projection(_) => {
                Self::unavailable(ProblemType::Unavailable, &error)
            }
        }
    }
}
