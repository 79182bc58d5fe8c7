//! Messages as Outlook saves them (MS-OXMSG): a compound file with a stream for each property.
//! This module owns which properties are told, and how a message inside another becomes a file of
//! its own.

mod compressed;
mod properties;

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use cfb::CompoundFile;

use self::properties::{Properties, id};
use super::Letter;
use crate::child::Child;
use crate::error::ExtractError;
use crate::limits::Limits;
use crate::{OnPage, Reading, html, rtf, text};

/// Attachments that are looked at.
const MOST_ATTACHED: usize = 2_000;
/// Streams of a message inside another.
const MOST_STREAMS: usize = 20_000;

/// The compound file that a message is.
type File<'a> = CompoundFile<Cursor<&'a [u8]>>;

pub(crate) fn read(
    bytes: &[u8],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<(Reading, Vec<Child>), ExtractError> {
    let mut file = CompoundFile::open(Cursor::new(bytes))
        .map_err(|_| ExtractError::damaged("it cannot be read as a compound file"))?;
    let mut root = Properties::of(&mut file, Path::new("/"), limits);
    let sender = (root.text(id::SENDER_NAME), sender_address(&mut root));
    let mut letter = Letter {
        from: match sender {
            (Some(name), Some(address)) if name != address => format!("{name} <{address}>"),
            (name, address) => address.or(name).unwrap_or_default(),
        },
        to: root.text(id::DISPLAY_TO).unwrap_or_default(),
        cc: root.text(id::DISPLAY_CC).unwrap_or_default(),
        date: root
            .time(id::SUBMITTED)
            .or_else(|| root.time(id::DELIVERED))
            .unwrap_or_default(),
        subject: root.text(id::SUBJECT).unwrap_or_default(),
        body: body(&mut root, limits)?,
        ..Letter::default()
    };
    for storage in attachments(&file) {
        attach(&mut letter, &mut file, &storage, limits);
    }
    letter.tell(limits, on_page)
}

fn sender_address(root: &mut Properties<'_, '_>) -> Option<String> {
    let smtp = root.text(id::SENDER_SMTP);
    // An address of Exchange's own directory says nothing to people.
    smtp.or_else(|| root.text(id::SENDER_ADDRESS).filter(|a| a.contains('@')))
}

fn body(root: &mut Properties<'_, '_>, limits: &Limits) -> Result<String, ExtractError> {
    if let Some(text) = root.text(id::BODY).filter(|text| !text.trim().is_empty()) {
        return Ok(text);
    }
    if let Some(markup) = root.bytes(id::HTML) {
        return html::shown(&text::decode(&markup), limits);
    }
    if let Some(markup) = root.text(id::HTML) {
        return html::shown(&markup, limits);
    }
    let packed = root.bytes(id::PACKED_RTF).unwrap_or_default();
    match compressed::unpack(&packed, limits.max_decompressed_bytes) {
        Some(rich) => Ok(rtf::texts(&rich, limits)?.join("\n")),
        None => Ok(String::new()),
    }
}

/// The storages of the attachments, in their order.
fn attachments(file: &File<'_>) -> Vec<PathBuf> {
    let all = file.read_root_storage();
    let attached =
        all.filter(|entry| entry.is_storage() && entry.name().starts_with("__attach_version1.0_#"));
    let mut found: Vec<PathBuf> = attached
        .take(MOST_ATTACHED)
        .map(|entry| entry.path().to_owned())
        .collect();
    found.sort();
    found
}

fn attach(letter: &mut Letter, file: &mut File<'_>, storage: &Path, limits: &Limits) {
    let mut of = Properties::of(file, storage, limits);
    let name = of
        .text(id::LONG_NAME)
        .or_else(|| of.text(id::SHORT_NAME))
        .or_else(|| of.text(id::DISPLAY_NAME));
    let declared = of.text(id::MEDIA_TYPE);
    if let Some(bytes) = of.bytes(id::DATA) {
        let name = name.unwrap_or_else(|| "attachment".to_owned());
        letter.attached.add(&name, declared.as_deref(), bytes);
        return;
    }
    let name = name.unwrap_or_else(|| "message".to_owned());
    let inner = storage.join("__substg1.0_3701000D");
    if file.is_storage(&inner) {
        let name = format!("{name}.msg");
        let room = letter.attached.room();
        match as_file(file, &inner, room) {
            Some(bytes) => letter.attached.add(&name, None, bytes),
            None => letter.attached.leave_out(&name, "it cannot be taken out"),
        }
    } else {
        letter
            .attached
            .leave_out(&name, "it is not inside the message");
    }
}

/// A storage as a compound file of its own.
fn as_file(file: &mut File<'_>, storage: &Path, room: usize) -> Option<Vec<u8>> {
    let empty = Cursor::new(Vec::new());
    let mut copy = CompoundFile::create_with_version(cfb::Version::V3, empty).ok()?;
    let entries: Vec<(PathBuf, bool)> = file
        .walk_storage(storage)
        .ok()?
        .take(MOST_STREAMS)
        .map(|entry| (entry.path().to_owned(), entry.is_stream()))
        .collect();
    let mut copied = 0_usize;
    for (path, is_stream) in entries {
        let Ok(below) = path.strip_prefix(storage) else {
            continue;
        };
        let to = Path::new("/").join(below);
        if !is_stream {
            copy.create_storage_all(&to).ok()?;
            continue;
        }
        let bytes = properties::stream(file, &path, room.saturating_sub(copied))?;
        copied = copied.saturating_add(bytes.len());
        copy.create_stream(&to).ok()?.write_all(&bytes).ok()?;
    }
    copy.flush().ok()?;
    Some(copy.into_inner().into_inner())
}
