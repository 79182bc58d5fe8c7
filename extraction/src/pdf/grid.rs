//! Rows, and runs of rows that share a gutter: columns of prose or the rows of a table. This
//! module owns what stands beside what, and how a run is to be read; it must not build lines.

use std::ops::Range;

use super::fragments::{CELL_FROM, Fragment};

/// Rows that make a run, at least.
const ROWS_AT_LEAST: usize = 3;
/// A row below the last with a fragment on both sides of the gutter belongs to the run when it is
/// no further down than this, in ems.
const LEADING_AT_MOST: f32 = 2.0;
/// Prose has this many characters a line, fills this much of its column, for this many lines.
const PROSE_CHARACTERS: f32 = 18.0;
const PROSE_FILLS: f32 = 0.55;
const PROSE_LINES: usize = 4;

/// A row of more gaps is a drawing, no table.
const GAPS_AT_MOST: usize = 200;

/// How a run is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reading {
    /// Each column from top to bottom.
    Columns,
    /// Each row from left to right.
    Rows,
    /// As it was drawn.
    AsDrawn,
}

/// Rows one below the other that share a gutter.
#[derive(Debug)]
pub(super) struct Run {
    pub rows: Range<usize>,
    /// Where the gutters are, from left to right.
    gutters: Vec<f32>,
    pub reading: Reading,
    /// Whether it is columns of running text.
    pub prose: bool,
}

type Row = Vec<usize>;

/// Fragments that stand beside each other, from top to bottom.
pub(super) fn rows(all: &[Fragment], chosen: &[usize]) -> Vec<Row> {
    let mut sorted: Vec<(usize, &Fragment)> = chosen
        .iter()
        .filter_map(|at| Some((*at, all.get(*at)?)))
        .collect();
    sorted.sort_by(|(_, a), (_, b)| a.baseline.total_cmp(&b.baseline));
    let mut rows: Vec<Row> = Vec::new();
    let mut first: Option<&Fragment> = None;
    for (at, fragment) in sorted {
        match rows.last_mut() {
            Some(row) if first.is_some_and(|first| fragment.is_beside(first)) => row.push(at),
            _ => {
                rows.push(vec![at]);
                first = Some(fragment);
            }
        }
    }
    rows
}

/// Find the runs, from top to bottom.
pub(super) fn runs(all: &[Fragment], rows: &[Row]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut start = 0;
    while start < rows.len() {
        let Some((end, gutters)) = reach(all, rows, start) else {
            start += 1;
            continue;
        };
        let mut run = Run {
            rows: start..end,
            gutters,
            reading: Reading::AsDrawn,
            prose: false,
        };
        run.prose = is_prose(all, rows, &run);
        run.reading = judge(all, rows, &run);
        start = end;
        runs.push(run);
    }
    runs
}

/// A stretch of the line that holds nothing.
type Free = (f32, f32);

/// How far the run goes that begins with a row, and its gutters.
fn reach(all: &[Fragment], rows: &[Row], start: usize) -> Option<(usize, Vec<f32>)> {
    let mut free = gaps(all, rows.get(start)?);
    if free.len() <= 2 || free.len() > GAPS_AT_MOST {
        return None;
    }
    let mut end = start + 1;
    let mut kept = free.clone();
    let mut shared = 1;
    for (at, row) in rows.iter().enumerate().skip(start + 1) {
        free = intersect(&free, &gaps(all, row));
        // What is left and right of everything is no gutter.
        if free.len() <= 2 {
            break;
        }
        let beside = row.len() > 1;
        let near =
            baseline(all, row) - baseline(all, rows.get(at - 1)?) < LEADING_AT_MOST * em(all, row);
        if !beside && !near {
            break;
        }
        shared += usize::from(beside);
        end = at + 1;
        kept.clone_from(&free);
    }
    let inner = kept.get(1..kept.len().saturating_sub(1))?;
    let gutters: Vec<f32> = inner.iter().map(|(from, to)| (from + to) / 2.0).collect();
    (shared >= ROWS_AT_LEAST).then_some((end, gutters))
}

fn baseline(all: &[Fragment], row: &Row) -> f32 {
    row.first()
        .and_then(|at| all.get(*at))
        .map_or(0.0, |fragment| fragment.baseline)
}

fn em(all: &[Fragment], row: &Row) -> f32 {
    row.iter()
        .filter_map(|at| all.get(*at))
        .map(|fragment| fragment.em)
        .fold(0.0, f32::max)
}

/// The gaps of a row, the endless ones on either side included.
fn gaps(all: &[Fragment], row: &Row) -> Vec<Free> {
    let mut spans: Vec<(f32, f32)> = row
        .iter()
        .filter_map(|at| all.get(*at))
        .map(|fragment| (fragment.left, fragment.right))
        .collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let least = CELL_FROM * em(all, row);
    let mut gaps = Vec::with_capacity(spans.len() + 1);
    let mut reached = f32::NEG_INFINITY;
    for (from, to) in spans {
        if from - reached >= least {
            gaps.push((reached, from));
        }
        reached = reached.max(to);
    }
    gaps.push((reached, f32::INFINITY));
    gaps
}

