//! How much one page may draw. Forms that draw forms that draw forms make a page without end of
//! a short file, and the interpreter asks nobody whether to go on. This module owns the count and
//! the way out of the interpreter; it must not decide what an overrun means.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Steps of drawing that are left.
pub(super) struct Budget(usize);

/// More was drawn than the budget allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Spent;

impl Budget {
    pub(super) fn new(steps: usize) -> Self {
        Self(steps)
    }

    /// Take steps from what is left. When that is not enough, the work around is left at once,
    /// as far as [`within`]: what is called back by the interpreter has no other way to stop it.
    /// This unwinds as a panic does, but none is told.
    pub(super) fn spend(&mut self, steps: usize) {
        match self.0.checked_sub(steps) {
            Some(left) => self.0 = left,
            None => resume_unwind(Box::new(Spent)),
        }
    }
}

/// Do work that spends a budget. What it was changing is in no defined state once it is spent,
/// and must be given up. Panics go on as they were.
pub(super) fn within<T>(work: impl FnOnce() -> T) -> Result<T, Spent> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| match payload.downcast::<Spent>() {
        Ok(spent) => *spent,
        Err(other) => resume_unwind(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_ends_when_the_budget_does() {
        let mut budget = Budget::new(10);
        assert_eq!(within(|| budget.spend(10)), Ok(()));
        let mut after = false;
        let outcome = within(|| {
            budget.spend(1);
            after = true;
        });
        assert_eq!((outcome, after), (Err(Spent), false));
    }

    #[test]
    fn panics_go_on() {
        let outcome = catch_unwind(|| within(|| resume_unwind(Box::new("a parser's bug"))));
        assert!(outcome.unwrap_err().is::<&str>());
    }
}
