//! STEP (ISO 10303-21): who made the file, of what, and the names of its products. This module
//! must not read geometry: of the data only products are looked at.

use super::lines;
use crate::error::ExtractError;
use crate::limits::Limits;
use crate::{OnPage, Reading, pages, text};

/// Products whose names are told.
const MOST_PRODUCTS: usize = 5_000;
/// Strings of one statement, and lists inside each other in it.
const MOST_STRINGS: usize = 200;

pub(crate) fn read(
    bytes: &[u8],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<Reading, ExtractError> {
    limits.check_decompressed(bytes.len())?;
    let file = text::decode(bytes);
    if !file.trim_start().starts_with("ISO-10303-21") {
        return Err(ExtractError::damaged("it does not begin as STEP data"));
    }
    let mut told = String::new();
    let mut products: Vec<String> = Vec::new();
    for statement in Statements::of(&file) {
        if let Some(arguments) = statement.strip_prefix("FILE_DESCRIPTION") {
            let strings = Arguments::of(arguments);
            told += &lines(&[("Description", strings.joined(0))]);
        } else if let Some(arguments) = statement.strip_prefix("FILE_NAME") {
            let strings = Arguments::of(arguments);
            told += &lines(&[
                ("File", strings.joined(0)),
                ("Date", strings.joined(1)),
                ("Author", strings.joined(2)),
                ("Organisation", strings.joined(3)),
                ("Written by", strings.joined(5)),
                ("Authorised by", strings.joined(6)),
            ]);
        } else if let Some(arguments) = statement.strip_prefix("FILE_SCHEMA") {
            told += &lines(&[("Schema", Arguments::of(arguments).joined(0))]);
        } else if let Some(arguments) = product(statement)
            && products.len() < MOST_PRODUCTS
        {
            let strings = Arguments::of(arguments);
            let parts = [strings.joined(0), strings.joined(1), strings.joined(2)];
            let mut said: Vec<&str> = parts.iter().map(|part| part.trim()).collect();
            said.retain(|part| !part.is_empty());
            said.dedup();
            let line = said.join(", ");
            if !line.is_empty() && !products.contains(&line) {
                products.push(line);
            }
        }
    }
    for product in products {
        told += &lines(&[("Product", product)]);
    }
    pages::all(&[told], limits, on_page)
}

/// `#7=PRODUCT('id','name','description',…)`, however it is spaced.
fn product(statement: &str) -> Option<&str> {
    let (_, value) = statement.strip_prefix('#')?.split_once('=')?;
    let arguments = value.trim_start().strip_prefix("PRODUCT")?;
    arguments.trim_start().starts_with('(').then_some(arguments)
}

/// The statements of a file, without strings and comments ending them.
struct Statements<'a> {
    rest: &'a str,
}

impl<'a> Statements<'a> {
    fn of(file: &'a str) -> Self {
        Self { rest: file }
    }
}

impl<'a> Iterator for Statements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start();
        while let Some(comment) = self.rest.strip_prefix("/*") {
            let (_, after) = comment.split_once("*/")?;
            self.rest = after.trim_start();
        }
        if self.rest.is_empty() {
            return None;
        }
        let mut quoted = false;
        let end = self.rest.bytes().position(|byte| {
            quoted ^= byte == b'\'';
            byte == b';' && !quoted
        });
        let statement = self.rest.get(..end.unwrap_or(self.rest.len()))?;
        self.rest = self.rest.get(statement.len() + 1..).unwrap_or_default();
        Some(statement)
    }
}

/// The strings among a statement's arguments, by the place of the argument.
struct Arguments(Vec<(usize, String)>);

impl Arguments {
    fn of(text: &str) -> Self {
        let mut strings = Vec::new();
        let (mut depth, mut place) = (0_usize, 0_usize);
        let mut rest = text;
        while let Some(at) = rest.find(['(', ')', ',', '\'']) {
            let mark = rest.as_bytes().get(at).copied().unwrap_or(0);
            rest = rest.get(at + 1..).unwrap_or_default();
            match mark {
                b'(' => depth = depth.saturating_add(1),
                b')' => depth = depth.saturating_sub(1),
                b',' if depth == 1 => place += 1,
                b'\'' => {
                    let (string, after) = quoted(rest);
                    rest = after;
                    strings.push((place, decoded(&string)));
                }
                _ => {}
            }
            if strings.len() >= MOST_STRINGS {
                break;
            }
        }
        Self(strings)
    }

