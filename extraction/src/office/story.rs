//! One flow of text in WordprocessingML or DrawingML: a body, a header, a slide, a list of notes.
//! This module owns what their elements mean as text; it must not know where a part stands in its
//! package.

use crate::blocks::Blocks;
use crate::error::ExtractError;
use crate::limits::Limits;
use crate::xml::{self, Element, Node};

/// What these elements hold is not text that is shown: properties, instructions of fields, what
/// was deleted or moved away, and the second telling of what an older program cannot show.
const SKIPPED: &[&str] = &[
    "pPr",
    "rPr",
    "tblPr",
    "tcPr",
    "trPr",
    "sectPr",
    "instrText",
    "delText",
    "moveFrom",
    "Fallback",
    "tableStyleId",
];

/// A note, comment or other entry of a part that holds many.
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) author: String,
    pub(super) text: String,
}

/// What a part says.
pub(super) struct Story {
    /// Pages, parted where the program that wrote the file broke them.
    pub(super) pages: Vec<String>,
    /// Entries, when the part is a list of them.
    pub(super) entries: Vec<Entry>,
    /// Ids of footnotes, in the order in which they are referred to.
    pub(super) footnotes: Vec<String>,
    /// Ids of endnotes.
    pub(super) endnotes: Vec<String>,
    /// Ids of comments.
    pub(super) comments: Vec<String>,
}

/// Read a part. Elements named `entry` are told apart, where it has such.
pub(super) fn read(
    bytes: &[u8],
    entry: Option<&str>,
    limits: &Limits,
) -> Result<Story, ExtractError> {
    let mut teller = Teller {
        limits,
        flows: vec![Blocks::new(limits)],
        boxes: Vec::new(),
        skipped: None,
        in_text: false,
        entry,
        story: Story {
            pages: Vec::new(),
            entries: Vec::new(),
            footnotes: Vec::new(),
            endnotes: Vec::new(),
            comments: Vec::new(),
        },
    };
    xml::walk(bytes, |node| match node {
        Node::Start(element) => teller.start(&element),
        Node::End(name) => teller.end(name),
        Node::Text(text) if teller.in_text => teller.flow(|blocks| blocks.text(&text)),
        Node::Text(_) => Ok(()),
    })?;
    while teller.flows.len() > 1 {
        teller.end_box()?;
    }
    teller.end_paragraph()?;
    teller.end_page()?;
    Ok(teller.story)
}

struct Teller<'a> {
    limits: &'a Limits,
    /// The text, and the text boxes that are open in it.
    flows: Vec<Blocks>,
    /// Boxes that stand beside the paragraph that is open, by the depth of its flow.
    boxes: Vec<(usize, String)>,
    /// The element that is passed over, and how many of its name are open.
    skipped: Option<(String, usize)>,
    in_text: bool,
    entry: Option<&'a str>,
    story: Story,
}

