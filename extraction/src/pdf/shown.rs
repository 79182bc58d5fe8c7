//! What has been drawn already: text is drawn again in the same place to fill and then stroke
//! it, to make it bold and to give it a shadow, and was said once. This module owns what counts
//! as a repeat; it must not look at characters beyond their codes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use kurbo::Point;

/// How far from the first a repeat is drawn at most, in ems. The narrowest letter that can
/// stand twice in a row is wider.
const REPEAT_WITHIN: f64 = 0.12;

/// The side of a cell of the page in which glyphs are remembered, in points.
const CELL: f64 = 8.0;

/// Glyphs remembered of a cell and kind, at most.
const REMEMBERED: usize = 16;

/// Where glyphs were shown, by what they show and the cell of the page.
#[derive(Default)]
pub(super) struct Shown(HashMap<u64, Vec<Point>, BuildHasherDefault<Fold>>);

impl Shown {
    /// Note a glyph, given by what it shows and where; whether it was there before.
    pub(super) fn is_repeat(&mut self, glyph: u64, origin: Point, em: f64) -> bool {
        let reach = (REPEAT_WITHIN * em).min(CELL / 2.0);
        let near = |at: f64| {
            [
                ((at - reach) / CELL).floor() as i64,
                ((at + reach) / CELL).floor() as i64,
            ]
        };
        let (columns, rows) = (near(origin.x), near(origin.y));
        for column in columns
            .iter()
            .take(1 + usize::from(columns[0] != columns[1]))
        {
            for row in rows.iter().take(1 + usize::from(rows[0] != rows[1])) {
                let places = self.0.get(&key(glyph, *column, *row));
                if places
                    .is_some_and(|places| places.iter().any(|place| place.distance(origin) < reach))
                {
                    return true;
                }
            }
        }
        let cell = |at: f64| (at / CELL).floor() as i64;
        let places = self
            .0
            .entry(key(glyph, cell(origin.x), cell(origin.y)))
            .or_default();
        if places.len() < REMEMBERED {
            places.push(origin);
        }
        false
    }
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
