//! Endpoints about documents.

mod change;
mod correct;
mod download;
mod evidence;
mod form;
mod get;
mod list;
mod media_type;
mod reprocess;
mod statistics;
mod status;
mod upload;
mod validation_errors;
mod view;
mod withdraw;

pub(super) use change::{Changed, parse_id};
pub(super) use correct::CorrectRequest;
pub(super) use reprocess::ReprocessRequest;
pub(super) use withdraw::WithdrawRequest;

use super::state::ApiState;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Their routes.
pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(upload::upload))
        .routes(routes!(list::list))
        .routes(routes!(statistics::statistics))
        .routes(routes!(validation_errors::validation_errors))
        .routes(routes!(get::get))
        .routes(routes!(status::status))
        .routes(routes!(download::download))
        .routes(routes!(evidence::evidence))
        .routes(routes!(reprocess::reprocess))
        .routes(routes!(correct::correct))
        .routes(routes!(withdraw::withdraw))
}
