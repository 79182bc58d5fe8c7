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
pub(super) struct Shown {
    /// Where anything begins at all: nearly everything stands where nothing else does.
    taken: Taken,
    /// What has been shown and is not in `cells` yet, as nobody had to ask.
    pending: Vec<(u64, Point)>,
    cells: HashMap<u64, Point, BuildHasherDefault<Fold>>,
}

impl Shown {
    /// Note a glyph, given by what it shows and where; whether it was there before.
    pub(super) fn is_repeat(&mut self, glyph: u64, origin: Point, em: f64) -> bool {
        if self.holds(glyph, origin, em) {
            return true;
        }
        self.taken.take(origin);
        self.pending.push((glyph, origin));
        false
    }

    /// Whether a glyph was there before.
    pub(super) fn holds(&mut self, glyph: u64, origin: Point, em: f64) -> bool {
        let reach = (REPEAT_WITHIN * em).min(CELL / 2.0);
        if !self.taken.near(origin, reach) {
            return false;
        }
        for (glyph, origin) in self.pending.drain(..) {
            let key = key(glyph, cell(origin.x), cell(origin.y));
            self.cells.insert(key, origin);
        }
        self.is_near(glyph, origin, reach)
    }

    fn is_near(&self, glyph: u64, origin: Point, reach: f64) -> bool {
        let near = |at: f64| [cell(at - reach), cell(at + reach)];
        let (columns, rows) = (near(origin.x), near(origin.y));
        for column in columns
            .iter()
            .take(1 + usize::from(columns[0] != columns[1]))
        {
            for row in rows.iter().take(1 + usize::from(rows[0] != rows[1])) {
                let place = self.cells.get(&key(glyph, *column, *row));
                if place.is_some_and(|place| place.distance(origin) < reach) {
                    return true;
                }
            }
        }
        false
    }
}

/// The squares of the page, a point wide, in which anything begins; those outside of a large page
/// count as its edge.
#[derive(Default)]
struct Taken(Vec<[u64; WORDS]>);

const SIDE: usize = 1024;
const WORDS: usize = SIDE / 64;
/// Squares that lie to the left of a page's left edge, and above.
const MARGIN: f64 = 64.0;

impl Taken {
    fn take(&mut self, origin: Point) {
        if self.0.is_empty() {
            self.0.resize(SIDE, [0; WORDS]);
        }
        let (column, row) = (square(origin.x), square(origin.y));
        let row = self.0.get_mut(row);
        if let Some(word) = row.and_then(|row| row.get_mut(column / 64)) {
            *word |= 1 << (column % 64);
        }
    }

    /// Whether anything begins within reach.
    fn near(&self, origin: Point, reach: f64) -> bool {
        let (left, right) = (square(origin.x - reach), square(origin.x + reach));
        let (top, bottom) = (square(origin.y - reach), square(origin.y + reach));
        let rows = self.0.get(top..=bottom).unwrap_or_default();
        let (word, shift) = (left / 64, left % 64);
        let wanted = (1_u128 << (right.saturating_sub(left) + 1).min(64)) - 1;
        rows.iter().any(|row| {
            let words = |at: usize| u128::from(row.get(at).copied().unwrap_or_default());
            ((words(word) | words(word + 1) << 64) >> shift) & wanted != 0
        })
    }
}

fn square(at: f64) -> usize {
    ((at + MARGIN) as usize).min(SIDE - 1)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_near_and_of_the_same_glyph() {
        let mut shown = Shown::default();
        let at = Point::new;
        assert!(!shown.is_repeat(7, at(63.9, 100.0), 10.0));
        assert!(shown.is_repeat(7, at(64.1, 100.4), 10.0));
        assert!(!shown.is_repeat(8, at(63.9, 100.0), 10.0));
        assert!(!shown.is_repeat(7, at(66.0, 100.0), 10.0));
        // Beyond the squares that are told apart, and before the first.
        for far in [5_000.0, -5_000.0] {
            assert!(!shown.is_repeat(7, at(far, far), 10.0));
            assert!(!shown.is_repeat(7, at(far + 5.0, far), 10.0));
            assert!(shown.is_repeat(7, at(far, far + 0.5), 10.0));
        }
        assert!(!shown.is_repeat(7, at(f64::NAN, 1.0), 10.0));
    }
}
