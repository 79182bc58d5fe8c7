//! OpenDocument's elements as text. This module must not know of packages.

use crate::blocks::Blocks;
use crate::error::ExtractError;
use crate::limits::Limits;
use crate::xml::{self, Element, Node};

/// Spaces or cells that one element may stand for.
const MOST_REPEATED: usize = 64;

/// What these hold is not shown: changes that were made, descriptions for other programs, forms'
/// definitions.
const SKIPPED: &[&str] = &[
    "tracked-changes",
    "forms",
    "event-listeners",
    "scripts",
    "note-citation",
    "sequence-decls",
    "desc",
    "title",
    "date",
];

/// What is read, which says where pages end.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kind {
    /// A text, broken into pages where the program that wrote it did.
    #[default]
    Text,
    /// A page for each slide.
    Slides,
    /// A page for each table.
    Tables,
    /// Headers and footers, which stand among the styles.
    Edges,
}

/// What was read.
#[derive(Default)]
pub(super) struct Flow {
    pub(super) pages: Vec<String>,
    pub(super) headers: Vec<String>,
    pub(super) footers: Vec<String>,
}

impl Flow {
    pub(super) fn read(bytes: &[u8], kind: Kind, limits: &Limits) -> Result<Self, ExtractError> {
        let mut teller = Teller {
            limits,
            kind,
            flows: vec![Open::new(limits)],
            boxes: Vec::new(),
            skipped: None,
            repeats: Vec::new(),
            tables: 0,
            notes: 0,
            in_creator: false,
            flow: Self::default(),
        };
        xml::walk(bytes, |node| match node {
            Node::Start(element) => teller.start(&element),
            Node::End(name) => teller.end(name),
            Node::Text(text) => teller.text(&text),
        })?;
        while teller.flows.len() > 1 {
            teller.end_box()?;
        }
        teller.tell_boxes()?;
        if kind == Kind::Text {
            teller.end_page(false)?;
        }
        Ok(teller.flow)
    }
}

/// A flow of text that is open.
struct Open {
    blocks: Blocks,
    /// Paragraphs inside each other.
    paragraphs: usize,
    /// What is put before its text when it ends.
    title: String,
    /// White space came last, of which one space is kept.
    spaced: bool,
}

impl Open {
    fn new(limits: &Limits) -> Self {
        Self {
            blocks: Blocks::new(limits),
            paragraphs: 0,
            title: String::new(),
            spaced: true,
        }
    }
}

struct Teller<'a> {
    limits: &'a Limits,
    kind: Kind,
    flows: Vec<Open>,
    boxes: Vec<(usize, String)>,
    skipped: Option<(String, usize)>,
    /// For each open cell, how many cells it stands for.
    repeats: Vec<usize>,
    tables: usize,
    notes: usize,
    in_creator: bool,
    flow: Flow,
}