/// What is free in both, where it is wide enough to part columns.
fn intersect(a: &[Free], b: &[Free]) -> Vec<Free> {
    const WIDE: f32 = 4.0;
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut both = Vec::new();
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        let (from, to) = (x.0.max(y.0), x.1.min(y.1));
        if to - from >= WIDE {
            both.push((from, to));
        }
        if x.1 < y.1 {
            a.next()
        } else {
            b.next()
        };
    }
    both
}

fn column_of(gutters: &[f32], fragment: &Fragment) -> usize {
    let middle = (fragment.left + fragment.right) / 2.0;
    gutters.partition_point(|gutter| *gutter < middle)
}

/// The fragments of a run by column, each in the order of drawing.
pub(super) fn columns(all: &[Fragment], rows: &[Row], run: &Run) -> Vec<Vec<usize>> {
    let mut columns = vec![Vec::new(); run.gutters.len() + 1];
    let (mut leftwards, mut count) = (0, 0);
    for at in drawn(rows, run) {
        if let Some(fragment) = all.get(at)
            && let Some(column) = columns.get_mut(column_of(&run.gutters, fragment))
        {
            column.push(at);
            leftwards += usize::from(fragment.leftwards);
            count += 1;
        }
    }
    // Scripts that read leftwards begin with the column on the right.
    if leftwards * 2 > count {
        columns.reverse();
    }
    columns
}

/// All fragments of a run, in the order of drawing.
pub(super) fn drawn(rows: &[Row], run: &Run) -> Vec<usize> {
    let mut drawn: Vec<usize> = rows.get(run.rows.clone()).unwrap_or_default().concat();
    drawn.sort_unstable();
    drawn
}

fn judge(all: &[Fragment], rows: &[Row], run: &Run) -> Reading {
    let drawn = drawn(rows, run);
    let columns: Vec<usize> = drawn
        .iter()
        .filter_map(|at| Some(column_of(&run.gutters, all.get(*at)?)))
        .collect();
    let crossings = columns
        .windows(2)
        .filter(|pair| pair.first() != pair.last())
        .count();
    let steps_back = columns
        .windows(2)
        .filter(|pair| pair.first() > pair.last())
        .count();
    let shared = rows
        .get(run.rows.clone())
        .unwrap_or_default()
        .iter()
        .filter(|row| row.len() > 1)
        .count();
    if run.prose {
        // Drawn column by column, the order of drawing has finer points right.
        return if steps_back == 0 && crossings < shared {
            Reading::AsDrawn
        } else {
            Reading::Columns
        };
    }
    let by_columns = crossings <= 2 * run.gutters.len();
    let aligned = shared * 3 >= run.rows.len() * 2;
    match by_columns && aligned {
        true => Reading::Rows,
        false => Reading::AsDrawn,
    }
}

/// Whether most of the text of a run stands in at least two columns of running text.
fn is_prose(all: &[Fragment], rows: &[Row], run: &Run) -> bool {
    let mut columns = vec![Column::default(); run.gutters.len() + 1];
    for row in rows.get(run.rows.clone()).unwrap_or_default() {
        let mut last = usize::MAX;
        let mut sorted: Vec<&Fragment> = row.iter().filter_map(|at| all.get(*at)).collect();
        sorted.sort_by(|a, b| a.left.total_cmp(&b.left));
        for fragment in sorted {
            let at = column_of(&run.gutters, fragment);
            if let Some(column) = columns.get_mut(at) {
                column.add(fragment, at != last);
            }
            last = at;
        }
    }
    let characters: f32 = columns.iter().map(|column| column.characters).sum();
    let prose = columns.iter().filter(|column| column.is_prose());
    let (count, held) = prose.fold((0, 0.0), |(count, held), column| {
        (count + 1, held + column.characters)
    });
    count >= 2 && held >= 0.7 * characters
}

#[derive(Clone)]
struct Column {
    lines: usize,
    characters: f32,
    filled: f32,
    left: f32,
    right: f32,
}

impl Default for Column {
    fn default() -> Self {
        Self {
            lines: 0,
            characters: 0.0,
            filled: 0.0,
            left: f32::INFINITY,
            right: f32::NEG_INFINITY,
        }
    }
}

impl Column {
    fn add(&mut self, fragment: &Fragment, new_line: bool) {
        self.lines += usize::from(new_line);
        self.characters += fragment.characters as f32;
        self.filled += fragment.width();
        self.left = self.left.min(fragment.left);
        self.right = self.right.max(fragment.right);
    }

    fn is_prose(&self) -> bool {
        let lines = self.lines as f32;
        self.lines >= PROSE_LINES
            && self.characters >= PROSE_CHARACTERS * lines
            && self.filled >= PROSE_FILLS * lines * (self.right - self.left)
    }
}
