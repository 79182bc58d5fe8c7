//! Paragraphs and tables as lines of text. This module owns how they are laid out (a paragraph a
//! line, a row of a table a line with its cells between tabs) and the limit on characters; it
//! must not know where they come from.

use crate::error::{ExtractError, Quantity};
use crate::limits::Limits;

/// Text being written.
pub(crate) struct Blocks {
    out: String,
    characters: usize,
    limit: usize,
    /// Where the line of the current row began.
    row_start: usize,
    /// Whether the current row has a cell already.
    row_has_cell: bool,
    /// Cells inside each other that are open.
    cells: usize,
    /// Rows inside each other that are open.
    rows: usize,
    /// Something ended in a cell: a space before what comes next.
    space_due: bool,
}

impl Blocks {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            out: String::new(),
            characters: 0,
            limit: limits.max_characters,
            row_start: 0,
            row_has_cell: false,
            cells: 0,
            rows: 0,
            space_due: false,
        }
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.out.trim().is_empty()
    }

    pub(crate) fn in_table(&self) -> bool {
        self.rows > 0
    }

    /// Add running text. In a cell its line breaks and tabs are spaces.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), ExtractError> {
        if text.is_empty() {
            return Ok(());
        }
        if std::mem::take(&mut self.space_due)
            && !self.out.ends_with([' ', '\t', '\n'])
            && !self.out.is_empty()
        {
            self.push(" ")?;
        }
        if self.rows > 0 && text.contains(['\n', '\t', '\r']) {
            return self.push(&text.replace(['\n', '\t', '\r'], " "));
        }
        self.push(text)
    }

    fn push(&mut self, text: &str) -> Result<(), ExtractError> {
        self.characters = self.characters.saturating_add(text.chars().count());
        if self.characters > self.limit {
            return Err(ExtractError::TooLarge {
                limit: self.limit as u64,
                of: Quantity::Characters,
            });
        }
        self.out.push_str(text);
        Ok(())
    }

    pub(crate) fn tab(&mut self) -> Result<(), ExtractError> {
        if self.rows > 0 {
            self.space_due = true;
            return Ok(());
        }
        self.push("\t")
    }

    /// A line ends inside a paragraph.
    pub(crate) fn line_break(&mut self) -> Result<(), ExtractError> {
        if self.rows > 0 {
            self.space_due = true;
            return Ok(());
        }
        self.push("\n")
    }

    /// A paragraph ends. Of empty ones that follow each other one is kept.
    pub(crate) fn end_paragraph(&mut self) -> Result<(), ExtractError> {
        if self.rows > 0 {
            self.space_due = true;
            return Ok(());
        }
        if self.out.is_empty() || self.out.ends_with("\n\n") {
            return Ok(());
        }
        self.push("\n")
    }

    /// What comes next begins a line.
    pub(crate) fn fresh_line(&mut self) -> Result<(), ExtractError> {
        if self.rows > 0 {
            self.space_due = true;
            return Ok(());
        }
        if self.out.is_empty() || self.out.ends_with('\n') {
            return Ok(());
        }
        self.push("\n")
    }

    pub(crate) fn begin_row(&mut self) -> Result<(), ExtractError> {
        if self.rows == 0 {
            self.fresh_line()?;
            self.row_start = self.out.len();
            self.row_has_cell = false;
            self.space_due = false;
        }
        self.rows += 1;
        Ok(())
    }

    pub(crate) fn begin_cell(&mut self) -> Result<(), ExtractError> {
        if self.cells == 0 && self.rows > 0 {
            if self.row_has_cell {
                self.push("\t")?;
            }
            self.row_has_cell = true;
            self.space_due = false;
        } else {
            self.space_due = true;
        }
        self.cells += 1;
        Ok(())
    }

    pub(crate) fn end_cell(&mut self) {
        self.cells = self.cells.saturating_sub(1);
        self.space_due = self.cells > 0;
    }

    pub(crate) fn end_row(&mut self) -> Result<(), ExtractError> {
        self.rows = self.rows.saturating_sub(1);
        if self.rows > 0 {
            self.space_due = true;
            return Ok(());
        }
        self.cells = 0;
        self.space_due = false;
        let line = self.out.get(self.row_start..).unwrap_or_default();
        let kept = self.row_start + line.trim_end_matches(['\t', ' ']).len();
        self.out.truncate(kept);
        if kept > self.row_start {
            self.push("\n")?;
        }
        Ok(())
    }

    /// The text so far, without blank lines around it. What follows starts anew, within the same
    /// limit.
    pub(crate) fn take(&mut self) -> String {
        self.space_due = false;
        self.row_start = 0;
        let text = std::mem::take(&mut self.out);
        text.trim_matches('\n').trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(limit: usize) -> Blocks {
        Blocks::new(&Limits {
            max_characters: limit,
            ..Limits::default()
        })
    }

    fn cell(blocks: &mut Blocks, text: &str) {
        blocks.begin_cell().unwrap();
        blocks.text(text).unwrap();
        blocks.end_paragraph().unwrap();
        blocks.end_cell();
    }

    #[test]
    fn rows_are_lines_and_cells_stand_between_tabs() {
        let mut b = blocks(999);
        b.text("Before").unwrap();
        b.begin_row().unwrap();
        cell(&mut b, "a");
        cell(&mut b, "");
        cell(&mut b, "two\nlines");
        b.end_row().unwrap();
        b.begin_row().unwrap();
        b.begin_cell().unwrap();
        b.text("outer").unwrap();
        for inner in [["1", "2"], ["3", "4"]] {
            b.begin_row().unwrap();
            inner.into_iter().for_each(|text| cell(&mut b, text));
            b.end_row().unwrap();
        }
        b.end_cell();
        cell(&mut b, "next");
        b.end_row().unwrap();
        b.begin_row().unwrap();
        cell(&mut b, "");
        b.end_row().unwrap();
        b.text("After").unwrap();
        assert_eq!(
            b.take(),
            "Before\na\t\ttwo lines\nouter 1 2 3 4\tnext\nAfter"
        );
    }

    #[test]
    fn the_limit_holds_over_everything_taken() {
        let mut b = blocks(5);
        b.text("123").unwrap();
        assert_eq!(b.take(), "123");
        b.text("45").unwrap();
        assert_eq!(b.text("6").unwrap_err().code(), "too_large");
    }
}
