//! Rich Text Format: its text, from paragraphs, tables, headers, notes and text boxes. This module
//! owns the tokenizer; what a document embeds is passed over.

mod fonts;
mod reader;

use self::reader::Reader;
use crate::error::{ExtractError, Quantity};
use crate::limits::Limits;
use crate::{OnPage, Reading, pages};

/// Groups inside each other. Word writes a few dozen at most.
const DEEPEST: usize = 2_000;

pub(crate) fn read(
    bytes: &[u8],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<Reading, ExtractError> {
    pages::all(&texts(bytes, limits)?, limits, on_page)
}

/// The texts of its pages.
pub(crate) fn texts(bytes: &[u8], limits: &Limits) -> Result<Vec<String>, ExtractError> {
    let mut reader = Reader::new(limits);
    for token in (Tokens { rest: bytes }) {
        match token {
            Token::Open => {
                if reader.depth() >= DEEPEST {
                    return Err(ExtractError::TooLarge {
                        limit: DEEPEST as u64,
                        of: Quantity::Levels,
                    });
                }
                reader.open()?;
            }
            Token::Close => reader.close()?,
            Token::Word(word, number) => reader.word(word, number)?,
            Token::Symbol(symbol) => reader.symbol(symbol)?,
            Token::Byte(byte) => reader.byte(byte),
        }
    }
    reader.finish()
}

/// What the text of a file is made of.
#[derive(Debug, PartialEq)]
enum Token<'a> {
    Open,
    Close,
    /// A control word, with its number.
    Word(&'a str, Option<i32>),
    /// A backslash and something that is no letter.
    Symbol(u8),
    /// A byte of text, in the code page that is current.
    Byte(u8),
}

struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    fn advance(&mut self, by: usize) {
        self.rest = self.rest.get(by..).unwrap_or_default();
    }

    fn control(&mut self) -> Option<Token<'a>> {
        let letters = self
            .rest
            .iter()
            .take(32)
            .take_while(|b| b.is_ascii_alphabetic());
        let length = letters.count();
        let Some(word) = self.rest.get(..length).filter(|word| !word.is_empty()) else {
            return self.escape();
        };
        self.advance(length);
        let negative = self.rest.starts_with(b"-");
        self.advance(usize::from(negative));
        let digits = self
            .rest
            .iter()
            .take(10)
            .take_while(|b| b.is_ascii_digit())
            .count();
        let number = self.rest.get(..digits).unwrap_or_default();
        let number: Option<i32> = std::str::from_utf8(number)
            .ok()
            .and_then(|n| n.parse().ok());
        self.advance(digits);
        if self.rest.starts_with(b" ") {
            self.advance(1);
        }
        let number = number.map(|n| if negative { -n } else { n });
        if word == b"bin" {
            self.advance(usize::try_from(number.unwrap_or(0)).unwrap_or(0));
        }
        Some(Token::Word(
            std::str::from_utf8(word).unwrap_or_default(),
            number,
        ))
    }

    fn escape(&mut self) -> Option<Token<'a>> {
        let (symbol, rest) = self.rest.split_first()?;
        self.rest = rest;
        if *symbol != b'\'' {
            return Some(Token::Symbol(*symbol));
        }
        let digits = self.rest.get(..2).unwrap_or_default();
        let value = std::str::from_utf8(digits).ok();
        match value.and_then(|value| u8::from_str_radix(value, 16).ok()) {
            Some(byte) => {
                self.advance(2);
                Some(Token::Byte(byte))
            }
            None => Some(Token::Byte(b'?')),
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            return match byte {
                b'{' => Some(Token::Open),
                b'}' => Some(Token::Close),
                b'\\' => self.control(),
                // Line ends of the file mean nothing.
                b'\r' | b'\n' | 0 => continue,
                byte => Some(Token::Byte(*byte)),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(rtf: &[u8]) -> Vec<String> {
        let reading = read(rtf, &Limits::default(), &mut |_| true).unwrap();
        reading.pages.into_iter().map(|page| page.text).collect()
    }

    #[test]
    fn text_in_code_pages_and_unicode() {
        let rtf = b"{\\rtf1\\ansi\\ansicpg1252\\deff0{\\fonttbl{\\f0 Arial;}\
            {\\f1\\fcharset204 Arial Cyr;}}{\\info{\\title hidden}}\r\n\
            \\pard Caf\\'e9 \\f1 \\'cf\\'ee \\f0\\uc1 \\u3374?\\u3390? \\u-10179?\\u-8704?\\par\n\
            {\\*\\generator x;}a\\~b\\_c\\{d\\}{\\v gone}\\line two\\emdash\\par}";
        assert_eq!(
            texts(rtf),
            ["Café По മാ \u{1F600}\na\u{A0}b\u{2011}c{d}\ntwo—"]
        );
    }

    #[test]
    fn rows_pages_fields_and_notes() {
        let rtf = b"{\\rtf1{\\header Top\\par}\\trowd\\intbl A\\cell B\\par b\\cell\\row\
            \\intbl C\\cell\\cell\\row\\pard After{\\footnote note}\\page \
            {\\field{\\*\\fldinst HYPERLINK}{\\fldrslt link}}{\\pict\\bin4 \x01{}}\x02 89ab}end}";
        assert_eq!(texts(rtf), ["Top\nA\tB b\nC\nAfter [note]", "linkend"]);
    }

    #[test]
    fn shapes_have_text_and_properties_have_none() {
        let rtf = b"{\\rtf1 x{\\shp{\\*\\shpinst{\\sp{\\sn a}{\\sv 7}}{\\shptxt In a box\\par}}}y}";
        assert_eq!(texts(rtf), ["x\nIn a box\ny"]);
    }

    #[test]
    fn unbalanced_and_endless_groups() {
        assert_eq!(texts(b"{\\rtf1 a}}}b"), ["ab"]);
        let deep = [b"{\\rtf1 ".as_slice(), &b"{".repeat(DEEPEST + 1)].concat();
        let error = read(&deep, &Limits::default(), &mut |_| true)
            .err()
            .unwrap();
        assert_eq!(error.code(), "too_large");
    }
}
