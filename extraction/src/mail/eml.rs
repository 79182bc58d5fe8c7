//! Messages as they travel (RFC 5322 and MIME). This module owns which parts are the body and
//! which are attached: the plain text of alternatives is preferred, markup is shown as text.

use mail_parser::{Address, Encoding, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::Letter;
use crate::child::{Child, Children};
use crate::error::{ExtractError, Quantity};
use crate::limits::Limits;
use crate::{OnPage, Reading, html};

/// Messages inside messages that are taken apart. Each is a level of nesting at most.
const MOST_MESSAGES: usize = 500;
/// Characters of a name made from a subject.
const LONGEST_NAME: usize = 80;

pub(crate) fn read(
    bytes: &[u8],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<(Reading, Vec<Child>), ExtractError> {
    refuse_endless(bytes)?;
    let message = MessageParser::default()
        .parse(bytes)
        .ok_or_else(|| ExtractError::damaged("it has no headers of a message"))?;
    let mut letter = Letter {
        from: addresses(message.from()),
        to: addresses(message.to()),
        cc: addresses(message.cc()),
        date: message.date().map(ToString::to_string).unwrap_or_default(),
        subject: message.subject().unwrap_or_default().to_owned(),
        ..Letter::default()
    };
    for part in message.text_bodies() {
        let text = match &part.body {
            PartType::Text(text) => text.to_string(),
            PartType::Html(markup) => html::shown(markup, limits)?,
            _ => continue,
        };
        letter.body += &text;
        letter.body.push('\n');
        limits.check_characters(letter.body.len() / 4)?;
    }
    for (part, number) in message.attachments().zip(1_usize..) {
        attach(&mut letter.attached, &message, part, number);
    }
    letter.tell(limits, on_page)
}

/// Each message inside another is held in it, so that letting go of them needs as many levels.
fn refuse_endless(bytes: &[u8]) -> Result<(), ExtractError> {
    let mut found = 0_usize;
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        let after = bytes.get(at + 1..).unwrap_or_default();
        let is = |word: &[u8]| {
            after
                .get(..word.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        found += usize::from(is(b"rfc822") || is(b"global") || is(b"digest"));
    }
    if found <= MOST_MESSAGES {
        return Ok(());
    }
    Err(ExtractError::TooLarge {
        limit: MOST_MESSAGES as u64,
        of: Quantity::Levels,
    })
}

fn addresses(address: Option<&Address<'_>>) -> String {
    let all = address.into_iter().flat_map(Address::iter);
    let shown = all.map(|of| match (of.name(), of.address()) {
        (Some(name), Some(address)) if name != address => format!("{name} <{address}>"),
        (name, address) => address.or(name).unwrap_or_default().to_owned(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn attach(attached: &mut Children, message: &Message<'_>, part: &MessagePart<'_>, number: usize) {
    let declared = part.content_type().map(|of| match of.subtype() {
        Some(subtype) => format!("{}/{subtype}", of.ctype()).to_ascii_lowercase(),
        None => of.ctype().to_ascii_lowercase(),
    });
    let bytes: &[u8] = match &part.body {
        PartType::Text(text) | PartType::Html(text) => text.as_bytes(),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => bytes,
        // One that was encoded was decoded into bytes of its own.
        PartType::Message(inner) if part.encoding != Encoding::None => inner.raw_message(),
        PartType::Message(_) => within(message.raw_message(), part),
        PartType::Multipart(_) => return,
    };
    let name = match (part.attachment_name(), &part.body) {
        (Some(name), _) => name.to_owned(),
        (None, PartType::Message(inner)) => named_by_subject(inner, number),
        (None, _) => {
            let format = crate::content_format(bytes, "")
                .or_else(|| declared.as_deref().and_then(crate::Format::of_media_type));
            let extension = format.map_or("bin", crate::Format::extension);
            format!("attachment-{number}.{extension}")
        }
    };
    if bytes.len() > attached.room() {
        attached.leave_out(&name, "beyond the limits for files inside a document");
    } else {
        attached.add(&name, declared.as_deref(), bytes.to_vec());
    }
}

fn within<'a>(raw: &'a [u8], part: &MessagePart<'_>) -> &'a [u8] {
    let from = usize::try_from(part.offset_body).unwrap_or(usize::MAX);
    let to = usize::try_from(part.offset_end).unwrap_or(usize::MAX);
    raw.get(from..to.min(raw.len())).unwrap_or_default()
}

fn named_by_subject(message: &Message<'_>, number: usize) -> String {
    let subject = message.subject().unwrap_or_default();
    let kept = |c: &char| c.is_alphanumeric() || " -_.()".contains(*c) || !c.is_ascii();
    let name: String = subject.chars().filter(kept).take(LONGEST_NAME).collect();
    let name = name.trim();
    if name.is_empty() {
        format!("message-{number}.eml")
    } else {
        format!("{name}.eml")
    }
}