impl Teller<'_> {
    fn blocks(
        &mut self,
        act: impl FnOnce(&mut Blocks) -> Result<(), ExtractError>,
    ) -> Result<(), ExtractError> {
        self.flows
            .last_mut()
            .map_or(Ok(()), |open| act(&mut open.blocks))
    }

    /// Runs of white space in the file are one space; more of it has elements of its own.
    fn text(&mut self, text: &str) -> Result<(), ExtractError> {
        let Some(open) = self.flows.last_mut() else {
            return Ok(());
        };
        if self.skipped.is_some() {
            return Ok(());
        }
        if self.in_creator {
            open.title.push_str(text);
            return Ok(());
        }
        if open.paragraphs == 0 {
            return Ok(());
        }
        let mut collapsed = String::with_capacity(text.len());
        for character in text.chars() {
            let is_space = matches!(character, ' ' | '\t' | '\n' | '\r');
            match (is_space, open.spaced) {
                (true, true) => {}
                (true, false) => collapsed.push(' '),
                (false, _) => collapsed.push(character),
            }
            open.spaced = is_space;
        }
        open.blocks.text(&collapsed)
    }

    fn start(&mut self, element: &Element<'_>) -> Result<(), ExtractError> {
        let name = element.name();
        if let Some((skipped, depth)) = &mut self.skipped {
            *depth += usize::from(skipped == name);
            return Ok(());
        }
        if SKIPPED.contains(&name) {
            self.skipped = Some((name.to_owned(), 1));
            return Ok(());
        }
        match name {
            "p" | "h" => {
                if let Some(open) = self.flows.last_mut() {
                    open.paragraphs += 1;
                    open.spaced = true;
                }
            }
            "s" => {
                let count = element.number("c").unwrap_or(1).min(MOST_REPEATED);
                self.blocks(|blocks| blocks.text(&" ".repeat(count)))?;
            }
            "tab" => self.blocks(Blocks::tab)?,
            "line-break" => self.blocks(Blocks::line_break)?,
            "soft-page-break" if self.kind == Kind::Text => self.end_page(false)?,
            "table" => self.start_table(element)?,
            "table-row" => self.blocks(Blocks::begin_row)?,
            "table-cell" | "covered-table-cell" => {
                let repeated = element.number("number-columns-repeated").unwrap_or(1);
                self.repeats.push(repeated.min(MOST_REPEATED));
                self.blocks(Blocks::begin_cell)?;
            }
            "text-box" => self.flows.push(Open::new(self.limits)),
            "annotation" => self.open("[".to_owned()),
            "creator" => self.in_creator = true,
            "note" => {
                self.notes += 1;
                let mark = format!("[{}]", self.notes);
                self.blocks(|blocks| blocks.text(&mark))?;
            }
            "note-body" => self.open(format!("[{}] ", self.notes)),
            "notes" => self.open("Notes: ".to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, title: String) {
        let mut open = Open::new(self.limits);
        open.title = title;
        self.flows.push(open);
    }

    fn start_table(&mut self, element: &Element<'_>) -> Result<(), ExtractError> {
        self.tables += 1;
        if self.kind == Kind::Tables && self.tables == 1 {
            let name = element.attribute("name").unwrap_or_default();
            self.blocks(|blocks| {
                blocks.text(&name)?;
                blocks.end_paragraph()
            })?;
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
        match name {
            "p" | "h" => self.end_paragraph()?,
            "table-cell" | "covered-table-cell" => self.end_cell()?,
            "table-row" => self.blocks(Blocks::end_row)?,
            "table" => {
                self.tables = self.tables.saturating_sub(1);
                if self.kind == Kind::Tables && self.tables == 0 {
                    self.end_page(true)?;
                }
            }
            "creator" => {
                self.in_creator = false;
                if let Some(open) = self.flows.last_mut() {
                    open.title.push_str("] ");
                }
            }
            "text-box" | "annotation" | "note-body" | "notes" => self.end_box()?,
            "page" if self.kind == Kind::Slides => self.end_page(true)?,
            "header" | "header-first" | "header-left" | "footer" | "footer-first"
            | "footer-left"
                if self.kind == Kind::Edges =>
            {
                self.end_edge(name.starts_with("header"));
            }
            _ => {}
        }
        Ok(())
    }

    fn end_cell(&mut self) -> Result<(), ExtractError> {
        let repeated = self.repeats.pop().unwrap_or(1);
        self.blocks(|blocks| {
            blocks.end_cell();
            for _ in 1..repeated {
                blocks.begin_cell()?;
                blocks.end_cell();
            }
            Ok(())
        })
    }

    fn end_paragraph(&mut self) -> Result<(), ExtractError> {
        if let Some(open) = self.flows.last_mut() {
            open.paragraphs = open.paragraphs.saturating_sub(1);
        }
        self.blocks(Blocks::end_paragraph)?;
        self.tell_boxes()
    }

    /// The boxes that stand beside what has just been told.
    fn tell_boxes(&mut self) -> Result<(), ExtractError> {
        let depth = self.flows.len();
        // Those of outer flows lie below those of this one.
        let below = self.boxes.iter().rposition(|(of, _)| *of < depth);
        for (_, text) in self.boxes.split_off(below.map_or(0, |at| at + 1)) {
            self.blocks(|blocks| {
                blocks.text(&text)?;
                blocks.end_paragraph()
            })?;
        }
        Ok(())
    }

    /// A box stands beside the paragraph that is open around it, or for itself.
    fn end_box(&mut self) -> Result<(), ExtractError> {
        if self.flows.len() < 2 {
            return Ok(());
        }
        self.tell_boxes()?;
        let Some(mut open) = self.flows.pop() else {
            return Ok(());
        };
        let text = open.blocks.take();
        if !text.is_empty() {
            let text = format!("{}{text}", open.title);
            self.boxes.push((self.flows.len(), text));
        }
        if self.flows.last().is_some_and(|open| open.paragraphs == 0) {
            self.blocks(Blocks::fresh_line)?;
            self.tell_boxes()?;
        }
        Ok(())
    }

    /// A page ends, if there is anything on it or it is to be there all the same.
    fn end_page(&mut self, blank_too: bool) -> Result<(), ExtractError> {
        if let [open] = self.flows.as_mut_slice()
            && !open.blocks.in_table()
            && (blank_too || !open.blocks.is_blank())
        {
            self.flow.pages.push(open.blocks.take());
            self.limits.check_pages(self.flow.pages.len())?;
        }
        Ok(())
    }

    fn end_edge(&mut self, is_header: bool) {
        let text = self.flows.last_mut().map(|open| open.blocks.take());
        let edges = if is_header {
            &mut self.flow.headers
        } else {
            &mut self.flow.footers
        };
        edges.extend(text.filter(|text| !text.is_empty() && !edges.contains(text)));
    }
}
