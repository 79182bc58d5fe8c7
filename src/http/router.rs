//! All routes and the layers around them.

use super::audited::audited;
use super::auth::admit;
use super::context::trace_request;
use super::cors;
use super::head::unambiguous;
use super::limited::by_address;
use super::paced::paced;
use super::problem::{Problem, ProblemType};
use super::security_headers;
use super::state::ApiState;
use super::{
    asyncapi, audit, blocked_addresses, commands, dead_letters, documented, documents, erasures,
    events, health, keys, live, log, metrics, openapi, search, status, websocket_info,
    websocket_ticket,
};
use axum::extract::DefaultBodyLimit;
use axum::http::Uri;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use std::any::Any;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Routers with and without the key, and the document of both.
struct Split {
    open: Router<ApiState>,
    guarded: Router<ApiState>,
}

fn split() -> (Split, OpenApi, OpenApi) {
    let (open, open_api) = OpenApiRouter::with_openapi(openapi::base())
        .merge(health::open_routes())
        .merge(log::open_routes())
        .routes(routes!(openapi_json))
        .routes(routes!(asyncapi::asyncapi_json))
        .split_for_parts();
    let (guarded, guarded_api) = OpenApiRouter::new()
        .merge(documents::routes())
        .merge(audit::routes())
        .merge(live::routes())
        .merge(log::routes())
        .merge(health::routes())
        .merge(keys::routes())
        .merge(blocked_addresses::routes())
        .routes(routes!(search::search))
        .routes(routes!(commands::commands))
        .routes(routes!(events::events))
        .routes(routes!(erasures::erasures))
        .routes(routes!(dead_letters::dead_letters))
        .routes(routes!(dead_letters::replay))
        .routes(routes!(status::status))
        .routes(routes!(metrics::metrics))
        .routes(routes!(websocket_info::websocket_info))
        .routes(routes!(websocket_ticket::websocket_ticket))
        .split_for_parts();
    let open_api = openapi::counted(open_api);
    let guarded_api = openapi::behind_the_gate(guarded_api);
    (Split { open, guarded }, open_api, guarded_api)
}

/// All routes without state, and the document.
pub(super) fn routes() -> (Router<ApiState>, OpenApi) {
    let (split, open, guarded) = split();
    let document = documented::precisely(open.merge_from(guarded));
    (split.open.merge(split.guarded), document)
}

/// The document of the routes that ask for a credential.
#[cfg(test)]
pub(super) fn guarded_document() -> OpenApi {
    split().2
}

/// The document of this API
#[utoipa::path(get, path = "/openapi.json", tag = "health", security(()), responses((status = 200, description = "The OpenAPI document", body = Object)))]
async fn openapi_json() -> Json<OpenApi> {
    Json(openapi::document())
}

/// The whole API.
pub fn router(state: ApiState) -> Router {
    let guarded = guarded(&state);
    let (Split { open, .. }, ..) = split();
    let guarded = guarded.route_layer(from_fn_with_state(state.clone(), audited));
    // Nobody else is asked what they think of the document: it is not theirs to see.
    let config = Config::from("/openapi.json").validator_url("none");
    // The other layout has a style within its logo, which the policy of the page forbids.
    let config = config.use_base_layout();
    let docs = SwaggerUi::new("/docs").config(config);
    finish(open.merge(guarded).merge(docs), state)
}

/// The API as [`router`] has it, but for the records of access: only to measure what these cost.
#[doc(hidden)]
pub fn unrecorded_router(state: ApiState) -> Router {
    let guarded = guarded(&state);
    finish(guarded, state)
}

fn guarded(state: &ApiState) -> Router<ApiState> {
    let (Split { guarded, .. }, ..) = split();
    guarded
        .route_layer(from_fn_with_state(state.clone(), paced))
        .route_layer(from_fn_with_state(state.clone(), admit))
}

/// Health and metrics only, for processes without the api role.
pub fn health_router(state: ApiState) -> Router {
    let (open, _) = health::open_routes().split_for_parts();
    let (guarded, _) = health::routes()
        .routes(routes!(metrics::metrics))
        .split_for_parts();
    let guarded = guarded.route_layer(from_fn_with_state(state.clone(), admit));
    finish(open.merge(guarded), state)
}

fn finish(router: Router<ApiState>, state: ApiState) -> Router {
    router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        // Each reader of a body has a limit of its own; uploads are cut off while they stream.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(unambiguous))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clone(), cors::preflight))
        .layer(from_fn_with_state(state.clone(), by_address))
        .layer(from_fn_with_state(state.clone(), trace_request))
        .layer(from_fn_with_state(state.clone(), cors::allow))
        .layer(from_fn_with_state(state.clone(), security_headers::add))
        .with_state(state)
}

async fn not_found(uri: Uri) -> Response {
    // The replaced gateway answered both; this one says where it is.
    if uri.path() == "/api/v1/documents" {
        let query = uri.query().map(|q| format!("?{q}")).unwrap_or_default();
        return axum::response::Redirect::permanent(&format!("/api/v1/documents/{query}"))
            .into_response();
    }
    Problem::new(ProblemType::NotFound).into_response()
}

async fn method_not_allowed() -> Problem {
    Problem::new(ProblemType::MethodNotAllowed)
}

fn panicked(cause: Box<dyn Any + Send>) -> Response {
    let words = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("no words");
    tracing::error!(panic = words, "a request made a handler panic");
    Problem::new(ProblemType::Internal).into_response()
}
