//! Bytes of a document in, pages of text out.
//!
//! This crate owns what each file format means as text. It must not touch the network, a
//! database, the file system or the clock: it runs in a jailed child process on bytes that
//! nobody has vouched for, so no input may make it panic, and every refusal is an
//! [`ExtractError`] that says what was wrong.
//!
//! [`extract`] is the whole door. Each format is a module that turns bytes into a `Reading`;
//! a better reader of a format replaces that module and nothing else.

mod archive;
mod blocks;
mod child;
mod code_page;
mod confidence;
mod detect;
mod drawing;
mod error;
#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
mod format;
mod helper;
mod html;
pub mod inspect;
mod isolate;
mod language;
mod limits;
mod mail;
mod office;
mod package;
mod pages;
mod pdf;
mod picture;
mod rtf;
mod text;
mod xml;

use serde::{Deserialize, Serialize};

pub use child::Child;
pub use confidence::plausibility;
pub use detect::{content_format, detect};
pub use error::{ExtractError, Quantity};
pub use format::Format;
pub use helper::Helper;
pub use language::Language;
pub use limits::Limits;
pub use pdf::{Content, EmbeddedFile, PdfStructure, embedded_files};
pub use picture::{Frame, Raster, RasterLimits, rasterise, recognised};

/// What is known of a file before it is read.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The whole file.
    pub bytes: &'a [u8],
    /// The name it was uploaded under; only its extension is looked at.
    pub file_name: &'a str,
    /// The media type its sender claimed, used only where bytes and name say nothing.
    pub content_type: Option<&'a str>,
}

/// One page has been read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageProgress {
    /// The page just read, counted from 1.
    pub page: u32,
    /// How many pages the document has.
    pub pages: u32,
}

/// The text of one page.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Page {
    /// Counted from 1.
    pub number: u32,
    /// Lines end in `\n`; tab is the only other control character. U+FFFD stands for what
    /// was shown but cannot be mapped to a character.
    pub text: String,
    /// How the text was come by.
    #[serde(default)]
    pub origin: Origin,
    /// From 0 to 1: how far the text can be trusted to be what the page shows.
    pub confidence: f64,
    /// The words with their places, in the order of the text; empty for formats without places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Word>,
}

impl Page {
    /// A page of a format that states its text and knows no places. Its confidence is the share
    /// of characters that could be mapped.
    pub(crate) fn stated(number: u32, text: String) -> Self {
        let mapped = text.chars().filter(|c| *c != char::REPLACEMENT_CHARACTER);
        let confidence = share(mapped.count(), text.chars().count());
        Self {
            number,
            text,
            origin: Origin::Stated,
            confidence,
            words: Vec::new(),
        }
    }
}

/// How the text of a page was come by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The file states it.
    #[default]
    Stated,
    /// The page shows a picture and states no text: characters have yet to be recognised.
    Picture,
    /// Characters were recognised in a picture.
    Recognised,
}

/// A word and where it stands on its page as shown: in points (1/72 inch), from the top left.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Word {
    /// The word as it stands in the page's text.
    pub text: String,
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

/// What a document says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Extraction {
    /// What the file turned out to be, whatever its name claims.
    pub format: Format,
    /// Every page in order, those without text included.
    pub pages: Vec<Page>,
    /// Judged by the scripts of the letters, and by trigrams.
    pub language: Language,
    /// From 0 to 1: how far the text can be trusted to be what the pages show. Not more than the
    /// reader of the format trusts its reading, and judged by how much the text looks like text:
    /// the module `confidence` defines it.
    pub confidence: f64,
    /// What a PDF holds beside its text; `None` for other formats, and for a PDF
    /// whose structure cannot be read although its text can.
    pub structure: Option<PdfStructure>,
    /// Files inside the document, to become documents of their own. What was over the limits for
    /// them is named in the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Child>,
}

/// What the reader of one format hands back: the seam between formats and this crate's door.
struct Reading {
    pages: Vec<Page>,
    confidence: f64,
    structure: Option<PdfStructure>,
}

/// Called once for each page read; answers whether to go on.
type OnPage<'a> = dyn FnMut(PageProgress) -> bool + 'a;

