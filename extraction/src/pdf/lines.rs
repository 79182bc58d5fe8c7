//! Builds lines of text from placed pieces in the order in which the page draws them. This
//! module owns where a space and a line end belong; it must not know where pieces come from,
//! nor reorder them.

use kurbo::{Point, Vec2};

/// A piece of text where the page shows it. Lengths are in the page's units.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placement {
    /// Where it starts on its baseline.
    pub origin: Point,
    /// The direction of reading, of length 1.
    pub direction: Vec2,
    /// The height of an em.
    pub em: f64,
    /// How far it reaches along its direction.
    pub advance: f64,
}

// All in ems of the larger of the two neighbours, so that a superscript stays on its line.

/// From this gap on, a space was meant: fonts' own spaces are a quarter, kerning is less
/// than a tenth.
const SPACE_FROM: f64 = 0.15;
/// From this distance between baselines on, it is another line: sub- and superscripts stay
/// below, the tightest leading is above.
const LINE_FROM: f64 = 0.5;
/// A step back of more than this starts another line, or another column; a smaller one is an
/// accent or an overprint.
const BACK_FROM: f64 = 1.5;
/// Directions whose cosine is less than this are different: about 45 degrees.
const SAME_DIRECTION: f64 = 0.7;

/// Text in the making.
#[derive(Default)]
pub(super) struct Lines {
    text: String,
    last: Option<Placement>,
}

impl Lines {
    /// Add a piece of text; an empty one only moves the pen.
    pub(super) fn push(&mut self, text: &str, placement: Placement) {
        if let Some(last) = self.last {
            match gap(&last, &placement) {
                Gap::Line => self.end_line(),
                Gap::Space if !text.starts_with(char::is_whitespace) => self.space(),
                Gap::Space | Gap::None => {}
            }
        }
        self.text.push_str(text);
        self.last = Some(placement);
    }

    pub(super) fn finish(mut self) -> String {
        self.text.truncate(self.text.trim_end().len());
        self.text
    }

    fn space(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with(char::is_whitespace) {
            self.text.push(' ');
        }
    }

    fn end_line(&mut self) {
        let kept = self.text.trim_end_matches([' ', '\t']).len();
        self.text.truncate(kept);
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }
}

enum Gap {
    None,
    Space,
    Line,
}

fn gap(last: &Placement, next: &Placement) -> Gap {
    let em = last.em.max(next.em);
    let end = last.origin + last.direction * last.advance;
    let step = next.origin - end;
    let along = step.dot(last.direction);
    let across = step.cross(last.direction).abs();
    // Written so that positions that are no numbers, which hostile matrices give, mean none.
    if across > LINE_FROM * em
        || along < -BACK_FROM * em
        || next.direction.dot(last.direction) < SAME_DIRECTION
    {
        Gap::Line
    } else if along > SPACE_FROM * em {
        Gap::Space
    } else {
        Gap::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(pieces: &[(&str, f64, f64)]) -> String {
        let mut lines = Lines::default();
        for (text, x, y) in pieces {
            lines.push(
                text,
                Placement {
                    origin: Point::new(*x, *y),
                    direction: Vec2::new(1.0, 0.0),
                    em: 10.0,
                    advance: 5.0 * text.len() as f64,
                },
            );
        }
        lines.finish()
    }

    #[test]
    fn a_gap_is_a_space_and_kerning_is_none() {
        assert_eq!(built(&[("A", 0.0, 0.0), ("V", 4.3, 0.0)]), "AV");
        assert_eq!(built(&[("a", 0.0, 0.0), ("b", 7.5, 0.0)]), "a b");
        assert_eq!(built(&[("a ", 0.0, 0.0), ("b", 14.0, 0.0)]), "a b");
        assert_eq!(built(&[("a", 0.0, 0.0), (" b", 14.0, 0.0)]), "a b");
    }

    #[test]
    fn another_baseline_is_another_line() {
        assert_eq!(built(&[("a ", 0.0, 20.0), ("b", 0.0, 8.0)]), "a\nb");
        assert_eq!(built(&[("m", 0.0, 0.0), ("2", 5.0, 4.0)]), "m2");
    }

    #[test]
    fn a_step_back_is_another_line() {
        assert_eq!(
            built(&[("right", 300.0, 0.0), ("left", 0.0, 0.0)]),
            "right\nleft"
        );
    }

    #[test]
    fn positions_that_are_no_numbers_separate_nothing() {
        assert_eq!(
            built(&[("a", f64::NAN, 0.0), ("b", 0.0, f64::INFINITY)]),
            "ab"
        );
    }
}
