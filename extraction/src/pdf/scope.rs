//! What names stand for in one content stream, each looked up once: content names its fonts and
//! graphics states over and over. This module owns the remembering; it must not use what it finds.

use std::cell::RefCell;
use std::rc::Rc;

use hayro_syntax::object::{Dict, Name};
use hayro_syntax::page::Resources;

use super::fonts::{Font, Fonts};

/// Names remembered of each kind, at most; others are looked up each time.
const NAMES_AT_MOST: usize = 64;

/// The resources of a content stream.
pub(super) struct Scope<'r, 'a> {
    pub(super) resources: &'r Resources<'a>,
    fonts: Names<Option<Rc<Font<'a>>>>,
    graphics: Names<Option<Dict<'a>>>,
}

impl<'r, 'a> Scope<'r, 'a> {
    pub(super) fn new(resources: &'r Resources<'a>) -> Self {
        Self {
            resources,
            fonts: Names::default(),
            graphics: Names::default(),
        }
    }

    /// The font of a name; the one in place of it where there is none.
    pub(super) fn font(&self, name: &Name<'_>, fonts: &Fonts<'a>) -> Option<Rc<Font<'a>>> {
        self.fonts
            .get(name, || match self.resources.get_font(name) {
                Some(dictionary) => fonts.font(&dictionary),
                None => fonts.fallback(),
            })
    }

    pub(super) fn graphics(&self, name: &Name<'_>) -> Option<Dict<'a>> {
        self.graphics
            .get(name, || self.resources.get_ext_g_state(name))
    }
}

struct Names<T>(RefCell<Vec<(Box<[u8]>, T)>>);

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T: Clone> Names<T> {
    fn get(&self, name: &[u8], look_up: impl FnOnce() -> T) -> T {
        let known = self.0.borrow();
        if let Some((_, value)) = known.iter().find(|(known, _)| **known == *name) {
            return value.clone();
        }
        drop(known);
        let value = look_up();
        let mut known = self.0.borrow_mut();
        if known.len() < NAMES_AT_MOST {
            known.push((name.into(), value.clone()));
        }
        value
    }
}