/// Read the text of a document.
///
/// `on_page` is called once for each page read, on the calling thread; when it answers
/// `false`, reading stops.
///
/// # Errors
///
/// See [`ExtractError`]: every variant can come from here.
pub fn extract(
    input: &Input<'_>,
    limits: &Limits,
    on_page: &mut dyn FnMut(PageProgress) -> bool,
) -> Result<Extraction, ExtractError> {
    let format = detect(input)?;
    let (reading, children) = read(format, input.bytes, limits, on_page)?;
    Ok(judged(format, reading, children))
}

/// Read what the helper of a format made of a document.
///
/// # Errors
///
/// See [`ExtractError`]. [`ExtractError::Unsupported`] when the format has no helper.
pub fn extract_helped(
    format: Format,
    made: &[u8],
    limits: &Limits,
    on_page: &mut dyn FnMut(PageProgress) -> bool,
) -> Result<Extraction, ExtractError> {
    let helper = Helper::of(format).first();
    let helper = helper.ok_or_else(|| ExtractError::Unsupported {
        what: format!("{} has no helper", format.extension()),
    })?;
    let made = helper::without_codes(made);
    let (reading, children) = read(helper.output, &made, limits, on_page)?;
    Ok(judged(format, reading, children))
}

fn judged(format: Format, reading: Reading, children: Vec<Child>) -> Extraction {
    let mut extraction = Extraction {
        format,
        language: Language::of(std::iter::empty()),
        pages: reading.pages,
        confidence: 0.0,
        structure: reading.structure,
        children,
    };
    extraction.judge();
    extraction.confidence = extraction.confidence.min(reading.confidence);
    extraction
}

impl Extraction {
    /// Judges language and confidence by the pages alone: for whoever recognised characters on
    /// pages that were pictures, and so knows more than the reader did.
    pub fn judge(&mut self) {
        self.language = Language::of(self.pages.iter().map(|page| page.text.as_str()));
        self.confidence = confidence::of(&self.pages);
    }
}

/// Read a document of a known format, and take out the files inside it.
fn read(
    format: Format,
    bytes: &[u8],
    limits: &Limits,
    on_page: &mut OnPage<'_>,
) -> Result<(Reading, Vec<Child>), ExtractError> {
    use Format::{
        Bmp, Csv, Doc, Docx, Dwg, Dxf, Eml, Gif, Html, Iges, Jpeg, Json, Markdown, Msg, Odp, Ods,
        Odt, PlainText, Png, Ppt, Pptx, Rtf, Step, Tiff, Webp, Xls, Xlsx, Xml, Zip,
    };
    let alone = |reading: Reading| (reading, Vec::new());
    match format {
        PlainText | Markdown | Csv | Json | Xml => text::read(bytes, limits, on_page).map(alone),
        Doc | Dwg => Err(ExtractError::NeedsHelper { format }),
        _ => isolate::run(on_page, |on_page| match format {
            Jpeg | Png | Gif | Bmp | Tiff | Webp => picture::read(format, bytes, limits).map(alone),
            Eml => mail::eml::read(bytes, limits, on_page),
            Msg => mail::msg::read(bytes, limits, on_page),
            Zip => archive::read(bytes, limits, on_page),
            Docx => office::docx::read(bytes, limits, on_page).map(alone),
            Ppt => office::ppt::read(bytes, limits, on_page).map(alone),
            Pptx => office::pptx::read(bytes, limits, on_page).map(alone),
            Xlsx => office::sheets::xlsx(bytes, limits, on_page).map(alone),
            Xls => office::sheets::xls(bytes, limits, on_page).map(alone),
            Odt | Odp | Ods => {
                office::opendocument::read(bytes, format, limits, on_page).map(alone)
            }
            Html => html::read(bytes, limits, on_page).map(alone),
            Rtf => rtf::read(bytes, limits, on_page).map(alone),
            Dxf => drawing::dxf::read(bytes, limits, on_page).map(alone),
            Step => drawing::step::read(bytes, limits, on_page).map(alone),
            Iges => drawing::iges::read(bytes, limits, on_page).map(alone),
            _ => pdf::read(bytes, limits, on_page).map(alone),
        })
        .map(|(reading, children)| match format {
            Format::Pdf => pdf::with_children(bytes, reading, limits),
            _ => (reading, children),
        }),
    }
}

/// The share of `part` in `whole`, 0 when there is nothing.
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}
