//! What was recognised in a raster as a page. This module owns how words in tesseract's table
//! become lines, places and confidence; the table is as little to be trusted as the picture.

use std::borrow::Cow;

use super::Frame;
use crate::text::clean;
use crate::{Extraction, Origin, Page, Word};

/// The level of rows that are words, in the first column.
const WORD: &str = "5";

/// A page from the table that tesseract writes (`tsv`) about a raster that lies on it so.
pub fn recognised(number: u32, table: &str, frame: &Frame) -> Page {
    let mut page = Page {
        number,
        text: String::new(),
        origin: Origin::Recognised,
        confidence: 0.0,
        words: Vec::new(),
    };
    let (mut sure, mut characters) = (0.0, 0_usize);
    let mut before: Option<Line<'_>> = None;
    for row in table.lines().filter_map(|row| Row::parse(row, frame)) {
        page.text.push_str(match before {
            None => "",
            Some(line) if line == row.line => " ",
            Some((block, paragraph, _)) if (block, paragraph) == (row.line.0, row.line.1) => "\n",
            Some(_) => "\n\n",
        });
        page.text.push_str(&row.word.text);
        let length = row.word.text.chars().count();
        sure += row.confidence * length as f64;
        characters += length;
        before = Some(row.line);
        page.words.push(row.word);
    }
    if characters > 0 {
        page.text.push('\n');
        page.confidence = sure / characters as f64;
    }
    page
}

/// Block, paragraph and line.
type Line<'a> = (&'a str, &'a str, &'a str);

struct Row<'a> {
    line: Line<'a>,
    word: Word,
    /// From 0 to 1.
    confidence: f64,
}

impl<'a> Row<'a> {
    /// `None` for rows that are no words, and for what is no row.
    fn parse(row: &'a str, frame: &Frame) -> Option<Self> {
        let mut columns = row.splitn(12, '\t');
        let mut next = || columns.next();
        let is_word = next()? == WORD;
        let (_page, block, paragraph, line) = (next()?, next()?, next()?, next()?);
        let _word = next()?;
        let mut length = || next()?.parse::<f32>().ok().filter(|v| v.is_finite());
        let place = [length()?, length()?, length()?, length()?];
        let confidence = length()?;
        let text = atomic_chillus(&clean(next()?.trim())).into_owned();
        if !is_word || text.is_empty() || text.contains(char::is_whitespace) {
            return None;
        }
        let [x, y, width, height] = frame.on_page(place);
        Some(Self {
            line: (block, paragraph, line),
            word: Word {
                text,
                x,
                y,
                width,
                height,
            },
            confidence: f64::from(confidence.clamp(0.0, 100.0)) / 100.0,
        })
    }
}

/// Tesseract was taught on texts older than the characters of their own that Malayalam has for
/// consonants without a vowel, and writes them as three.
fn atomic_chillus(text: &str) -> Cow<'_, str> {
    const CHILLUS: [(&str, &str); 6] = [
        ("ണ്\u{200D}", "ൺ"),
        ("ന്\u{200D}", "ൻ"),
        ("ര്\u{200D}", "ർ"),
        ("ല്\u{200D}", "ൽ"),
        ("ള്\u{200D}", "ൾ"),
        ("ക്\u{200D}", "ൿ"),
    ];
    if !text.contains('\u{200D}') {
        return Cow::Borrowed(text);
    }
    let replace = |text: String, (old, new): (&str, &str)| text.replace(old, new);
    Cow::Owned(CHILLUS.into_iter().fold(text.to_owned(), replace))
}

impl Extraction {
    /// The numbers of the pages whose characters have yet to be recognised.
    pub fn pictures(&self) -> Vec<u32> {
        let pictures = self.pages.iter().filter(|p| p.origin == Origin::Picture);
        pictures.map(|page| page.number).collect()
    }

