//! Positions that clients name: one that the log has not reached is the same problem everywhere.

use super::problem::{Problem, ProblemType};

/// Refuses a position beyond the end of the log.
///
/// # Errors
/// When nothing has been recorded there yet.
pub fn reached(position: Option<i64>, head: i64) -> Result<(), Problem> {
    match position {
        Some(position) if position > head => {
            let detail = format!("position {position} is beyond the end of the log, {head}");
            Err(Problem::new(ProblemType::LogPositionFuture).detail(detail))
        }
        _ => Ok(()),
    }
}
