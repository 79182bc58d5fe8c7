//! How much of one document is read. This module owns the three limits and how a count is
//! held against them; it must not decide what is counted.

use crate::error::{ExtractError, Quantity};

/// How much of one document is read before it is refused as too large.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Pages of the document.
    pub max_pages: u32,
    /// Characters (Unicode scalar values) over all pages.
    pub max_characters: usize,
    /// Bytes of page content over all pages of a PDF after decompression, and of any single
    /// stream in it that is not an image. A PDF too irregular for the structure reader, or
    /// with very many packed objects, is held to eight times this over all its streams as well,
    /// except for what is encrypted.
    pub max_decompressed_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pages: 10_000,
            max_characters: 20_000_000,
            max_decompressed_bytes: 256 * 1024 * 1024,
        }
    }
}

impl Limits {
    pub(crate) fn check_pages(&self, pages: usize) -> Result<u32, ExtractError> {
        u32::try_from(pages)
            .ok()
            .filter(|pages| *pages <= self.max_pages)
            .ok_or(ExtractError::TooLarge {
                limit: self.max_pages.into(),
                of: Quantity::Pages,
            })
    }

    pub(crate) fn check_characters(&self, characters: usize) -> Result<(), ExtractError> {
        within(characters, self.max_characters, Quantity::Characters)
    }

    pub(crate) fn check_decompressed(&self, bytes: usize) -> Result<(), ExtractError> {
        within(
            bytes,
            self.max_decompressed_bytes,
            Quantity::DecompressedBytes,
        )
    }
}

fn within(count: usize, limit: usize, of: Quantity) -> Result<(), ExtractError> {
    if count <= limit {
        Ok(())
    } else {
        Err(ExtractError::TooLarge {
            limit: limit as u64,
            of,
        })
    }
}
