//! `POST /api/v1/websocket/ticket`: a ticket for one live connection, for browsers.

use super::auth::Principal;
use super::problem::{Problem, ProblemBody, ProblemType};
use super::state::ApiState;
use crate::identity::TICKET_GOOD_FOR;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// A ticket.
#[derive(Serialize, ToSchema)]
pub(super) struct Ticket {
    /// To be sent as `?ticket=` to `/ws`, `/ws/{user_id}`, `/ws/documents/{id}` or `/api/v1/events/stream`.
    ticket: String,
    /// Seconds for which it is good.
    expires_in: u64,
}

/// A ticket for one live connection
///
/// Browsers can send no header when they open a WebSocket or follow server-sent events. A ticket is
/// good once, for half a minute, and allows what its holder's credential allows.
#[utoipa::path(
    post, path = "/api/v1/websocket/ticket", tag = "live",
    responses(
        (status = 200, description = "The ticket", body = Ticket),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn websocket_ticket(
    State(state): State<ApiState>,
    principal: Principal,
) -> Result<Response, Problem> {
    let ticket = state
        .identity
        .tickets()
        .give(&principal)
        .await
        .map_err(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a ticket cannot be given"
            );
            Problem::new(ProblemType::Unavailable)
        })?;
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    let ticket = Ticket {
        ticket,
        expires_in: TICKET_GOOD_FOR.as_secs(),
    };
    Ok((no_store, Json(ticket)).into_response())
}