impl Teller<'_> {
    fn flow(
        &mut self,
        act: impl FnOnce(&mut Blocks) -> Result<(), ExtractError>,
    ) -> Result<(), ExtractError> {
        self.flows.last_mut().map_or(Ok(()), act)
    }

    fn start(&mut self, element: &Element<'_>) -> Result<(), ExtractError> {
        let name = element.name();
        if let Some((skipped, depth)) = &mut self.skipped {
            *depth += usize::from(skipped == name);
            return Ok(());
        }
        if SKIPPED.contains(&name) || (name == "ph" && is_mere_mark(element)) {
            // A placeholder's element is empty; what it marks is the shape around it.
            let whole = if name == "ph" { "sp" } else { name };
            self.skipped = Some((whole.to_owned(), 1));
            return Ok(());
        }
        if Some(name) == self.entry {
            self.story.entries.push(Entry {
                id: element.attribute("id").unwrap_or_default(),
                author: element.attribute("author").unwrap_or_default(),
                text: String::new(),
            });
            return self.flow(Blocks::fresh_line);
        }
        let reference = |ids: &mut Vec<String>| {
            ids.push(element.attribute("id").unwrap_or_default());
            ids.len()
        };
        match name {
            "t" => self.in_text = true,
            "text" => self.in_text = self.entry == Some("cm"),
            "tab" => self.flow(Blocks::tab)?,
            "cr" => self.flow(Blocks::line_break)?,
            "br" if element.attribute("type").as_deref() == Some("page") => self.end_page()?,
            "br" => self.flow(Blocks::line_break)?,
            "lastRenderedPageBreak" => self.end_page()?,
            "noBreakHyphen" => self.flow(|blocks| blocks.text("\u{2011}"))?,
            "tr" => self.flow(Blocks::begin_row)?,
            "tc" => self.flow(Blocks::begin_cell)?,
            "sp" => self.flow(Blocks::fresh_line)?,
            "txbxContent" => self.flows.push(Blocks::new(self.limits)),
            "footnoteReference" => {
                let number = reference(&mut self.story.footnotes);
                self.flow(|blocks| blocks.text(&format!("[{number}]")))?;
            }
            "endnoteReference" => {
                let number = reference(&mut self.story.endnotes);
                self.flow(|blocks| blocks.text(&format!("[e{number}]")))?;
            }
            "commentReference" => {
                reference(&mut self.story.comments);
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), ExtractError> {
        if let Some((skipped, depth)) = &mut self.skipped {
            if skipped == name {
                *depth = depth.saturating_sub(1);
                if *depth == 0 {
                    self.skipped = None;
                }
            }
            return Ok(());
        }
        if Some(name) == self.entry {
            let text = self.flows.last_mut().map(Blocks::take).unwrap_or_default();
            if let Some(entry) = self.story.entries.last_mut() {
                entry.text = text;
            }
            return Ok(());
        }
        match name {
            "t" | "text" => self.in_text = false,
            "p" => self.end_paragraph()?,
            "tc" => self.flow(|blocks| {
                blocks.end_cell();
                Ok(())
            })?,
            "tr" => self.flow(Blocks::end_row)?,
            "txbxContent" => self.end_box()?,
            _ => {}
        }
        Ok(())
    }

    /// A paragraph, then the boxes that stand beside it.
    fn end_paragraph(&mut self) -> Result<(), ExtractError> {
        self.flow(Blocks::end_paragraph)?;
        let depth = self.flows.len();
        // Those of outer flows lie below those of this one.
        let below = self.boxes.iter().rposition(|(of, _)| *of < depth);
        for (_, text) in self.boxes.split_off(below.map_or(0, |at| at + 1)) {
            self.flow(|blocks| {
                blocks.text(&text)?;
                blocks.end_paragraph()
            })?;
        }
        Ok(())
    }

    fn end_box(&mut self) -> Result<(), ExtractError> {
        if self.flows.len() < 2 {
            return Ok(());
        }
        self.end_paragraph()?;
        let text = self.flows.pop().map(|mut blocks| blocks.take());
        let text = text.filter(|text| !text.is_empty());
        self.boxes.extend(text.map(|text| (self.flows.len(), text)));
        Ok(())
    }

    /// A page ends here, if there is anything on it. Inside tables and boxes none does.
    fn end_page(&mut self) -> Result<(), ExtractError> {
        if let [blocks] = self.flows.as_mut_slice()
            && self.entry.is_none()
            && !blocks.in_table()
            && !blocks.is_blank()
        {
            self.story.pages.push(blocks.take());
            self.limits.check_pages(self.story.pages.len())?;
        }
        Ok(())
    }
}

/// Whether a placeholder of a slide holds what is the same on all: its number, or its picture on
/// the page of notes.
fn is_mere_mark(element: &Element<'_>) -> bool {
    matches!(
        element.attribute("type").as_deref(),
        Some("sldNum" | "sldImg")
    )
}
