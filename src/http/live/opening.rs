//! What is checked before a connection is opened, by whatever protocol, and the opening itself.

use super::super::audited::Touched;
use super::super::context::Caller;
use super::super::limited;
use super::super::position;
use super::super::problem::{Problem, ProblemType};
use super::super::state::ApiState;
use super::filter::{self, Filter, Query};
use super::hub::Path;
use super::subscription::Subscription;
use super::witness::Witness;
use axum::extract::Query as RawQuery;
use axum::extract::rejection::QueryRejection;

/// A query string as it came.
pub(super) type Pairs = Result<RawQuery<Vec<(String, String)>>, QueryRejection>;

/// A connection that may be opened.
pub(super) struct Opened {
    pub(super) subscription: Subscription,
    /// The log's last position.
    pub(super) head: i64,
    /// What the opening shows.
    pub(super) touched: Touched,
}

/// Reads a query string.
pub(super) fn query(pairs: Pairs) -> Result<Query, Problem> {
    let RawQuery(pairs) =
        pairs.map_err(|e| Problem::new(ProblemType::InvalidParameter).detail(e.body_text()))?;
    Query::parse(&pairs).map_err(bad_query)
}

/// Subscribes before the answer: what happens once the client has it must not be missed.
pub(super) async fn open(
    state: &ApiState,
    path: Path,
    caller: Caller,
    query: Query,
) -> Result<Opened, Problem> {
    let share = limited::live(state, &caller.principal)?;
    let hub = state.live.clone();
    let head = hub.log().head().await;
    let head = head.map_err(|error| unavailable(&error))?;
    position::reached(query.after, head)?;
    let feed = hub.subscribe(query.after);
    let touched = Touched {
        document_id: query.document_id,
        shown_at: Some(feed.cursor()),
        ..Touched::default()
    };
    let place = hub.enter(path, share);
    let filter = Filter::new(query, caller.principal.authority.visibility());
    let witness = Witness::new(state.access.clone(), caller);
    let identity = state.identity.clone();
    Ok(Opened {
        subscription: Subscription::new(hub, place, feed, filter, witness, identity),
        head,
        touched,
    })
}

pub(super) fn bad_query(refused: filter::BadQuery) -> Problem {
    let kind = if refused.is_unknown() {
        ProblemType::UnknownParameter
    } else {
        ProblemType::InvalidParameter
    };
    Problem::new(kind).detail(refused.to_string())
}

pub(super) fn unavailable(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::warn!(error, "a live connection cannot be opened");
    Problem::new(ProblemType::Unavailable)
}
