//! PowerPoint 97 to 2003 (MS-PPT): a page for each slide, in the order in which they are shown,
//! with its notes.
//!
//! This module owns where slides and their texts lie in the stream. What is drawn is not looked at.

mod records;

use std::collections::HashMap;
use std::io::{Cursor, Read};

use cfb::CompoundFile;

use self::records::{Record, Records, kind, text_of, u32_at};
use crate::error::{ExtractError, Quantity};
use crate::limits::Limits;
use crate::pages::Pages;
use crate::{OnPage, Reading};

/// Edits that one file was saved with, at most: each is a link of a chain.
const MOST_EDITS: usize = 10_000;
/// Records inside each other. PowerPoint nests a dozen.
const DEEPEST: usize = 64;
/// How the stream `Current User` says that the other one is encrypted.
const ENCRYPTED: u32 = 0xF3D1_C4DF;

/// A slide or the notes of one, as the document lists them.
struct Listed {
    /// Under which number the directory has it.
    persist: u32,
    /// By which number others refer to it.
    id: u32,
    /// Texts of its outline, which its drawing refers to by their number.
    outline: Vec<String>,
}

pub(crate) fn read(
    bytes: &[u8],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<Reading, ExtractError> {
    let mut file = CompoundFile::open(Cursor::new(bytes))
        .map_err(|_| ExtractError::damaged("it cannot be read as a compound file"))?;
    let user = stream(&mut file, "/Current User", limits)?.unwrap_or_default();
    if u32_at(&user, 12) == Some(ENCRYPTED) {
        return Err(ExtractError::Encrypted);
    }
    let stream = stream(&mut file, "/PowerPoint Document", limits)?
        .ok_or_else(|| ExtractError::damaged("it holds no presentation"))?;
    let texts = match u32_at(&user, 16).and_then(|edit| as_listed(&stream, edit)) {
        Some(texts) => texts,
        None => as_stored(&stream),
    };
    if texts.is_empty() {
        return Err(ExtractError::damaged("it holds no slides"));
    }
    let mut pages = Pages::of(texts.len(), limits, on_page)?;
    for text in texts {
        pages.add(&text)?;
    }
    Ok(pages.finish())
}

fn stream(
    file: &mut CompoundFile<Cursor<&[u8]>>,
    path: &str,
    limits: &Limits,
) -> Result<Option<Vec<u8>>, ExtractError> {
    let Ok(stream) = file.open_stream(path) else {
        return Ok(None);
    };
    let most = limits.max_decompressed_bytes;
    let mut bytes = Vec::new();
    stream
        .take(most as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|_| ExtractError::damaged("a stream in it cannot be read"))?;
    if bytes.len() > most {
        return Err(ExtractError::TooLarge {
            limit: most as u64,
            of: Quantity::DecompressedBytes,
        });
    }
    Ok(Some(bytes))
}

/// The slides as the last edit lists them; `None` when it cannot be followed.
fn as_listed(stream: &[u8], edit: u32) -> Option<Vec<String>> {
    let (directory, document) = directory(stream, edit)?;
    let document = Record::at(stream, *directory.get(&document)?)?;
    let slides = listed(document, 0);
    let notes = listed(document, 2);
    if slides.is_empty() {
        return None;
    }
    let container = |of: &Listed| Record::at(stream, *directory.get(&of.persist)?);
    let texts = slides.iter().map(|slide| {
        let Some(record) = container(slide) else {
            return slide.outline.join("\n");
        };
        let mut text = shown(record, &slide.outline);
        let noted = notes_of(record).and_then(|id| notes.iter().find(|notes| notes.id == id));
        let said = noted.and_then(|notes| Some(shown(container(notes)?, &notes.outline)));
        if let Some(said) = said.filter(|said| !said.is_empty()) {
            text = format!("{text}\nNotes: {said}");
        }
        text
    });
    Some(texts.collect())
}

/// The slides as they lie in the stream, for a file whose directory is broken. One that was edited
/// may come twice.
fn as_stored(stream: &[u8]) -> Vec<String> {
    let slides = Records::of(stream).filter(|record| record.kind == kind::SLIDE);
    slides.map(|slide| shown(slide, &[])).collect()
}

/// Where each numbered part lies after the edit at `at`, and the number of the document.
fn directory(stream: &[u8], at: u32) -> Option<(HashMap<u32, u32>, u32)> {
    let mut places = HashMap::new();
    let mut document = None;
    let mut next = at;
    for _ in 0..MOST_EDITS {
        let edit = Record::at(stream, next).filter(|edit| edit.kind == kind::EDIT)?;
        document = document.or(u32_at(edit.body, 16));
        let table = Record::at(stream, u32_at(edit.body, 12)?)?;
        for (number, place) in table.places() {
            // What a later edit says stands.
            places.entry(number).or_insert(place);
        }
        let before = u32_at(edit.body, 8)?;
        if before == 0 || before >= next {
            return Some((places, document?));
        }
        next = before;
    }
    None
}

/// What the document lists: its slides (0) or notes (2).
fn listed(document: Record<'_>, which: u16) -> Vec<Listed> {
    let mut all: Vec<Listed> = Vec::new();
    let is_list = |list: &Record<'_>| list.kind == kind::LIST && list.instance == which;
    for record in document
        .children()
        .filter(is_list)
        .flat_map(Record::children)
    {
        if record.kind == kind::PERSIST {
            all.push(Listed {
                persist: u32_at(record.body, 0).unwrap_or_default(),
                id: u32_at(record.body, 12).unwrap_or_default(),
                outline: Vec::new(),
            });
        } else if let Some(last) = all.last_mut() {
            match record.kind {
                kind::TEXT_HEADER => last.outline.push(String::new()),
                _ => {
                    if let (Some(text), Some(said)) = (last.outline.last_mut(), text_of(record)) {
                        text.push_str(&said);
                    }
                }
            }
        }
    }
    all
}

fn notes_of(slide: Record<'_>) -> Option<u32> {
    let about = slide.children().find(|child| child.kind == kind::ABOUT)?;
    u32_at(about.body, 16).filter(|id| *id != 0)
}

/// The texts of a slide's drawing, and of its outline what the drawing does not refer to.
fn shown(slide: Record<'_>, outline: &[String]) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut referred = vec![false; outline.len()];
    let drawings = slide.children().filter(|child| child.kind == kind::DRAWING);
    for record in drawings.flat_map(|drawing| drawing.leaves(DEEPEST)) {
        if let Some(text) = text_of(record) {
            texts.push(text);
        } else if record.kind == kind::OUTLINE_REFERENCE {
            let number = u32_at(record.body, 0).and_then(|number| usize::try_from(number).ok());
            let number = number.unwrap_or(usize::MAX);
            if let (Some(text), Some(is)) = (outline.get(number), referred.get_mut(number)) {
                texts.push(text.clone());
                *is = true;
            }
        }
    }
    let rest = outline.iter().zip(referred).filter(|(_, is)| !is);
    texts.extend(rest.map(|(text, _)| text.clone()));
    // A star alone stands for a number, a date or a footer that is put in when it is shown.
    texts.retain(|text| !text.trim().is_empty() && text.trim() != "*");
    texts.join("\n")
}

#[cfg(test)]
mod tests;
