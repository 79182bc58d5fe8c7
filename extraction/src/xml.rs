//! XML as a stream of elements and text. This module owns its limits; it must not know any
//! vocabulary. Names are told without their prefixes, entities of a document's own are not
//! expanded, and nothing outside the document is fetched.

use std::borrow::Cow;

use encoding_rs::Encoding;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use crate::error::{ExtractError, Quantity};

/// Elements inside each other. Office programs stay below fifty.
const DEEPEST: usize = 2_000;

/// A step through a document.
pub(crate) enum Node<'a> {
    /// An element begins.
    Start(Element<'a>),
    /// The element of this name ends.
    End(&'a str),
    /// Text, with references resolved.
    Text(Cow<'a, str>),
}

/// An element as it begins.
pub(crate) struct Element<'a>(&'a BytesStart<'a>);

impl Element<'_> {
    /// Its name, without a prefix.
    pub(crate) fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// The value of an attribute, whatever its prefix.
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        self.0
            .attributes()
            .with_checks(false)
            .flatten()
            .find(|attribute| attribute.key.local_name().into_inner() == name)
            .and_then(|attribute| attribute.normalized_value(XmlVersion::Implicit1_0).ok())
            .map(Cow::into_owned)
    }

    /// The value of an attribute that has a prefix, where the same name stands without one, too.
    pub(crate) fn prefixed(&self, name: &str) -> Option<String> {
        self.0
            .attributes()
            .with_checks(false)
            .flatten()
            .find(|attribute| {
                attribute.key.prefix().is_some() && attribute.key.local_name().into_inner() == name
            })
            .and_then(|attribute| attribute.normalized_value(XmlVersion::Implicit1_0).ok())
            .map(Cow::into_owned)
    }

    /// A number in an attribute.
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.attribute(name)?.trim().parse().ok()
    }
}

/// Go through a document, calling `visit` at each step.
pub(crate) fn walk(
    bytes: &[u8],
    mut visit: impl FnMut(Node<'_>) -> Result<(), ExtractError>,
) -> Result<(), ExtractError> {
    let text = decode(bytes);
    let mut reader = Reader::from_str(&text);
    // Damage in one place is no reason to lose the rest.
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_dangling_amp = true;
    let mut depth = 0_usize;
    loop {
        let event = reader
            .read_event()
            .map_err(|_| ExtractError::damaged("a part of it is not well-formed XML"))?;
        match event {
            Event::Start(start) => {
                depth += 1;
                if depth > DEEPEST {
                    return Err(ExtractError::TooLarge {
                        limit: DEEPEST as u64,
                        of: Quantity::Levels,
                    });
                }
                visit(Node::Start(Element(&start)))?;
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                visit(Node::End(end.local_name().into_inner()))?;
            }
            Event::Empty(start) => {
                visit(Node::Start(Element(&start)))?;
                visit(Node::End(start.local_name().into_inner()))?;
            }
            Event::Text(text) => visit(Node::Text(text.xml10_content()))?,
            Event::CData(text) => visit(Node::Text(text.xml10_content()))?,
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref() {
                    Ok(Some(character)) => Some(character),
                    Ok(None) => predefined(&reference.xml10_content()),
                    Err(_) => Some(char::REPLACEMENT_CHARACTER),
                };
                if let Some(character) = character {
                    visit(Node::Text(Cow::Owned(character.to_string())))?;
                }
            }
            Event::Eof => return Ok(()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

/// The parts of packages are UTF-8, or UTF-16 with a mark.
fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => {
            let body = bytes.get(mark..).unwrap_or_default();
            encoding.decode_without_bom_handling(body).0
        }
        None => String::from_utf8_lossy(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(xml: &str) -> Result<String, ExtractError> {
        let mut all = String::new();
        walk(xml.as_bytes(), |node| {
            match node {
                Node::Start(element) => all += &format!("<{}>", element.name()),
                Node::End(name) => all += &format!("</{name}>"),
                Node::Text(text) => all += &text,
            }
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn references_are_resolved_and_entities_left_alone() {
        let bomb = "<!DOCTYPE a [<!ENTITY x \"&y;&y;\"><!ENTITY y \"boom\">]><w:a>1 &lt; &#x32; \
                    &x;&amp<![CDATA[<b>]]></w:a>";
        assert_eq!(texts(bomb).unwrap(), "<a>1 < 2 &amp<b></a>");
    }

    #[test]
    fn nesting_has_an_end() {
        let deep = "<a>".repeat(DEEPEST + 1);
        assert_eq!(texts(&deep).unwrap_err().code(), "too_large");
    }

    #[test]
    fn attributes_are_found_without_their_prefix() {
        walk(b"<p:x r:id='7&amp;' n=' 12 '/>", |node| {
            if let Node::Start(element) = node {
                assert_eq!(element.attribute("id").as_deref(), Some("7&"));
                assert_eq!(element.number("n"), Some(12));
                assert_eq!(element.attribute("none"), None);
            }
            Ok(())
        })
        .unwrap();
    }
}
