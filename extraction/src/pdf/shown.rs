//! What has been drawn already: text is drawn again in the same place to fill and then stroke
//! it, to make it bold and to give it a shadow, and was said once. This module owns what counts
//! as a repeat; it must not look at characters beyond their codes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use kurbo::Point;

/// How far from the first a repeat is drawn at most, in ems. The narrowest letter that can
/// stand twice in a row is wider.
const REPEAT_WITHIN: f64 = 0.12;

/// The side of a cell of the page in which one glyph of each kind is remembered, in points.
const CELL: f64 = 4.0;

/// Where glyphs were shown, by what they show and the cell of the page.
#[derive(Default)]
pub(super) struct Shown(HashMap<u64, Point, BuildHasherDefault<Fold>>);

impl Shown {
    /// Note a glyph, given by what it shows and where; whether it was there before.
    pub(super) fn is_repeat(&mut self, glyph: u64, origin: Point, em: f64) -> bool {
        if self.holds(glyph, origin, em) {
            return true;
        }
        self.0
            .insert(key(glyph, cell(origin.x), cell(origin.y)), origin);
        false
    }

    /// Whether a glyph was there before.
    pub(super) fn holds(&self, glyph: u64, origin: Point, em: f64) -> bool {
        let reach = (REPEAT_WITHIN * em).min(CELL / 2.0);
        let near = |at: f64| [cell(at - reach), cell(at + reach)];
        let (columns, rows) = (near(origin.x), near(origin.y));
        for column in columns
            .iter()
            .take(1 + usize::from(columns[0] != columns[1]))
        {
            for row in rows.iter().take(1 + usize::from(rows[0] != rows[1])) {
                let place = self.0.get(&key(glyph, *column, *row));
                if place.is_some_and(|place| place.distance(origin) < reach) {
                    return true;
                }
            }
        }
        false
    }
}

/// The cell of a place, counted from far outside the page so that a cast, which is quicker than
/// rounding down, does the same.
fn cell(at: f64) -> i64 {
    const OUTSIDE: f64 = (1 << 20) as f64;
    (at / CELL + OUTSIDE) as i64
}

fn key(glyph: u64, column: i64, row: i64) -> u64 {
    let mut fold = Fold::default();
    fold.write_u64(glyph);
    fold.write_u64(column as u64);
    fold.write_u64(row as u64);
    fold.finish()
}

/// A fast hash. A collision that an author constructs hides text of that same author only where
/// it lies upon other text, which he could leave out as well.
#[derive(Default)]
pub(super) struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517C_C1B7_2722_0A95);
    }
}
