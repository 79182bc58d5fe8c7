//! How many of something there are at once, of everybody and of each.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Places to be taken and given back. Clones are one and the same.
#[derive(Debug)]
pub struct Places<K: Eq + Hash + Clone>(Arc<Mutex<Taken<K>>>);

#[derive(Debug)]
struct Taken<K> {
    all: usize,
    by_one: HashMap<K, usize>,
}

/// There is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// For nobody.
    All,
    /// For the one who asked: others may have one.
    One,
}

impl<K: Eq + Hash + Clone> Places<K> {
    fn taken(&self) -> MutexGuard<'_, Taken<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one, if fewer than so many are taken by all, and by them.
    ///
    /// # Errors
    /// [`Full`], when there is none.
    pub fn take(&self, one: K, most: usize, most_of_one: usize) -> Result<Place<K>, Full> {
        let mut taken = self.taken();
        let own = taken.by_one.get(&one).copied().unwrap_or_default();
        if own >= most_of_one {
            return Err(Full::One);
        }
        if taken.all >= most {
            return Err(Full::All);
        }
        taken.all += 1;
        taken.by_one.insert(one.clone(), own + 1);
        Ok(Place {
            places: self.clone(),
            one,
        })
    }
}

impl<K: Eq + Hash + Clone> Clone for Places<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Eq + Hash + Clone> Default for Places<K> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Taken {
            all: 0,
            by_one: HashMap::new(),
        })))
    }
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place<K: Eq + Hash + Clone> {
    places: Places<K>,
    one: K,
}

impl<K: Eq + Hash + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.by_one.get_mut(&self.one) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.by_one.remove(&self.one);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_share_of_what_there_is() {
        let places = Places::default();
        let take = |one: &'static str| places.take(one, 3, 2);
        let held = [take("a"), take("a")];
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(take("a").err(), Some(Full::One));
        let other = take("b");
        assert!(other.is_ok());
        assert_eq!(take("c").err(), Some(Full::All));
        drop(held);
        assert!(take("a").is_ok(), "what was given back is there");
        drop(other);
        assert_eq!(places.taken().all, 0);
        assert!(places.taken().by_one.is_empty(), "nobody is remembered");
    }
}
