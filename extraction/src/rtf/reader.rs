//! What control words and bytes come to as text. This module must not look at the file.

use encoding_rs::{Encoding, WINDOWS_1252};

use super::fonts::Fonts;
use crate::code_page;
use crate::error::ExtractError;
use crate::limits::Limits;

/// Groups that begin with these hold no text that is shown.
const SKIPPED: &[&str] = &[
    "colortbl",
    "stylesheet",
    "info",
    "pict",
    "filetbl",
    "listtable",
    "listoverridetable",
    "revtbl",
    "rsidtbl",
    "generator",
    "sp",
    "xe",
    "tc",
    "bkmkstart",
    "bkmkend",
    "nonshppict",
    "datafield",
    "fldinst",
    "objdata",
    "upr",
];

/// Groups that a reader may pass over, and which hold text all the same.
const OPTIONAL_TEXT: &[&str] = &["shpinst", "ud", "annotation", "shppict"];

/// Groups whose text stands on lines of its own.
const APART: &[&str] = &[
    "header",
    "headerl",
    "headerr",
    "headerf",
    "footer",
    "footerl",
    "footerr",
    "footerf",
    "shptxt",
    "dptxbxtext",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Destination {
    Text,
    Fonts,
    Nowhere,
}

#[derive(Clone)]
struct Group {
    destination: Destination,
    encoding: Option<&'static Encoding>,
    /// Characters after one in Unicode that stand for it in older programs.
    substitutes: usize,
    hidden: bool,
    in_table: bool,
    /// `\*` came: what is not known is to be passed over.
    optional: bool,
    /// What is written when the group ends.
    closing: &'static str,
}

pub(super) struct Reader<'a> {
    limits: &'a Limits,
    groups: Vec<Group>,
    group: Group,
    fonts: Fonts,
    default: &'static Encoding,
    /// Bytes of text that are not decoded yet.
    pending: Vec<u8>,
    surrogate: Option<u16>,
    passing_over: usize,
    out: String,
    row_start: usize,
    characters: usize,
    pages: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            groups: Vec::new(),
            group: Group {
                destination: Destination::Text,
                encoding: None,
                substitutes: 1,
                hidden: false,
                in_table: false,
                optional: false,
                closing: "",
            },
            fonts: Fonts::new(),
            default: WINDOWS_1252,
            pending: Vec::new(),
            surrogate: None,
            passing_over: 0,
            out: String::new(),
            row_start: 0,
            characters: 0,
            pages: Vec::new(),
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn open(&mut self) -> Result<(), ExtractError> {
        self.flush()?;
        self.groups.push(self.group.clone());
        self.group.closing = "";
        self.group.optional = false;
        self.passing_over = 0;
        Ok(())
    }

    pub(super) fn close(&mut self) -> Result<(), ExtractError> {
        self.flush()?;
        self.passing_over = 0;
        let closing = self.group.closing;
        if let Some(outer) = self.groups.pop() {
            self.group = outer;
        }
        match closing {
            "\n" => self.fresh_line(),
            closing => self.push(closing),
        }
    }

    pub(super) fn byte(&mut self, byte: u8) {
        if self.passing_over > 0 {
            self.passing_over -= 1;
        } else if self.group.destination == Destination::Text && !self.group.hidden {
            self.pending.push(byte);
        }
    }

    pub(super) fn symbol(&mut self, symbol: u8) -> Result<(), ExtractError> {
        match symbol {
            b'*' => self.group.optional = true,
            b'{' | b'}' | b'\\' => self.byte(symbol),
            b'~' => self.put("\u{A0}")?,
            b'_' => self.put("\u{2011}")?,
            b'\r' | b'\n' => self.paragraph()?,
            _ => {}
        }
        Ok(())
    }

    pub(super) fn word(&mut self, word: &str, number: Option<i32>) -> Result<(), ExtractError> {
        let optional = std::mem::take(&mut self.group.optional);
        if self.group.destination == Destination::Fonts {
            self.fonts.word(word, number);
            return Ok(());
        }
        if word == "ud" && optional {
            self.group.destination = Destination::Text;
            return Ok(());
        }
        if self.group.destination == Destination::Nowhere {
            return Ok(());
        }
        if word == "fonttbl" {
            self.flush()?;
            self.group.destination = Destination::Fonts;
            return Ok(());
        }
        if SKIPPED.contains(&word) || (optional && !OPTIONAL_TEXT.contains(&word)) {
            self.flush()?;
            self.group.destination = Destination::Nowhere;
            return Ok(());
        }
        if APART.contains(&word) {
            self.group.closing = "\n";
            return self.fresh_line();
        }
        match word {
            "u" => self.unicode(number.unwrap_or(0))?,
            "uc" => {
                self.group.substitutes = usize::try_from(number.unwrap_or(1)).unwrap_or(1).min(64)
            }
            "f" => self.font(number.unwrap_or(0))?,
            "plain" => self.group.hidden = false,
            "v" => self.group.hidden = number != Some(0),
            "ansicpg" => {
                self.default =
                    code_page::encoding(number.and_then(|n| u32::try_from(n).ok()).unwrap_or(0));
            }
            "mac" => self.default = code_page::encoding(10_000),
            "pard" => self.group.in_table = false,
            "intbl" => self.group.in_table = true,
            "par" | "sect" | "line" => self.paragraph()?,
            "page" => self.page()?,
            "tab" if self.group.in_table => self.put(" ")?,
            "tab" => self.put("\t")?,
            "cell" => self.put("\t")?,
            "nestcell" | "nestrow" => self.put(" ")?,
            "row" => self.end_row()?,
            "footnote" | "annotation" => {
                self.put(" [")?;
                self.group.closing = "]";
            }
            "chftn" | "chatn" => {}
            _ => self.named_character(word)?,
        }
        Ok(())
    }

    fn named_character(&mut self, word: &str) -> Result<(), ExtractError> {
        self.put(match word {
            "emdash" => "—",
            "endash" => "–",
            "bullet" => "•",
            "lquote" => "‘",
            "rquote" => "’",
            "ldblquote" => "“",
            "rdblquote" => "”",
            "emspace" | "enspace" | "qmspace" => " ",
            "zwj" => "\u{200D}",
            "zwnj" => "\u{200C}",
            _ => return Ok(()),
        })
    }

    fn font(&mut self, number: i32) -> Result<(), ExtractError> {
        self.flush()?;
        self.group.encoding = self.fonts.encoding(number);
        Ok(())
    }

    /// A unit of UTF-16, written as a signed number.
    fn unicode(&mut self, number: i32) -> Result<(), ExtractError> {
        self.flush()?;
        self.passing_over = self.group.substitutes;
        let Ok(unit) = u16::try_from(number & 0xFFFF) else {
            return Ok(());
        };
        let units = [self.surrogate.take(), Some(unit)].into_iter().flatten();
        for decoded in char::decode_utf16(units) {
            match decoded {
                Ok(character) => self.put(character.encode_utf8(&mut [0; 4]))?,
                Err(error)
                    if error.unpaired_surrogate() == unit && (0xD800..0xDC00).contains(&unit) =>
                {
                    self.surrogate = Some(unit);
                }
                Err(_) => self.put("\u{FFFD}")?,
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ExtractError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.pending);
        let encoding = self.group.encoding.unwrap_or(self.default);
        let (text, _) = encoding.decode_without_bom_handling(&bytes);
        self.push(&text)
    }

    /// Text that is shown, after the bytes before it.
    fn put(&mut self, text: &str) -> Result<(), ExtractError> {
        self.flush()?;
        if self.group.destination != Destination::Text || self.group.hidden {
            return Ok(());
        }
        self.push(text)
    }

    fn push(&mut self, text: &str) -> Result<(), ExtractError> {
        self.characters = self.characters.saturating_add(text.chars().count());
        self.limits.check_characters(self.characters)?;
        self.out.push_str(text);
        Ok(())
    }

    fn paragraph(&mut self) -> Result<(), ExtractError> {
        self.put(if self.group.in_table { " " } else { "\n" })
    }

    fn fresh_line(&mut self) -> Result<(), ExtractError> {
        self.flush()?;
        if self.out.is_empty() || self.out.ends_with('\n') {
            return Ok(());
        }
        self.push("\n")
    }

    fn end_row(&mut self) -> Result<(), ExtractError> {
        self.flush()?;
        let line = self.out.get(self.row_start..).unwrap_or_default();
        let kept = line.trim_end_matches(['\t', ' ']).len();
        self.out.truncate(self.row_start + kept);
        self.fresh_line()?;
        self.row_start = self.out.len();
        Ok(())
    }

    fn page(&mut self) -> Result<(), ExtractError> {
        self.flush()?;
        let text = std::mem::take(&mut self.out);
        self.row_start = 0;
        self.pages.push(text.trim().to_owned());
        self.limits.check_pages(self.pages.len())?;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Vec<String>, ExtractError> {
        self.flush()?;
        let last = self.out.trim().to_owned();
        if !last.is_empty() || self.pages.is_empty() {
            self.pages.push(last);
        }
        Ok(self.pages)
    }
}
