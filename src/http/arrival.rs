//! Rows that are on their way: whoever was told that a document is accepted can ask for it at once.
//!
//! A document is in the log before it is in the read models. One that is not in these is looked for in the
//! log, and waited for when it is there: only what is in neither does not exist.

use super::min_position;
use super::problem::{Problem, ProblemType};
use super::state::ApiState;
use kmrl_projections::query::QueryError;
use uuid::Uuid;

/// The row of a document, once there is one.
///
/// # Errors
/// When there is no such document, or its row does not come within the time that `min_position` has.
pub(super) async fn row<T, F>(state: &ApiState, id: Uuid, ask: impl Fn() -> F) -> Result<T, Problem>
where
    F: Future<Output = Result<Option<T>, QueryError>>,
{
    if let Some(row) = ask().await? {
        return Ok(row);
    }
    let not_found = || Problem::new(ProblemType::DocumentNotFound);
    let first = state.log.first_of(id).await?.ok_or_else(not_found)?;
    min_position::wait(state, Some(first.position)).await?;
    ask().await?.ok_or_else(not_found)
}