    /// Put pages that were recognised in the place of pictures, and judge language and confidence
    /// anew. Pages that stay pictures lower the confidence: they show something that is not read.
    #[must_use]
    pub fn with_recognised(mut self, recognised: Vec<Page>) -> Self {
        if recognised.is_empty() {
            return self;
        }
        for page in recognised {
            let place = self.pages.iter_mut().find(|old| old.number == page.number);
            if let Some(old) = place.filter(|old| old.origin == Origin::Picture) {
                *old = page;
            }
        }
        self.judge();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    const TABLE: &str = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n\
        1\t1\t0\t0\t0\t0\t0\t0\t2480\t3508\t-1\t\n\
        4\t1\t1\t1\t1\t0\t300\t300\t900\t60\t-1\t\n\
        5\t1\t1\t1\t1\t1\t300\t300\t400\t60\t90\tJob\n\
        5\t1\t1\t1\t1\t2\t750\t300\t450\t60\t60.5\tതീയതി\n\
        5\t1\t1\t1\t2\t1\t300\t400\t450\t60\t80\tഅവന്\u{200D}\n\
        5\t1\t1\t2\t1\t1\t300\t500\t450\t60\t95\t \n\
        5\t1\t2\t1\t1\t1\t300\t600\t450\t60\t100\tend\n";

    fn page(number: u32, origin: Origin, text: &str, confidence: f64) -> Page {
        Page {
            number,
            text: text.to_owned(),
            origin,
            confidence,
            words: Vec::new(),
        }
    }

    #[test]
    fn words_become_lines_and_paragraphs_with_places_in_points() {
        let page = recognised(4, TABLE, &Frame::upright(300.0 / 72.0));
        assert_eq!(page.text, "Job തീയതി\nഅവൻ\n\nend\n");
        assert_eq!((page.number, page.origin), (4, Origin::Recognised));
        let word = &page.words[1];
        assert_eq!(word.text, "തീയതി");
        let place = [word.x, word.y, word.width, word.height];
        let off = place.iter().zip([180.0, 72.0, 108.0, 14.4]);
        let off = off.map(|(found, right): (&f32, f32)| (found - right).abs());
        assert!(off.fold(0.0, f32::max) < 1e-3, "{place:?}");
        // By characters: 3 of 0.9, 5 of 0.605, 3 of 0.8 and 3 of 1.
        let expected = (3.0 * 0.9 + 5.0 * 0.605 + 3.0 * 0.8 + 3.0) / 14.0;
        assert!(
            (page.confidence - expected).abs() < 1e-6,
            "{}",
            page.confidence
        );
    }

    #[test]
    fn what_is_no_table_gives_an_empty_page() {
        for table in [
            "",
            "5\t1",
            "5\t\t\t\t\t\tNaN\t1\t1\t1\t1\tx",
            "Segmentation fault",
        ] {
            let page = recognised(1, table, &Frame::upright(1.0));
            assert_eq!((page.text.as_str(), page.confidence), ("", 0.0), "{table}");
        }
    }

    #[test]
    fn recognised_pages_take_the_place_of_pictures_only() {
        let extraction = Extraction {
            format: Format::Pdf,
            pages: vec![
                page(1, Origin::Stated, "Stated text", 1.0),
                page(2, Origin::Picture, "", 0.0),
                page(3, Origin::Picture, "", 0.0),
                page(4, Origin::Picture, "", 0.0),
            ],
            language: crate::Language::of(std::iter::empty()),
            confidence: 0.25,
            structure: None,
            children: Vec::new(),
        };
        assert_eq!(extraction.pictures(), [2, 3, 4]);
        let read = extraction.with_recognised(vec![
            page(1, Origin::Recognised, "forged", 1.0),
            page(2, Origin::Recognised, "സുരക്ഷാ നിർദ്ദേശം", 0.8),
            page(3, Origin::Recognised, "", 0.0),
        ]);
        assert_eq!(read.pages[0].text, "Stated text");
        assert_eq!(read.language.code(), "mixed");
        assert_eq!(read.pictures(), [4]);
        // A third of what has to be read was not.
        assert!(
            (0.4..0.67).contains(&read.confidence),
            "{}",
            read.confidence
        );
    }
}
