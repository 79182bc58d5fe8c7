//! What has been found out about dictionaries of a document, by the place where they stand in it.
//! This module owns the key; it must not know what is remembered.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use hayro_syntax::object::Dict;

use super::shown::Fold;

/// What is known, by the address and the length of the dictionary's bytes, which stay where they
/// are as long as the document is read.
pub(super) struct Known<T>(HashMap<(usize, usize), T, BuildHasherDefault<Fold>>);

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<T> Known<T> {
    pub(super) fn get(&self, dictionary: &Dict<'_>) -> Option<&T> {
        self.0.get(&key(dictionary))
    }

    pub(super) fn insert(&mut self, dictionary: &Dict<'_>, value: T) {
        self.0.insert(key(dictionary), value);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

fn key(dictionary: &Dict<'_>) -> (usize, usize) {
    let bytes = dictionary.data();
    (bytes.as_ptr().addr(), bytes.len())
}
