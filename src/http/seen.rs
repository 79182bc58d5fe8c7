//! The read models as whoever asks sees them: what handlers take.

use super::auth::Principal;
use super::problem::Problem;
use super::state::ApiState;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use kmrl_projections::query::ReadModel;

/// The read models with only the documents that the policy lets them see.
pub(super) struct Seen(pub(super) ReadModel);

impl Seen {
    pub(super) fn by(state: &ApiState, principal: &Principal) -> ReadModel {
        state.everything.seen_by(principal.authority.visibility())
    }
}

impl FromRequestParts<ApiState> for Seen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let principal = Principal::from_request_parts(parts, state).await?;
        Ok(Self(Self::by(state, &principal)))
    }
}
