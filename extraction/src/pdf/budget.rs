//! How much one page may draw. Forms that draw forms that draw forms make a page without end of
//! a short file. This module owns the count; it must not decide what an overrun means.

/// Steps of drawing that are left.
pub(super) struct Budget(usize);

/// More was drawn than the budget allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Spent;

impl Budget {
    pub(super) fn new(steps: usize) -> Self {
        Self(steps)
    }

    /// Take steps from what is left.
    ///
    /// # Errors
    ///
    /// [`Spent`] when that is not enough.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Spent> {
        self.0 = self.0.checked_sub(steps).ok_or(Spent)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends_for_good() {
        let mut budget = Budget::new(10);
        assert_eq!(budget.spend(10), Ok(()));
        assert_eq!(budget.spend(1), Err(Spent));
    }
}
