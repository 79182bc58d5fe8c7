//! Files that a PDF carries: their names, types and bytes. This module owns where they are and
//! how large they may be; it must not read them as documents.

use lopdf::{Dictionary, Document, LoadOptions, Object, Stream, decode_text_string};

use super::structure::{is_over_limit, packs_too_much};
use crate::limits::Limits;
use crate::text::clean;

/// Files taken from one document, at most.
const FILES_AT_MOST: usize = 1_000;

/// A file within a PDF.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EmbeddedFile {
    /// The name that the document gives it; never a path to follow.
    pub name: String,
    /// The media type that the document claims for it.
    pub media_type: Option<String>,
    /// Its content.
    pub bytes: Content,
}

/// The content of a file within another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// All of it.
    Whole(Vec<u8>),
    /// It would unpack to more than the limit, or more than was left of it.
    TooLarge,
    /// It cannot be unpacked.
    Unreadable,
}

/// The files embedded in a PDF, in the order of the file. What they unpack to together stays
/// within `limits.max_decompressed_bytes`. A document that the structure reader cannot read, or
/// that does not open without a password, has none that could be told.
pub fn embedded_files(bytes: &[u8], limits: &Limits) -> Vec<EmbeddedFile> {
    if packs_too_much(bytes) {
        return Vec::new();
    }
    let options = LoadOptions::with_max_decompressed_size(limits.max_decompressed_bytes);
    let Ok(document) = Document::load_mem_with_options(bytes, options) else {
        return Vec::new();
    };
    let mut room = limits.max_decompressed_bytes;
    let specifications = document.objects.values().flat_map(specifications);
    specifications
        .take(FILES_AT_MOST)
        .filter_map(|specification| file(&document, specification, &mut room))
        .collect()
}

/// The file specifications in an object, which may be nested in name trees and annotations.
fn specifications(object: &Object) -> Vec<&Dictionary> {
    let mut found = Vec::new();
    let mut pending = vec![object];
    while let Some(object) = pending.pop() {
        let dictionary = match object {
            Object::Dictionary(dictionary) => dictionary,
            Object::Stream(stream) => &stream.dict,
            Object::Array(items) => {
                pending.extend(items.iter().rev());
                continue;
            }
            _ => continue,
        };
        if dictionary.has(b"EF") {
            found.push(dictionary);
        }
        pending.extend(dictionary.iter().map(|(_, value)| value));
    }
    found
}

fn file(document: &Document, specification: &Dictionary, room: &mut usize) -> Option<EmbeddedFile> {
    let streams = specification
        .get_deref(b"EF", document)
        .ok()?
        .as_dict()
        .ok()?;
    let stream = [&b"UF"[..], b"F", b"Unix", b"DOS", b"Mac"]
        .into_iter()
        .find_map(|key| streams.get_deref(key, document).ok()?.as_stream().ok())?;
    let media_type = match stream.dict.get_deref(b"Subtype", document) {
        Ok(Object::Name(name)) => Some(String::from_utf8_lossy(name).into_owned()),
        _ => None,
    };
    Some(EmbeddedFile {
        name: name(document, specification).unwrap_or_else(|| "unnamed".to_owned()),
        media_type: media_type.filter(|media_type| media_type.contains('/')),
        bytes: content(stream, room),
    })
}

/// The last part of the name: what stands before it is a path of the machine it came from.
fn name(document: &Document, specification: &Dictionary) -> Option<String> {
    let given = [&b"UF"[..], b"F"]
        .into_iter()
        .find_map(|key| decode_text_string(specification.get_deref(key, document).ok()?).ok())?;
    let given = clean(&given).replace(['\n', '\t'], " ");
    let last = given
        .rsplit(['/', '\\'])
        .find(|part| !part.trim().is_empty())?;
    Some(last.trim().to_owned())
}

fn content(stream: &Stream, room: &mut usize) -> Content {
    match stream.get_plain_content_with_limit(*room) {
        Ok(bytes) => {
            *room = room.saturating_sub(bytes.len());
            Content::Whole(bytes)
        }
        Err(error) if is_over_limit(&error) => Content::TooLarge,
        Err(_) => Content::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carrier() -> Vec<u8> {
        let stream = |entries: &str, content: &str| {
            format!(
                "<<{entries}/Length {}>>stream\n{content}\nendstream",
                content.len()
            )
        };
        crate::fixtures::assemble(&[
            "<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Names[(a)4 0 R(b)6 0 R]>>>>>>"
                .to_owned(),
            "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>".to_owned(),
            "<</Type/Filespec/F(old.xml)/UF(C:\\\\bills\\\\invoice.xml)/EF<</F 5 0 R>>>>"
                .to_owned(),
            stream("/Type/EmbeddedFile/Subtype/text#2Fxml", "<invoice/>"),
            "<</Type/Filespec/EF<</F 7 0 R>>>>".to_owned(),
            stream("", "second file"),
        ])
        .into_bytes()
    }

    #[test]
    fn files_come_with_name_type_and_bytes() {
        let files = embedded_files(&carrier(), &Limits::default());
        let expected = [
            EmbeddedFile {
                name: "invoice.xml".to_owned(),
                media_type: Some("text/xml".to_owned()),
                bytes: Content::Whole(b"<invoice/>".to_vec()),
            },
            EmbeddedFile {
                name: "unnamed".to_owned(),
                media_type: None,
                bytes: Content::Whole(b"second file".to_vec()),
            },
        ];
        assert_eq!(files, expected);
    }

    #[test]
    fn together_they_stay_within_the_limit() {
        let limits = Limits {
            max_decompressed_bytes: 15,
            ..Limits::default()
        };
        let contents: Vec<Content> = embedded_files(&carrier(), &limits)
            .into_iter()
            .map(|file| file.bytes)
            .collect();
        assert_eq!(
            contents,
            [Content::Whole(b"<invoice/>".to_vec()), Content::TooLarge]
        );
        assert_eq!(embedded_files(b"no PDF", &limits), []);
    }
}
