//! Presentations written here record by record: edits, order, notes, and streams that mean harm.

use super::*;
use crate::fixtures::office::{compound, utf16};

fn record(version: u16, kind: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = version.to_le_bytes().to_vec();
    bytes.extend(kind.to_le_bytes());
    bytes.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
    bytes.extend(body);
    bytes
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn container(kind: u16, parts: &[Vec<u8>]) -> Vec<u8> {
    record(0xF, kind, &parts.concat())
}

fn slide(kind: u16, notes: u32, texts: &[Vec<u8>]) -> Vec<u8> {
    let about = record(2, kind::ABOUT, &words(&[0, 0, 0, 0, notes, 0]));
    let box_of =
        |text: &Vec<u8>| container(0xF004, &[container(0xF00D, std::slice::from_ref(text))]);
    let boxes: Vec<_> = texts.iter().map(box_of).collect();
    let drawing = container(kind::DRAWING, &[container(0xF002, &boxes)]);
    container(kind, &[about, drawing])
}

fn characters(text: &str) -> Vec<u8> {
    record(0, kind::TEXT_CHARACTERS, &utf16(text))
}

/// A stream that was saved twice, and where its last edit is: the second slide was written anew.
fn saved_twice() -> (Vec<u8>, u32) {
    let persist = |number: u32, id: u32| record(0, kind::PERSIST, &words(&[number, 4, 1, id, 0]));
    let header = || record(0, kind::TEXT_HEADER, &words(&[0]));
    let list =
        |which: u16, parts: &[Vec<u8>]| record(which << 4 | 0xF, kind::LIST, &parts.concat());
    let document = container(
        0x03E8,
        &[
            list(
                0,
                &[
                    persist(3, 256),
                    header(),
                    characters("സുരക്ഷാ\rbriefing"),
                    persist(2, 257),
                ],
            ),
            list(2, &[persist(4, 300)]),
        ],
    );
    let refers = record(0, kind::OUTLINE_REFERENCE, &words(&[0]));
    let first = slide(kind::SLIDE, 300, &[refers, characters("*")]);
    let old = slide(kind::SLIDE, 0, &[characters("old")]);
    let notes = slide(
        0x03F0,
        0,
        &[record(0, kind::TEXT_BYTES, b"Mind the caf\xE9")],
    );
    let mut stream = Vec::new();
    let mut at = Vec::new();
    for part in [document, old, first, notes] {
        at.push(u32::try_from(stream.len()).unwrap());
        stream.extend(part);
    }
    let edit = |stream: &mut Vec<u8>, before: u32, run: u32, places: &[u32]| {
        let table = u32::try_from(stream.len()).unwrap();
        let mut body = vec![run];
        body.extend(places);
        stream.extend(record(0, kind::DIRECTORY, &words(&body)));
        let edit = u32::try_from(stream.len()).unwrap();
        stream.extend(record(
            0,
            kind::EDIT,
            &words(&[0, 0, before, table, 1, 5, 0]),
        ));
        edit
    };
    let before = edit(&mut stream, 0, 4 << 20 | 1, &at);
    let new = u32::try_from(stream.len()).unwrap();
    stream.extend(slide(kind::SLIDE, 0, &[characters("new")]));
    let last = edit(&mut stream, before, 1 << 20 | 2, &[new]);
    (stream, last)
}

fn pages(user: &[u8], stream: &[u8]) -> Result<Vec<String>, ExtractError> {
    let file = compound(&[("/Current User", user), ("/PowerPoint Document", stream)]);
    let read = read(&file, &Limits::default(), &mut |_| true)?;
    Ok(read.pages.into_iter().map(|page| page.text).collect())
}

fn user(token: u32, edit: u32) -> Vec<u8> {
    record(0, 0x0FF6, &words(&[20, token, edit, 0, 0]))
}

#[test]
fn slides_are_those_of_the_last_edit_in_the_order_listed() {
    let (stream, edit) = saved_twice();
    let pages = pages(&user(0xE391_C05F, edit), &stream).unwrap();
    assert_eq!(pages, ["സുരക്ഷാ\nbriefing\nNotes: Mind the café", "new"]);
}

#[test]
fn a_broken_directory_loses_the_order_but_not_the_slides() {
    let (stream, _) = saved_twice();
    let pages = pages(&[], &stream).unwrap();
    assert_eq!(pages, ["old", "", "new"]);
}

#[test]
fn what_cannot_be_read_is_said() {
    let (stream, edit) = saved_twice();
    assert_eq!(
        pages(&user(ENCRYPTED, edit), &stream),
        Err(ExtractError::Encrypted)
    );
    let damaged = |read| matches!(read, Err(ExtractError::Damaged { .. }));
    assert!(damaged(pages(&[], b"")));
    assert!(damaged(pages(&[], &[0xFF; 64])));
    for cut in 0..stream.len() {
        // However it ends: no panic.
        let _ = pages(&user(0, edit), &stream[..cut]);
    }
}

#[test]
fn edits_that_lead_to_themselves_end() {
    let (mut stream, edit) = saved_twice();
    let at = edit as usize + 8 + 8;
    stream[at..at + 4].copy_from_slice(&edit.to_le_bytes());
    assert!(pages(&user(0, edit), &stream).is_ok());
}
