//! Reading order: which fragments make a line, and which line comes after which. The order of
//! drawing is the author's own and mostly right; this module owns when it is not, and how to
//! read the page by its shape then. It must not look at characters.

use super::fragments::{CELL_FROM, Fragment};
use super::grid::{self, Reading, Run};

/// Columns within columns, at most.
const DEPTH_AT_MOST: usize = 4;

/// Strips of the page's width in which it is noted how far down drawing has come.
const STRIPS: usize = 48;

/// More steps up than one in so many fragments mean that drawing does not follow reading.
const STEPS_UP_AT_MOST_ONE_IN: usize = 25;

/// Fragments that make one line, from left to right.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub fragments: Vec<usize>,
    /// Whether gaps between its fragments part cells of a table.
    pub cells: bool,
}

/// Put all fragments of one direction, given by index, into lines in reading order.
pub(super) fn lines(all: &[Fragment], chosen: Vec<usize>) -> Vec<Line> {
    let mut lines = Vec::new();
    arrange(all, chosen, 0, &mut lines);
    lines
}

/// `chosen` is in the order of drawing.
fn arrange(all: &[Fragment], chosen: Vec<usize>, depth: usize, lines: &mut Vec<Line>) {
    let rows = grid::rows(all, &chosen);
    let runs = grid::runs(all, &rows);
    let against = runs.iter().any(|run| run.reading != Reading::AsDrawn);
    if depth >= DEPTH_AT_MOST || (!against && follows_reading(all, &chosen)) {
        return as_drawn(all, &chosen, &runs, lines);
    }
    let mut next = 0;
    for run in &runs {
        by_rows(all, rows.get(next..run.rows.start), false, lines);
        next = run.rows.end;
        match run.reading {
            Reading::Columns => {
                for column in grid::columns(all, &rows, run) {
                    arrange(all, column, depth + 1, lines);
                }
            }
            Reading::AsDrawn => as_drawn(all, &grid::drawn(&rows, run), &[], lines),
            Reading::Rows => by_rows(all, rows.get(run.rows.clone()), true, lines),
        }
    }
    by_rows(all, rows.get(next..), false, lines);
}

fn by_rows(all: &[Fragment], rows: Option<&[Vec<usize>]>, cells: bool, lines: &mut Vec<Line>) {
    for row in rows.unwrap_or_default() {
        let mut fragments = row.clone();
        let left = |at: &usize| all.get(*at).map_or(0.0, |fragment| fragment.left);
        fragments.sort_by(|a, b| left(a).total_cmp(&left(b)));
        lines.push(Line { fragments, cells });
    }
}

/// Lines as they were drawn: a fragment goes on with the line when it stands beside its last.
fn as_drawn(all: &[Fragment], chosen: &[usize], _: &[Run], lines: &mut Vec<Line>) {
    let mut open = Line::default();
    let mut last: Option<&Fragment> = None;
    for at in chosen {
        let Some(fragment) = all.get(*at) else {
            continue;
        };
        let goes_on = last.is_some_and(|last| {
            let rightwards = fragment.left > last.right - 0.5 * last.em;
            let leftwards = (fragment.leftwards || last.leftwards)
                && fragment.right < last.left + 0.5 * last.em;
            fragment.is_beside(last) && (rightwards || leftwards)
        });
        if !goes_on && !open.fragments.is_empty() {
            lines.push(std::mem::take(&mut open));
        }
        open.cells |=
            goes_on && last.is_some_and(|last| fragment.left - last.right > CELL_FROM * last.em);
        open.fragments.push(*at);
        last = Some(fragment);
    }
    if !open.fragments.is_empty() {
        lines.push(open);
    }
}

/// Whether the order of drawing can be one of reading: hardly ever is something drawn above what
/// was drawn before in the same place of the line.
fn follows_reading(all: &[Fragment], chosen: &[usize]) -> bool {
    let fragments = || chosen.iter().filter_map(|at| all.get(*at));
    let left = fragments()
        .map(|fragment| fragment.left)
        .fold(f32::INFINITY, f32::min);
    let right = fragments()
        .map(|fragment| fragment.right)
        .fold(f32::NEG_INFINITY, f32::max);
    let strip = |x: f32| ((x - left) / (right - left).max(1.0) * STRIPS as f32) as usize;
    let mut lowest = [f32::NEG_INFINITY; STRIPS];
    let mut steps_up = 0;
    for fragment in fragments() {
        // Its edges may touch the strip of a neighbour.
        let inset = (0.25 * fragment.em).min(0.25 * fragment.width());
        let from = strip(fragment.left + inset).min(STRIPS - 1);
        let to = strip(fragment.right - inset).clamp(from, STRIPS - 1);
        let strips = lowest.get_mut(from..=to).unwrap_or_default();
        let reached = strips.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        steps_up += usize::from(fragment.baseline < reached - 0.5 * fragment.em);
        strips
            .iter_mut()
            .for_each(|lowest| *lowest = lowest.max(fragment.baseline));
    }
    steps_up * STEPS_UP_AT_MOST_ONE_IN <= chosen.len()
}
