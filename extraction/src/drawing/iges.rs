//! IGES: the remarks and the global section, which say who made a drawing of what. This module
//! must not read geometry.

use super::lines;
use crate::error::ExtractError;
use crate::limits::Limits;
use crate::{OnPage, Reading, pages, text};

/// Columns of a line that hold text; the next one says which section it is of.
const COLUMNS: usize = 72;
/// Characters of the two sections.
const LONGEST: usize = 1_000_000;
/// Parameters of the global section.
const PARAMETERS: usize = 26;

pub(crate) fn read(
    bytes: &[u8],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<Reading, ExtractError> {
    limits.check_decompressed(bytes.len())?;
    let file = text::decode(bytes);
    let (mut remarks, mut global) = (String::new(), String::new());
    for line in file.lines() {
        let mut characters = line.chars();
        let content: String = characters.by_ref().take(COLUMNS).collect();
        match characters.next() {
            Some('S') => {
                remarks.push_str(content.trim_end());
                remarks.push('\n');
            }
            Some('G') => global.push_str(&content),
            // Sections come in this order, and the rest is geometry.
            _ if !global.is_empty() => break,
            _ => {}
        }
        if remarks.len() + global.len() > LONGEST {
            break;
        }
    }
    if global.is_empty() && remarks.is_empty() {
        return Err(ExtractError::damaged("it has no sections of an IGES file"));
    }
    let parameters = parameters(&global);
    let parameter = |number: usize| parameters.get(number - 1).cloned().unwrap_or_default();
    let mut told = remarks.trim().to_owned();
    if !told.is_empty() {
        told.push('\n');
    }
    told += &lines(&[
        ("Product", parameter(3)),
        ("File", parameter(4)),
        ("Written by", parameter(5)),
        ("Date", parameter(18)),
        ("Author", parameter(21)),
        ("Organisation", parameter(22)),
    ]);
    pages::all(&[told], limits, on_page)
}

/// The parameters: strings with their length before them (`4Habcd`), numbers, or nothing. The first
/// two say what parts them and what ends them.
fn parameters(global: &str) -> Vec<String> {
    let characters: Vec<char> = global.chars().collect();
    let (mut separator, mut end) = (',', ';');
    let mut found: Vec<String> = Vec::new();
    let mut at = 0;
    while at < characters.len() && found.len() < PARAMETERS {
        let (value, after) = parameter(&characters, at, separator, end);
        // Each of the two says itself, once it is read.
        match (found.len(), value.chars().next()) {
            (0, Some(said)) => separator = said,
            (1, Some(said)) => end = said,
            _ => {}
        }
        found.push(value);
        match characters.get(after) {
            Some(mark) if *mark == separator => at = after + 1,
            _ => break,
        }
    }
    found
}

/// The parameter that begins at a place, and where it ends.
fn parameter(characters: &[char], at: usize, separator: char, end: char) -> (String, usize) {
    let from = |at: usize| characters.get(at..).unwrap_or_default();
    let blanks = from(at).iter().take_while(|c| **c == ' ').count();
    let start = at + blanks;
    let digits = from(start)
        .iter()
        .take_while(|c| c.is_ascii_digit())
        .count();
    if digits > 0 && digits < 8 && characters.get(start + digits) == Some(&'H') {
        let length: String = from(start).iter().take(digits).collect();
        let length: usize = length.parse().unwrap_or(0);
        let begins = start + digits + 1;
        let value: String = from(begins).iter().take(length).collect();
        let after = begins + value.chars().count();
        let blanks = from(after).iter().take_while(|c| **c == ' ').count();
        return (value, after + blanks);
    }
    let length = from(start)
        .iter()
        .take_while(|c| **c != separator && **c != end)
        .count();
    let value: String = from(start).iter().take(length).collect();
    (value.trim().to_owned(), start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(sections: &[(char, &str)]) -> String {
        let mut lines = String::new();
        for (section, content) in sections {
            let characters: Vec<char> = content.chars().collect();
            for (number, chunk) in characters.chunks(COLUMNS).enumerate() {
                let chunk: String = chunk.iter().collect();
                lines += &format!("{chunk:<72}{section}{:>7}\n", number + 1);
            }
        }
        lines
    }

    #[test]
    fn remarks_and_who_made_it() {
        let global = "1H,,1H;,5HBOGIE,9Hbogie.igs,7HCAD 1.0,3Hpre,32,38,6,308,15,6Hplan,x,1.,2,\
                      2HMM,1,0.01,15H20260105.100000,0.01,100.,7HA, Nair,4HKMRL,11,0;";
        let file = file(&[('S', "ബോഗി ഫ്രെയിം"), ('G', global), ('D', "ignored")]);
        let reading = read(file.as_bytes(), &Limits::default(), &mut |_| true).unwrap();
        assert_eq!(
            reading.pages[0].text,
            "ബോഗി ഫ്രെയിം\nProduct: BOGIE\nFile: bogie.igs\nWritten by: CAD 1.0\n\
             Date: 20260105.100000\nAuthor: A, Nair\nOrganisation: KMRL\n"
        );
    }

    #[test]
    fn lengths_that_lie_end_with_the_section() {
        assert_eq!(parameters("9999999Habc"), ["abc"]);
        assert_eq!(parameters("1H,,1H;,;x"), [",", ";", ""]);
    }
}
