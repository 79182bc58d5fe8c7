//! Workbooks (xlsx, xls): a page for each sheet, its name first, then a line for each row that
//! holds something, with its cells between tabs. This module owns how values are shown; formulas
//! are shown by their last result.

use std::io::Cursor;

use calamine::{Data, DataRef, ExcelDateTime, Reader as _, Xls, XlsError, Xlsx};

use super::parts;
use super::story;
use crate::error::ExtractError;
use crate::limits::Limits;
use crate::package::Package;
use crate::pages::Pages;
use crate::{OnPage, Reading};

/// Empty cells in a row that are shown as such. More are a gap.
const WIDEST_GAP: u32 = 64;

pub(crate) fn xlsx(
    bytes: &[u8],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<Reading, ExtractError> {
    let mut package = super::package(bytes, limits)?;
    // The library unpacks by itself, and without a limit.
    package.measure()?;
    let mut workbook: Xlsx<_> =
        Xlsx::new(Cursor::new(bytes)).map_err(|_| ExtractError::damaged(UNREADABLE))?;
    let names = workbook.sheet_names();
    let mut beside = beside(&mut package, limits)?.into_iter();
    let mut pages = Pages::of(names.len(), limits, on_page)?;
    for name in names {
        let mut sheet = Sheet::new(&name, limits);
        // A sheet of charts has no cells.
        if let Ok(mut cells) = workbook.worksheet_cells_reader(&name) {
            loop {
                match cells.next_cell() {
                    Ok(Some(cell)) => {
                        let (row, column) = cell.get_position();
                        sheet.cell(row, column, &shown_ref(cell.get_value()))?;
                    }
                    Ok(None) => break,
                    Err(_) => return Err(ExtractError::damaged(UNREADABLE)),
                }
            }
        }
        let mut text = sheet.text;
        for part in beside.next().unwrap_or_default() {
            text.push('\n');
            text.push_str(&part);
        }
        pages.add(&text)?;
    }
    Ok(pages.finish())
}

const UNREADABLE: &str = "it cannot be read as a workbook";

/// Comments and text boxes of each sheet, in the order of the sheets.
fn beside(package: &mut Package<'_>, limits: &Limits) -> Result<Vec<Vec<String>>, ExtractError> {
    use crate::xml::{self, Node};
    let main = parts::main(package, "xl/workbook.xml")?;
    let relations = parts::relations(package, &main)?;
    let mut sheets = Vec::new();
    xml::walk(&package.demand(&main)?, |node| {
        if let Node::Start(element) = node
            && element.name() == "sheet"
        {
            let id = element.prefixed("id").unwrap_or_default();
            let to = relations.iter().find(|to| to.id == id);
            sheets.push(to.map(|to| to.target.clone()));
        }
        Ok(())
    })?;
    limits.check_pages(sheets.len())?;
    let mut all = Vec::new();
    for sheet in sheets {
        let mut texts = Vec::new();
        for relation in parts::relations(package, &sheet.unwrap_or_default())? {
            let entry = match relation.kind.as_str() {
                "comments" => Some("comment"),
                "drawing" => None,
                _ => continue,
            };
            let Some(bytes) = package.read(&relation.target)? else {
                continue;
            };
            let story = match story::read(&bytes, entry, limits) {
                Err(ExtractError::Damaged { .. }) => continue,
                story => story?,
            };
            let entries = story.entries.into_iter().map(|entry| entry.text);
            texts.extend(entries.chain(story.pages).filter(|text| !text.is_empty()));
        }
        all.push(texts);
    }
    Ok(all)
}

pub(crate) fn xls(
    bytes: &[u8],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<Reading, ExtractError> {
    let mut workbook: Xls<_> = Xls::new(Cursor::new(bytes)).map_err(|error| match error {
        XlsError::Password => ExtractError::Encrypted,
        _ => ExtractError::damaged(UNREADABLE),
    })?;
    let names = workbook.sheet_names();
    let mut pages = Pages::of(names.len(), limits, on_page)?;
    for name in names {
        let mut sheet = Sheet::new(&name, limits);
        if let Ok(range) = workbook.worksheet_range(&name) {
            let (top, left) = range.start().unwrap_or_default();
            for (row, column, value) in range.used_cells() {
                let at = |from: u32, by: usize| {
                    from.saturating_add(u32::try_from(by).unwrap_or(u32::MAX))
                };
                sheet.cell(at(top, row), at(left, column), &shown(value))?;
            }
        }
        pages.add(&sheet.text)?;
    }
    Ok(pages.finish())
}

/// A sheet being written.
struct Sheet<'a> {
    text: String,
    characters: usize,
    limits: &'a Limits,
    row: Option<u32>,
    column: u32,
}

impl<'a> Sheet<'a> {
    fn new(name: &str, limits: &'a Limits) -> Self {
        Self {
            text: name.to_owned(),
            characters: name.chars().count(),
            limits,
            row: None,
            column: 0,
        }
    }

    fn cell(&mut self, row: u32, column: u32, value: &str) -> Result<(), ExtractError> {
        let value = value.trim();
        if value.is_empty() {
            return Ok(());
        }
        if self.row != Some(row) {
            self.text.push('\n');
            self.row = Some(row);
            self.column = 0;
        }
        let gap = column.saturating_sub(self.column).min(WIDEST_GAP);
        self.text.extend((0..gap).map(|_| '\t'));
        self.column = self.column.max(column);
        let before = self.text.len();
        self.text
            .extend(value.chars().map(|c| if c.is_control() { ' ' } else { c }));
        let written = self.text.get(before..).unwrap_or_default().chars().count();
        self.characters = self
            .characters
            .saturating_add(written + 1)
            .saturating_add(usize::try_from(gap).unwrap_or(usize::MAX));
        self.limits.check_characters(self.characters)
    }
}

fn shown_ref(value: &DataRef<'_>) -> String {
    match value {
        DataRef::SharedString(text) => (*text).to_owned(),
        other => shown(&Data::from(other.clone())),
    }
}

fn shown(value: &Data) -> String {
    match value {
        Data::Empty => String::new(),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Int(number) => number.to_string(),
        Data::Float(number) => number_shown(*number),
        Data::Bool(true) => "TRUE".to_owned(),
        Data::Bool(false) => "FALSE".to_owned(),
        Data::DateTime(time) => time_shown(*time),
        Data::Error(error) => error.to_string(),
    }
}

/// With the 15 digits that a workbook keeps, so that 0.1 + 0.2 is 0.3.
fn number_shown(number: f64) -> String {
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    if rounded != 0.0 && !(1e-6..1e21).contains(&rounded.abs()) {
        format!("{rounded:e}")
    } else {
        rounded.to_string()
    }
}

/// ISO 8601, as far as there is a date and a time of day in it.
fn time_shown(time: ExcelDateTime) -> String {
    let value = time.as_f64();
    if time.is_duration() {
        let seconds = (value * 86_400.0).round();
        let (sign, seconds) = (if seconds < 0.0 { "-" } else { "" }, seconds.abs() as u64);
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        return format!("{sign}{hours}:{minutes:02}:{:02}", seconds % 60);
    }
    let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    let clock = if second == 0 {
        format!("{hour:02}:{minute:02}")
    } else {
        format!("{hour:02}:{minute:02}:{second:02}")
    };
    match (value < 1.0, value.fract() == 0.0) {
        (true, _) => clock,
        (false, true) => date,
        (false, false) => format!("{date} {clock}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calamine::ExcelDateTimeType;

    #[test]
    fn numbers_and_times_are_readable() {
        assert_eq!(number_shown(0.1 + 0.2), "0.3");
        assert_eq!(number_shown(1_234_567.0), "1234567");
        assert_eq!(number_shown(-0.5), "-0.5");
        assert_eq!(number_shown(1e300), "1e300");
        let time = |value, kind| time_shown(ExcelDateTime::new(value, kind, false));
        assert_eq!(time(45_943.0, ExcelDateTimeType::DateTime), "2025-10-13");
        assert_eq!(
            time(45_943.5, ExcelDateTimeType::DateTime),
            "2025-10-13 12:00"
        );
        assert_eq!(time(0.25, ExcelDateTimeType::DateTime), "06:00");
        assert_eq!(time(1.5, ExcelDateTimeType::TimeDelta), "36:00:00");
    }
}
