//! Endpoints about documents.

mod change;
mod correct;
mod door;
mod download;
mod erasure;
mod evidence;
mod form;
mod get;
mod history;
mod judged;
mod legal_holds;
mod list;
mod measured;
mod media_type;
mod page;
mod past;
mod quarantine;
mod reprocess;
mod review;
mod statistics;
mod status;
mod upload;
mod validation_errors;
mod view;
mod withdraw;

pub(super) use change::{Changed, parse_id};
pub(super) use correct::CorrectRequest;
pub(super) use past::{Moment, Past};
pub(super) use reprocess::ReprocessRequest;
pub(super) use review::ReviewRequest;
pub(super) use statistics::DocumentStatistics;
pub(super) use view::Document;
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
        .routes(routes!(history::history))
        .routes(routes!(status::status))
        .routes(routes!(download::download))
        .routes(routes!(page::page))
        .routes(routes!(evidence::evidence))
        .routes(routes!(reprocess::reprocess))
        .routes(routes!(review::review))
        .routes(routes!(correct::correct))
        .routes(routes!(withdraw::withdraw))
        .routes(routes!(
            legal_holds::legal_holds,
            legal_holds::place_legal_hold
        ))
        .routes(routes!(legal_holds::release_legal_hold))
        .routes(routes!(erasure::request_erasure))
        .routes(routes!(erasure::approve_erasure))
        .routes(routes!(erasure::reject_erasure))
        .routes(routes!(quarantine::request_release))
        .routes(routes!(quarantine::approve_release))
        .routes(routes!(quarantine::reject_release))
        .routes(routes!(quarantine::destroy_quarantined))
}
