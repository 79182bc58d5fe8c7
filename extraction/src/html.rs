//! HTML as a reader sees it: text without markup, a block a line, a row of a table a line with
//! its cells between tabs. This module must not fetch anything, and needs no tree: tags are taken
//! as they come, so nothing can be nested too deeply.

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{StartTag, Token, Tokenizer};

use crate::blocks::Blocks;
use crate::error::ExtractError;
use crate::limits::Limits;
use crate::{OnPage, Reading, pages, text};

/// What these hold is not shown.
const UNSHOWN: &[&[u8]] = &[
    b"script",
    b"style",
    b"template",
    b"noscript",
    b"noframes",
    b"noembed",
    b"iframe",
    b"object",
    b"svg",
    b"math",
    b"select",
    b"datalist",
];

/// What begins and ends a line.
const BLOCKS: &[&[u8]] = &[
    b"p",
    b"div",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"ul",
    b"ol",
    b"dl",
    b"dt",
    b"dd",
    b"li",
    b"table",
    b"caption",
    b"blockquote",
    b"pre",
    b"form",
    b"fieldset",
    b"section",
    b"article",
    b"aside",
    b"header",
    b"footer",
    b"main",
    b"nav",
    b"figure",
    b"figcaption",
    b"address",
    b"hr",
    b"title",
    b"body",
];

pub(crate) fn read(
    bytes: &[u8],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<Reading, ExtractError> {
    limits.check_characters(bytes.len() / 16)?;
    let markup = text::decode(bytes);
    text::refuse_binary(&markup)?;
    let shown = shown(&markup, limits)?;
    pages::all(&[shown], limits, on_page)
}

/// The text that is shown.
pub(crate) fn shown(markup: &str, limits: &Limits) -> Result<String, ExtractError> {
    let mut emitter = DefaultEmitter::default();
    // As a browser does: what a script holds is not markup.
    emitter.naively_switch_states(true);
    let mut page = Page {
        blocks: Blocks::new(limits),
        unshown: None,
        spaced: true,
        preformatted: 0,
        rows: 0,
        cells: 0,
    };
    for token in Tokenizer::new_with_emitter(markup, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => page.start(&tag)?,
            Token::EndTag(tag) => page.end(&tag.name)?,
            Token::String(string) => page.text(&String::from_utf8_lossy(&string))?,
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    page.end_table()?;
    Ok(page.blocks.take())
}

struct Page {
    blocks: Blocks,
    /// The element whose content is not shown, and how many of its name are open.
    unshown: Option<(Vec<u8>, usize)>,
    /// White space came last, of which one space is kept.
    spaced: bool,
    preformatted: usize,
    rows: usize,
    cells: usize,
}

impl Page {
    fn text(&mut self, text: &str) -> Result<(), ExtractError> {
        if self.unshown.is_some() {
            return Ok(());
        }
        if self.preformatted > 0 {
            self.spaced = text.ends_with(char::is_whitespace);
            return self.blocks.text(text);
        }
        let mut collapsed = String::with_capacity(text.len());
        for character in text.chars() {
            let is_space = character.is_ascii_whitespace();
            match (is_space, self.spaced) {
                (true, true) => {}
                (true, false) => collapsed.push(' '),
                (false, _) => collapsed.push(character),
            }
            self.spaced = is_space;
        }
        self.blocks.text(&collapsed)
    }

    fn start(&mut self, tag: &StartTag<()>) -> Result<(), ExtractError> {
        let name = tag.name.as_slice();
        if let Some((unshown, depth)) = &mut self.unshown {
            *depth += usize::from(unshown == name && !tag.self_closing);
            return Ok(());
        }
        if UNSHOWN.contains(&name) {
            if !tag.self_closing {
                self.unshown = Some((name.to_vec(), 1));
            }
            return Ok(());
        }
        match name {
            b"br" => {
                self.spaced = true;
                self.blocks.line_break()?;
            }
            b"tr" => self.start_row()?,
            b"td" | b"th" => self.start_cell()?,
            b"pre" => self.preformatted += 1,
            _ => {}
        }
        if BLOCKS.contains(&name) {
            self.spaced = true;
            self.blocks.fresh_line()?;
        }
        if name == b"li" {
            self.blocks.text("- ")?;
        }
        Ok(())
    }

    fn end(&mut self, name: &[u8]) -> Result<(), ExtractError> {
        if let Some((unshown, depth)) = &mut self.unshown {
            if unshown == name {
                *depth = depth.saturating_sub(1);
                if *depth == 0 {
                    self.unshown = None;
                }
            }
            return Ok(());
        }
        match name {
            b"td" | b"th" => self.end_cells(),
            b"tr" => self.end_row()?,
            b"table" => self.end_table()?,
            b"pre" => self.preformatted = self.preformatted.saturating_sub(1),
            _ => {}
        }
        if BLOCKS.contains(&name) {
            self.spaced = true;
            self.blocks.fresh_line()?;
        }
        Ok(())
    }

    /// Tables inside tables are mostly layout: their rows are rows of the page, and the row around
    /// them ends where they begin.
    fn start_row(&mut self) -> Result<(), ExtractError> {
        self.end_row()?;
        self.rows = 1;
        self.spaced = true;
        self.blocks.begin_row()
    }

    fn start_cell(&mut self) -> Result<(), ExtractError> {
        if self.rows == 0 {
            self.start_row()?;
        }
        self.end_cells();
        self.cells = 1;
        self.spaced = true;
        self.blocks.begin_cell()
    }

    fn end_cells(&mut self) {
        if std::mem::take(&mut self.cells) > 0 {
            self.blocks.end_cell();
        }
    }

    fn end_row(&mut self) -> Result<(), ExtractError> {
        self.end_cells();
        if std::mem::take(&mut self.rows) > 0 {
            self.spaced = true;
            self.blocks.end_row()?;
        }
        Ok(())
    }

    fn end_table(&mut self) -> Result<(), ExtractError> {
        self.end_row()
    }
}

#[cfg(test)]
mod tests {
    use super::shown;
    use crate::Limits;

    fn of(markup: &str) -> String {
        shown(markup, &Limits::default()).unwrap()
    }

    #[test]
    fn text_comes_out_and_markup_does_not() {
        assert_eq!(
            of(
                "<!doctype html><html><head><title>നോട്ടീസ്</title><style>p{a:b}</style>\
                 <script>if (a<b) document.write('<p>no</p>')</script></head><body><h1>Safety\n  \
                 circular</h1><p>Brakes &amp; doors:<br>both <b>sets</b></p><ul><li>one<li>two</ul>\
                 <!-- <p>gone</p> -->after"
            ),
            "നോട്ടീസ്\nSafety circular\nBrakes & doors:\nboth sets\n- one\n- two\nafter"
        );
    }

    #[test]
    fn a_row_is_a_line() {
        assert_eq!(
            of(
                "<table><tr><th>Part<th>Qty</tr><tr><td>Brake<br>pad</td><td><p>2</p></td></tr>\
                <tr><td></td><td>x</table>end"
            ),
            "Part\tQty\nBrake pad\t2\n\tx\nend"
        );
        assert_eq!(
            of("<table><tr><td>a<table><tr><td>b</table></table>c"),
            "a\nb\nc"
        );
    }

    #[test]
    fn preformatted_text_keeps_its_lines() {
        assert_eq!(of("<pre>a  b\n  c</pre>d"), "a  b\n  c\nd");
    }
}
