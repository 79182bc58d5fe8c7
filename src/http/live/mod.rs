//! Live updates by WebSocket: `/ws`, `/ws/{user_id}` and `/ws/documents/{id}`; by SSE: `stream`.
//!
//! Owns what is checked before the upgrade. `tail` reads the log once for all connections into
//! the `ring`; a `feed` is a connection's cursor, `catch_up` what it missed and `subscription`
//! both with a filter; `socket` and `stream` talk to clients; `update` and `protocol` are the
//! words, `filter` who gets which.

mod catch_up;
mod feed;
mod filter;
mod hub;
mod known;
mod narrator;
mod opening;
mod protocol;
mod ring;
mod socket;
mod sse;
mod stream;
mod subscription;
mod tail;
mod update;
mod witness;

pub use hub::{Connections, HubError, LiveHub, Path as LivePath};
pub(super) use protocol::{Request, Told};
pub(super) use update::DocumentUpdate;

use super::arrival;
use super::auth::Principal;
use super::context::Caller;
use super::origin;
use super::problem::{Problem, ProblemType};
use super::state::ApiState;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, State, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::Response;
use filter::Query;
use opening::{Pairs, bad_query, query};
use socket::Connection;
use std::time::Duration;
use utoipa::IntoParams as _;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// Frames larger than this are not even read; those between this and
/// [`protocol::LARGEST_MESSAGE`] are read, so that the closing handshake can follow.
const LARGEST_FRAME: usize = 64 * 1024;
/// Read buffer of a connection, in bytes. Clients say little.
const READ_BUFFER: usize = 4 * 1024;
/// Most bytes waiting in a connection's write buffer.
const WRITE_BUFFER: usize = 256 * 1024;
/// Between looks whether a client would be let in again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// The paths with their documentation.
#[must_use]
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(all))
        .routes(routes!(of_user))
        .routes(routes!(of_document))
        .routes(routes!(stream::stream))
}

/// The query parameters that each of them takes.
pub(super) fn parameters() -> Vec<Parameter> {
    let mut parameters = Query::into_params(|| Some(ParameterIn::Query));
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    // Taken out of the query before it is read here.
    let ticket = ParameterBuilder::new()
        .name("ticket")
        .parameter_in(ParameterIn::Query)
        .description(Some("A one-use ticket, where no credential can be sent."))
        .schema(Some(text))
        .build();
    parameters.push(ticket);
    parameters
}

/// Follow all documents
///
/// A WebSocket of JSON text messages. First comes `system_status`, then a `document_update` for
/// each event of a document, in the order of the log and each once, and progress within jobs
/// (without a position). After some silence comes a `checkpoint` with the position reached.
/// Reconnect with `?after=` the last position seen to miss nothing.
///
/// The client may send `{"type":"subscribe_document","document_id":…}` (from then on only
/// documents subscribed to are told of), `unsubscribe_document`, `ping`, `get_status` and
/// `get_stats`.
#[utoipa::path(
    get, path = "/ws", operation_id = "follow_all", tag = "live",
    params(Query, ("ticket" = Option<String>, Query, description = "A one-use ticket, where no credential can be sent")),
    responses(
        (status = 101, description = "Switched to WebSocket"),
        (status = 400, description = "A query parameter is unknown or wrong"),
        (status = 401, description = "The key is missing or wrong"),
        (status = 426, description = "The request is no WebSocket upgrade"),
        (status = 503, description = "The log cannot be read just now"),
    ),
)]
async fn all(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    pairs: Pairs,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    open(
        &state,
        LivePath::All,
        caller,
        &headers,
        query(pairs)?,
        upgrade,
    )
    .await
}

/// Follow all documents, under a name
///
/// As `/ws`. The name has to be the client's own: its actor, such as `key:maximo` or `user:4711`, what
/// follows the colon, or its name as an uploader. It grants and limits nothing.
#[utoipa::path(
    get, path = "/ws/{user_id}", operation_id = "follow_as_user", tag = "live",
    params(
        ("user_id" = String, Path, description = "Whoever the client is"),
        Query,
        ("ticket" = Option<String>, Query, description = "A one-use ticket, where no credential can be sent"),
    ),
    responses(
        (status = 101, description = "Switched to WebSocket"),
        (status = 400, description = "The name or a query parameter is wrong"),
        (status = 401, description = "The key is missing or wrong"),
        (status = 403, description = "The name is somebody else's"),
        (status = 426, description = "The request is no WebSocket upgrade"),
        (status = 503, description = "The log cannot be read just now"),
    ),
)]
async fn of_user(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Path(user_id): Path<String>,
    pairs: Pairs,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let Principal { actor, name, .. } = &caller.principal;
    let bare = actor.split_once(':').map(|(_, bare)| bare);
    if user_id != *actor && user_id != *name && Some(&*user_id) != bare {
        return Err(Problem::new(ProblemType::NotOneself));
    }
    open(
        &state,
        LivePath::User,
        caller,
        &headers,
        query(pairs)?,
        upgrade,
    )
    .await
}

/// Follow one document
///
/// As `/ws`, for one document.
#[utoipa::path(
    get, path = "/ws/documents/{id}", operation_id = "follow_document", tag = "live",
    params(
        ("id" = Uuid, Path, description = "The document"),
        Query,
        ("ticket" = Option<String>, Query, description = "A one-use ticket, where no credential can be sent"),
    ),
    responses(
        (status = 101, description = "Switched to WebSocket"),
        (status = 400, description = "The id is no UUID or a query parameter is wrong"),
        (status = 401, description = "The key is missing or wrong"),
        (status = 404, description = "There is no such document"),
        (status = 426, description = "The request is no WebSocket upgrade"),
        (status = 503, description = "The document cannot be looked up just now"),
    ),
)]
async fn of_document(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
    pairs: Pairs,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let id = Uuid::parse_str(&id)
        .map_err(|_| Problem::new(ProblemType::InvalidId).detail("a document's id is a UUID"))?;
    let query = query(pairs)?.for_document(id).map_err(bad_query)?;
    arrival::row(&state, id, || state.everything.status(id)).await?;
    open(&state, LivePath::Document, caller, &headers, query, upgrade).await
}

async fn open(
    state: &ApiState,
    path: LivePath,
    caller: Caller,
    headers: &HeaderMap,
    query: Query,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    origin::allowed(&state.origins.now(), headers)?;
    let upgrade = upgrade.map_err(|rejection| {
        Problem::new(ProblemType::UpgradeRequired).detail(rejection.body_text())
    })?;
    let opened = opening::open(state, path, caller, query).await?;
    let upgrade = upgrade
        .max_message_size(LARGEST_FRAME)
        .max_frame_size(LARGEST_FRAME)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER / 4)
        .max_write_buffer_size(WRITE_BUFFER);
    let (hub, subscription) = (state.live.clone(), opened.subscription);
    Ok(opened.touched.with(upgrade.on_upgrade(move |socket| {
        let tasks = hub.tasks().clone();
        let connection = Connection::new(hub, subscription, socket);
        tasks.track_future(connection.run(opened.head))
    })))
}
