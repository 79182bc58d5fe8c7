//! Small documents made in code, for tests. This module must not be compiled into a program.

pub mod office;

use std::fmt::Write;

/// A valid PDF of one page for each text, in Helvetica, a line of the page for each line of
/// the text. A line that is not ASCII is shown as question marks and read through ActualText,
/// as shaped scripts are. An empty text makes a page that draws nothing.
pub fn pdf(pages: &[&str]) -> Vec<u8> {
    pdf_of_contents(&pages.iter().map(|text| content(text)).collect::<Vec<_>>())
}

/// A valid PDF of one page for each content stream, with Helvetica as `/F1`.
pub fn pdf_of_contents(contents: &[String]) -> Vec<u8> {
    const FIRST_PAGE: usize = 4;
    let page_number = |index: usize| FIRST_PAGE + 2 * index;
    let kids: String = (0..contents.len())
        .map(|index| format!("{} 0 R ", page_number(index)))
        .collect();
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        format!(
            "<</Type/Pages/Kids[{kids}]/Count {}/MediaBox[0 0 595 842]\
             /Resources<</Font<</F1 3 0 R>>>>>>",
            contents.len()
        ),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_owned(),
    ];
    for (index, content) in contents.iter().enumerate() {
        objects.push(format!(
            "<</Type/Page/Parent 2 0 R/Contents {} 0 R>>",
            page_number(index) + 1
        ));
        objects.push(format!(
            "<</Length {}>>stream\n{content}\nendstream",
            content.len()
        ));
    }
    assemble(&objects).into_bytes()
}

/// Number the objects from 1, the catalog first, and put header, table and trailer around
/// them.
pub fn assemble(objects: &[String]) -> String {
    let mut file = "%PDF-1.7\n".to_owned();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (object, number) in objects.iter().zip(1..) {
        table += &format!("{:010} 00000 n \n", file.len());
        file += &format!("{number} 0 obj\n{object}\nendobj\n");
    }
    let start = file.len();
    format!(
        "{file}{table}trailer\n<</Size {}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n",
        objects.len() + 1
    )
}

fn content(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let lines: String = text.lines().map(show_line).collect();
    format!("BT /F1 12 Tf 14 TL 72 770 Td\n{lines}ET")
}

fn show_line(line: &str) -> String {
    if line.is_ascii() {
        return format!("({}) Tj T*\n", escape(line));
    }
    let placeholder = "?".repeat(line.chars().count());
    format!(
        "/Span <</ActualText {}>> BDC ({placeholder}) Tj EMC T*\n",
        utf16_hex(line)
    )
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('(', "\\(")
        .replace(')', "\\)")
}

/// A PDF text string in UTF-16, as a hexadecimal literal.
pub fn utf16_hex(text: &str) -> String {
    let mut hex = "<FEFF".to_owned();
    for unit in text.encode_utf16() {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{unit:04X}");
    }
    hex + ">"
}
