//! What is known of the codes of a font. This module owns how a code is found by its bytes; it
//! must not find out what it means.

use hayro_cmap::BfString;
use kurbo::Vec2;

/// What a code is and reads as.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub code: u32,
    /// The bytes that it takes.
    pub length: usize,
    /// What it reads as; `None` if nobody knows.
    pub reads: Option<BfString>,
    /// Whether the file says that it is a space.
    pub is_space: bool,
    /// How far the text moves on, in thousandths of an em.
    pub advance: f32,
    /// How wide its glyph is, if the font says so.
    pub width: Option<f32>,
    /// Where its glyph begins, from where the text has come to.
    pub displacement: Vec2,
    /// How much its glyph is stretched to be as wide as the file says.
    pub stretch: f64,
}

impl Code {
    /// What tells its glyph from others. Its width tells fonts apart whose subsets use the same
    /// codes.
    pub(super) fn fingerprint(&self) -> u64 {
        let width = self.width.map_or(0, f32::to_bits);
        (u64::from(width) << 32) | u64::from(self.code)
    }

    /// Whether it is the code that is a space whatever the font, to which word spacing is added.
    pub(super) fn is_single_byte_space(&self) -> bool {
        self.code == 32 && self.length == 1
    }
}

/// Codes known, by their bytes. Those of three and four bytes are found out each time.
#[derive(Default)]
pub(super) struct Codes {
    known: Vec<Code>,
    /// The places of codes of one byte.
    single: Row,
    /// The places of codes of two, by the first.
    double: Vec<Option<Box<Row>>>,
}

/// For each byte the place of a code, one more than it is.
struct Row([u32; 256]);

impl Default for Row {
    fn default() -> Self {
        Self([0; 256])
    }
}

impl Row {
    fn get(&self, byte: u8) -> Option<usize> {
        let place = *self.0.get(usize::from(byte))?;
        usize::try_from(place).ok()?.checked_sub(1)
    }

    fn set(&mut self, byte: u8, count: usize) {
        if let Some(place) = self.0.get_mut(usize::from(byte)) {
            *place = u32::try_from(count).unwrap_or(0);
        }
    }
}

impl Codes {
    pub(super) fn get(&self, text: &[u8]) -> Option<&Code> {
        let [first, rest @ ..] = text else {
            return None;
        };
        let place = self.single.get(*first).or_else(|| {
            let row = self.double.get(usize::from(*first))?.as_ref()?;
            row.get(*rest.first()?)
        });
        self.known.get(place?)
    }

    pub(super) fn add(&mut self, text: &[u8], code: &Code) {
        let count = self.known.len() + 1;
        match (code.length, text) {
            (1, [first, ..]) => self.single.set(*first, count),
            (2, [first, second, ..]) => {
                if self.double.is_empty() {
                    self.double.resize_with(256, || None);
                }
                let Some(row) = self.double.get_mut(usize::from(*first)) else {
                    return;
                };
                row.get_or_insert_default().set(*second, count);
            }
            _ => return,
        }
        self.known.push(code.clone());
    }
}
