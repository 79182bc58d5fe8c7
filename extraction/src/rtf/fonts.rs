//! The code pages of a file's fonts: bytes of text are in that of the font that is current.

use std::collections::HashMap;

use encoding_rs::Encoding;

use crate::code_page;

/// Fonts that are remembered.
const MOST: usize = 10_000;

/// The table of fonts, as far as it says anything of code pages.
pub(super) struct Fonts {
    by_number: HashMap<i32, &'static Encoding>,
    current: i32,
}

impl Fonts {
    pub(super) fn new() -> Self {
        Self {
            by_number: HashMap::new(),
            current: 0,
        }
    }

    /// A control word inside the table.
    pub(super) fn word(&mut self, word: &str, number: Option<i32>) {
        let number = number.unwrap_or(0);
        match word {
            "f" => self.current = number,
            "fcharset" => self.set(of_charset(number)),
            "cpg" => self.set(u32::try_from(number).ok()),
            _ => {}
        }
    }

    fn set(&mut self, code_page: Option<u32>) {
        if let Some(code_page) = code_page
            && self.by_number.len() < MOST
        {
            self.by_number
                .insert(self.current, code_page::encoding(code_page));
        }
    }

    pub(super) fn encoding(&self, number: i32) -> Option<&'static Encoding> {
        self.by_number.get(&number).copied()
    }
}

/// The code page of a character set of Windows; `None` for the one that the file declares, and for
/// symbols.
fn of_charset(number: i32) -> Option<u32> {
    Some(match number {
        77 => 10_000,
        128 => 932,
        129 => 949,
        134 => 936,
        136 => 950,
        161 => 1253,
        162 => 1254,
        163 => 1258,
        177 => 1255,
        178 => 1256,
        186 => 1257,
        204 => 1251,
        222 => 874,
        238 => 1250,
        _ => return None,
    })
}
