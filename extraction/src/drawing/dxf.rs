//! Drawing Exchange Format, as text and as binary: the texts, notes, attributes and dimensions'
//! texts in the order of the file. This module owns the pairs of group code and value.

mod groups;

use encoding_rs::Encoding;

use self::groups::{Groups, Value};
use super::mtext;
use crate::code_page;
use crate::error::ExtractError;
use crate::limits::Limits;
use crate::{OnPage, Reading, pages, text};

/// Group codes that are looked at.
mod code {
    pub(super) const ENTITY: i32 = 0;
    pub(super) const TEXT: i32 = 1;
    pub(super) const MORE: i32 = 3;
    pub(super) const FLAGS: i32 = 70;
    pub(super) const VARIABLE: i32 = 9;
}

pub(crate) fn read(
    bytes: &[u8],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<Reading, ExtractError> {
    let encoding = declared(bytes);
    let mut drawing = Drawing::default();
    let mut any = false;
    for (code, value) in Groups::of(bytes) {
        any |= code == code::ENTITY && value == Value::Bytes(b"SECTION");
        drawing.group(code, value, encoding);
        limits.check_characters(drawing.text.len() / 4)?;
    }
    if !any {
        return Err(ExtractError::damaged("it has no sections of a drawing"));
    }
    drawing.end_entity();
    pages::all(&[drawing.text.trim_end().to_owned()], limits, on_page)
}

/// The code page that the header names. From AutoCAD 2007 on drawings are UTF-8, whatever they
/// name.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let mut variable: Option<&[u8]> = None;
    let mut encoding = None;
    for (code, value) in Groups::of(bytes) {
        match (code, value, variable) {
            (code::VARIABLE, Value::Bytes(name), _) => variable = Some(name),
            (_, Value::Bytes(version), Some(b"$ACADVER")) if version >= b"AC1021".as_slice() => {
                return None;
            }
            (_, Value::Bytes(page), Some(b"$DWGCODEPAGE")) => {
                let page = String::from_utf8_lossy(page).to_ascii_lowercase();
                let number = page
                    .rsplit('_')
                    .next()
                    .and_then(|number| number.parse().ok());
                encoding = number.map(code_page::encoding);
            }
            (code::ENTITY, Value::Bytes(b"ENDSEC"), _) => break,
            _ => {}
        }
    }
    encoding
}

/// What is read of an entity.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    /// One line of text.
    Line,
    /// The same at a block, which may be invisible.
    Attribute,
    /// Text with formatting of its own.
    Formatted,
    #[default]
    Other,
}

#[derive(Default)]
struct Drawing {
    text: String,
    kind: Kind,
    /// The text of the entity so far.
    value: String,
    /// It is not shown.
    hidden: bool,
}

impl Drawing {
    fn group(&mut self, code: i32, value: Value<'_>, encoding: Option<&'static Encoding>) {
        match (code, value) {
            (code::ENTITY, Value::Bytes(name)) => {
                self.end_entity();
                self.kind = match name {
                    b"TEXT" => Kind::Line,
                    b"ATTRIB" | b"ATTDEF" => Kind::Attribute,
                    b"MTEXT" | b"DIMENSION" | b"MULTILEADER" | b"ACAD_TABLE" => Kind::Formatted,
                    _ => Kind::Other,
                };
            }
            // A long text comes in pieces, the last of which has the code of a short one.
            (code::TEXT | code::MORE, Value::Bytes(bytes)) if self.takes(code) => {
                let decoded = match encoding {
                    Some(encoding) => encoding.decode_without_bom_handling(bytes).0,
                    None => text::decode(bytes),
                };
                self.value.push_str(&decoded);
            }
            // Bit 1 of an attribute's flags: invisible.
            (code::FLAGS, Value::Number(flags)) if self.kind == Kind::Attribute => {
                self.hidden |= flags & 1 == 1;
            }
            _ => {}
        }
    }

    fn takes(&self, code: i32) -> bool {
        match self.kind {
            Kind::Line | Kind::Attribute => code == code::TEXT,
            Kind::Formatted => true,
            Kind::Other => false,
        }
    }

    fn end_entity(&mut self) {
        let value = std::mem::take(&mut self.value);
        let shown = match self.kind {
            Kind::Formatted => mtext::plain(&value),
            _ => mtext::line(&value),
        };
        // In a dimension `<>` stands for what was measured, which is not in the text.
        let shown = shown.trim();
        if !shown.is_empty() && shown != "<>" && !std::mem::take(&mut self.hidden) {
            self.text.push_str(shown);
            self.text.push('\n');
        }
        self.kind = Kind::Other;
        self.hidden = false;
    }
}
