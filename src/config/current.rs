//! A section of the settings that may be replaced while the program runs.

use std::sync::{Arc, PoisonError, RwLock};

/// What is in force now. Clones are one and the same.
#[derive(Debug)]
pub struct Current<T>(Arc<RwLock<Arc<T>>>);

impl<T> Current<T> {
    /// What is in force now. Whoever holds it goes on with it to the end of what they do.
    #[must_use]
    pub fn now(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other settings in force.
    pub fn replace(&self, settings: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }
}

impl<T> Clone for Current<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> From<T> for Current<T> {
    fn from(settings: T) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(settings))))
    }
}

#[cfg(test)]
mod tests {
    use super::Current;

    #[test]
    fn what_is_replaced_is_seen_by_all_but_who_holds_it() {
        let all = Current::from(1);
        let (other, held) = (all.clone(), all.now());
        other.replace(2);
        assert_eq!((*held, *all.now()), (1, 2));
    }
}
