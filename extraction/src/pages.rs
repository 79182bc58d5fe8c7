//! Gathers the pages of a document whose format states its text. This module owns the limits on
//! pages and characters, and progress; it must not know any format.

use crate::error::ExtractError;
use crate::limits::Limits;
use crate::{OnPage, Page, PageProgress, Reading, share, text};

/// Pages being gathered.
pub(crate) struct Pages<'a, 'p> {
    limits: &'a Limits,
    on_page: &'a mut OnPage<'p>,
    total: u32,
    characters: usize,
    pages: Vec<Page>,
}

impl<'a, 'p> Pages<'a, 'p> {
    /// Of a document that is known to have `total` pages.
    pub(crate) fn of(
        total: usize,
        limits: &'a Limits,
        on_page: &'a mut OnPage<'p>,
    ) -> Result<Self, ExtractError> {
        Ok(Self {
            limits,
            on_page,
            total: limits.check_pages(total)?,
            characters: 0,
            pages: Vec::new(),
        })
    }

    pub(crate) fn add(&mut self, text: &str) -> Result<(), ExtractError> {
        let text = text::clean(text);
        self.characters = self.characters.saturating_add(text.chars().count());
        self.limits.check_characters(self.characters)?;
        let number = self.limits.check_pages(self.pages.len() + 1)?;
        self.pages.push(Page::stated(number, text));
        let pages = self.total.max(number);
        let progress = PageProgress {
            page: number,
            pages,
        };
        if (self.on_page)(progress) {
            return Ok(());
        }
        Err(ExtractError::Cancelled {
            pages_done: number,
            pages,
        })
    }

    /// What was read. Blank pages cost no confidence: the format states that they are.
    pub(crate) fn finish(self) -> Reading {
        let all = || self.pages.iter().flat_map(|page| page.text.chars());
        let mapped = all().filter(|c| *c != char::REPLACEMENT_CHARACTER).count();
        let confidence = if all().all(char::is_whitespace) {
            0.0
        } else {
            share(mapped, all().count())
        };
        Reading {
            pages: self.pages,
            confidence,
            structure: None,
        }
    }
}

/// A document of the given pages.
pub(crate) fn all(
    texts: &[String],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<Reading, ExtractError> {
    let mut pages = Pages::of(texts.len(), limits, on_page)?;
    for text in texts {
        pages.add(text)?;
    }
    Ok(pages.finish())
}
