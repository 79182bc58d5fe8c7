//! `GET /api/v1/websocket/info`: how to subscribe, and how many do.

use super::live::Connections;
use super::problem::ProblemBody;
use super::state::ApiState;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// How to subscribe.
#[derive(Serialize, ToSchema)]
pub(super) struct WebsocketInfo {
    /// Subscribers of this process.
    active_connections: usize,
    /// The same by path.
    #[schema(value_type = Object)]
    connections: Connections,
    /// The paths.
    endpoints: [&'static str; 3],
    /// What a client may send.
    client_messages: [&'static str; 5],
    /// What the server sends.
    server_messages: [&'static str; 8],
}

/// How to subscribe to live updates, and how many do
#[utoipa::path(
    get, path = "/api/v1/websocket/info", tag = "live",
    responses(
        (status = 200, description = "How", body = WebsocketInfo),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn websocket_info(State(state): State<ApiState>) -> Json<WebsocketInfo> {
    let connections = state.live.connections();
    Json(WebsocketInfo {
        active_connections: connections.total,
        connections,
        endpoints: ["/ws", "/ws/{user_id}", "/ws/documents/{id}"],
        client_messages: [
            "subscribe_document",
            "unsubscribe_document",
            "get_status",
            "get_stats",
            "ping",
        ],
        server_messages: [
            "document_update",
            "system_status",
            "processing_stats",
            "checkpoint",
            "subscribed",
            "unsubscribed",
            "pong",
            "error",
        ],
    })
}