    fn joined(&self, place: usize) -> String {
        let of_it = self.0.iter().filter(|(at, _)| *at == place);
        let strings: Vec<&str> = of_it.map(|(_, string)| string.as_str()).collect();
        strings.join("; ")
    }
}

/// A string up to its closing quote, of which two stand for one, and what comes after it.
fn quoted(text: &str) -> (String, &str) {
    let mut string = String::new();
    let mut rest = text;
    loop {
        let Some((part, after)) = rest.split_once('\'') else {
            string.push_str(rest);
            return (string, "");
        };
        string.push_str(part);
        match after.strip_prefix('\'') {
            Some(after) => {
                string.push('\'');
                rest = after;
            }
            None => return (string, after),
        }
    }
}

/// Characters that are written as numbers: `\X2\0D05\X0\`, `\X4\…\X0\`, `\X\E9`, `\S\i`.
fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let wide = |mark: &str, digits: usize| {
            let (numbers, after) = after.strip_prefix(mark)?.split_once("\\X0\\")?;
            Some((numbers.to_owned(), digits, after))
        };
        if let Some((numbers, digits, after)) = wide("X2\\", 4).or_else(|| wide("X4\\", 8)) {
            push_wide(&numbers, digits, &mut out);
            rest = after;
        } else if let Some(after) = after.strip_prefix("X\\") {
            let byte = after
                .get(..2)
                .and_then(|hex| u8::from_str_radix(hex, 16).ok());
            out.push(byte.map_or(char::REPLACEMENT_CHARACTER, char::from));
            rest = after.get(2..).unwrap_or_default();
        } else if let Some(after) = after.strip_prefix("S\\") {
            let mut characters = after.chars();
            let low = characters.next().and_then(|c| u8::try_from(c).ok());
            out.push(low.map_or(char::REPLACEMENT_CHARACTER, |c| char::from(c | 0x80)));
            rest = characters.as_str();
        } else if let Some(after) = after.strip_prefix('\\') {
            out.push('\\');
            rest = after;
        } else {
            out.push('\\');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

fn push_wide(numbers: &str, digits: usize, out: &mut String) {
    let units = numbers.as_bytes().chunks(digits).map(|chunk| {
        let hex = std::str::from_utf8(chunk).unwrap_or_default();
        u32::from_str_radix(hex, 16).unwrap_or(0xFFFD)
    });
    if digits == 8 {
        out.extend(units.map(|unit| char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)));
        return;
    }
    let units = units.map(|unit| u16::try_from(unit).unwrap_or(0xFFFD));
    out.extend(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_products() {
        let file = "ISO-10303-21;\nHEADER;\n/* made; by hand */\nFILE_DESCRIPTION(('Bogie; frame','v2'),'2;1');\n\
            FILE_NAME('bogie.stp','2026-01-05T10:00:00',('A. Nair','B'),('KMRL''s depot'),'pre','CAD 7','');\n\
            FILE_SCHEMA(('AP214'));\nENDSEC;\nDATA;\n#1=PRODUCT('P-1','\\X2\\0D2C0D4B0D170D3F\\X0\\','',(#2));\n\
            #2=PRODUCT_CONTEXT('',#3,'mechanical');\n#4 = PRODUCT ( 'P-2' , 'Caf\\X\\E9' , 'x' , (#2) );\nENDSEC;\nEND-ISO-10303-21;";
        let reading = read(file.as_bytes(), &Limits::default(), &mut |_| true).unwrap();
        assert_eq!(
            reading.pages[0].text,
            "Description: Bogie; frame; v2\nFile: bogie.stp\nDate: 2026-01-05T10:00:00\n\
             Author: A. Nair; B\nOrganisation: KMRL's depot\nWritten by: CAD 7\nSchema: AP214\n\
             Product: P-1, ബോഗി\nProduct: P-2, Café, x\n"
        );
    }

    #[test]
    fn what_is_cut_off_gives_what_is_left() {
        let file = "ISO-10303-21;HEADER;FILE_NAME('a.stp','2026";
        let reading = read(file.as_bytes(), &Limits::default(), &mut |_| true).unwrap();
        assert_eq!(reading.pages[0].text, "File: a.stp\nDate: 2026\n");
    }
}
