//! PDF: structure by one parser, text by another. This module owns the order of the two and
//! what their findings mean for the document as a whole; it must not parse anything itself.
//!
//! The structure reader sees the file first, since it can measure what streams unpack to
//! without unpacking them. It is the stricter of the two, so its failure fails nothing.

mod bidi;
mod bombs;
mod bounds;
mod budget;
mod characters;
mod clip;
mod codes;
mod compose;
mod embedded;
mod fonts;
mod forms;
mod fragments;
mod glyphs;
mod grid;
mod ink;
mod interpret;
mod known;
mod layers;
mod marked;
mod notes;
mod order;
mod path;
mod piece;
mod place;
mod repair;
mod scan;
mod scope;
mod show;
mod shown;
mod state;
mod structure;
mod text;
mod widths;

use hayro_syntax::page::Page as PdfPage;
use hayro_syntax::{DecryptionError, LoadPdfError, Pdf};

use budget::Spent;
use fonts::Fonts;
use layers::Hidden;

use crate::child::{Child, Children};
use crate::error::{ExtractError, Quantity};
use crate::isolate;
use crate::limits::Limits;
use crate::{OnPage, Origin, Page, PageProgress, Reading, share};

pub use embedded::{Content, EmbeddedFile, embedded_files};
pub use structure::PdfStructure;

/// What was read, with the files embedded in the document, to become documents of their own. What is
/// left out is named on the last page that states its text.
pub(crate) fn with_children(
    bytes: &[u8],
    mut reading: Reading,
    limits: &Limits,
) -> (Reading, Vec<Child>) {
    let embeds = |structure: &PdfStructure| structure.embedded_files > 0;
    if !reading.structure.as_ref().is_some_and(embeds) {
        return (reading, Vec::new());
    }
    let repaired = repair::repaired(bytes);
    let bytes = repaired.as_deref().unwrap_or(bytes);
    let mut children = Children::default();
    // The text stands, whatever the parser meets in what is attached to it.
    let files = isolate::run(&mut |_| true, |_| Ok(embedded_files(bytes, limits)));
    for file in files.unwrap_or_default() {
        match file.bytes {
            Content::Whole(bytes) => children.add(&file.name, file.media_type.as_deref(), bytes),
            Content::TooLarge => children.leave_out(&file.name, "it unpacks beyond the limit"),
            Content::Unreadable => children.leave_out(&file.name, "damaged"),
        }
    }
    // Not on a picture: what is recognised there takes the place of its text.
    let stated = |page: &&mut Page| page.origin == Origin::Stated;
    if let Some(last) = reading.pages.iter_mut().rev().find(stated) {
        for left_out in children.left_out() {
            last.text += &format!("\nAttachment: {left_out}");
        }
    }
    (reading, children.into_taken())
}

pub(crate) fn read(
    bytes: &[u8],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<Reading, ExtractError> {
    let repaired = repair::repaired(bytes);
    let bytes = repaired.as_deref().unwrap_or(bytes);
    let structure = structure::read(bytes, limits)?;
    let pdf = Pdf::new(bytes.to_vec()).map_err(refusal)?;
    let pages = pdf.pages();
    let total = limits.check_pages(pages.len())?;
    if total == 0 {
        return Err(ExtractError::damaged("it has no pages"));
    }

    let structure = match structure {
        Some(structure) => Some(structure),
        None => scan::read(&pdf)?,
    };

    let fonts = Fonts::new();
    let hidden = Hidden::of(pdf.xref());
    let mut tally = Tally::default();
    let mut read = Vec::new();
    for (number, page) in (1..=total).zip(pages.iter()) {
        read.push(tally.add(number, page, (&fonts, &hidden), limits)?);
        let progress = PageProgress {
            page: number,
            pages: total,
        };
        if !on_page(progress) {
            return Err(ExtractError::Cancelled {
                pages_done: number,
                pages: total,
            });
        }
    }
    tally.refuse_textless()?;
    Ok(Reading {
        pages: read,
        confidence: tally.confidence(),
        structure,
    })
}

fn refusal(error: LoadPdfError) -> ExtractError {
    match error {
        LoadPdfError::Decryption(
            DecryptionError::PasswordProtected | DecryptionError::UnsupportedAlgorithm,
        ) => ExtractError::Encrypted,
        LoadPdfError::Decryption(
            DecryptionError::MissingIDEntry | DecryptionError::InvalidEncryption,
        ) => ExtractError::damaged("its encryption cannot be understood"),
        LoadPdfError::Invalid => ExtractError::damaged("it cannot be read as a PDF"),
    }
}

/// What has been found over the pages read so far.
#[derive(Default)]
struct Tally {
    decompressed: usize,
    characters: usize,
    glyphs: usize,
    unmapped: usize,
    pages_with_text: usize,
    pages_drawn: usize,
    pages_unreadable: usize,
}

impl Tally {
    /// Read one more page.
    fn add<'a>(
        &mut self,
        number: u32,
        page: &PdfPage<'a>,
        (fonts, hidden): (&Fonts<'a>, &Hidden),
        limits: &Limits,
    ) -> Result<Page, ExtractError> {
        let content = page.page_stream();
        self.decompressed = self
            .decompressed
            .saturating_add(content.map_or(0, <[u8]>::len));
        limits.check_decompressed(self.decompressed)?;
        if content.is_none() && page.raw().contains_key("Contents") {
            self.pages_unreadable += 1;
        }

        let room = limits.max_characters.saturating_sub(self.characters);
        let found =
            text::read(page, fonts, hidden, room).map_err(|Spent| ExtractError::TooLarge {
                limit: glyphs::STEPS_AT_MOST as u64,
                of: Quantity::Steps,
            })?;
        self.characters = self.characters.saturating_add(found.characters);
        limits.check_characters(self.characters)?;
        self.glyphs += found.glyphs;
        self.unmapped += found.unmapped;
        let has_text = !found.text.is_empty();
        let is_picture = !has_text && found.draws_more;
        self.pages_with_text += usize::from(has_text);
        self.pages_drawn += usize::from(has_text || found.draws_more);
        Ok(Page {
            number,
            origin: if is_picture {
                Origin::Picture
            } else {
                Origin::Stated
            },
            confidence: share(found.glyphs.saturating_sub(found.unmapped), found.glyphs),
            text: found.text,
            words: found.words,
        })
    }

    fn refuse_textless(&self) -> Result<(), ExtractError> {
        // Pages that are pictures may be read by recognition.
        if self.pages_drawn > 0 {
            Ok(())
        } else if self.pages_unreadable > 0 {
            Err(ExtractError::damaged(
                "the content of its pages is unreadable",
            ))
        } else {
            Err(ExtractError::NoText)
        }
    }

    fn confidence(&self) -> f64 {
        let mapped = self.glyphs.saturating_sub(self.unmapped);
        let expected = self.pages_drawn + self.pages_unreadable;
        share(mapped, self.glyphs) * share(self.pages_with_text, expected)
    }
}
