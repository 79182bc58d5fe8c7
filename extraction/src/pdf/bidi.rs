//! Lines that hold letters of scripts which read from right to left: from the order in which
//! they stand to the order in which they are read. This module owns the order only.

/// What a stretch of a line is, as far as its direction goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Left,
    Right,
    Number,
    /// A mark that belongs to the number on both its sides.
    Separator,
    Space,
    Neutral,
}

/// Whether a character is of a script that reads from right to left.
pub(super) fn is_leftwards(character: char) -> bool {
    matches!(u32::from(character),
        0x0590..=0x08FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFE | 0x10800..=0x10FFF | 0x1E800..=0x1EFFF)
        && !is_digit(character)
}

pub(super) fn reads_leftwards(text: &str) -> bool {
    !text.is_ascii() && text.chars().any(is_leftwards)
}

fn is_digit(character: char) -> bool {
    matches!(character, '0'..='9' | '\u{0660}'..='\u{0669}' | '\u{06F0}'..='\u{06F9}')
}

fn kind(text: &str) -> Kind {
    let mut kind = Kind::Space;
    for character in text.chars() {
        match character {
            _ if is_leftwards(character) => return Kind::Right,
            _ if is_digit(character) => kind = Kind::Number,
            _ if character.is_alphabetic() => return Kind::Left,
            '.' | ',' | ':' | '/' | '-' if kind == Kind::Space => kind = Kind::Separator,
            _ if character.is_whitespace() => {}
            _ if kind != Kind::Number => kind = Kind::Neutral,
            _ => {}
        }
    }
    kind
}

/// Put the texts of a line, given from left to right, into reading order: the indices of
/// `texts` as they are read.
pub(super) fn reading_order(texts: &[&str]) -> Vec<usize> {
    let mut kinds: Vec<Kind> = texts.iter().map(|text| kind(text)).collect();
    number_after_letters(&mut kinds);
    let levels = levels(&kinds, base_level(&kinds));
    let mut order: Vec<usize> = (0..texts.len()).collect();
    // Turning round what stands at each level or above, from the highest, undoes what turned
    // the line for display.
    for level in [2, 1] {
        for run in
            order.chunk_by_mut(|a, b| at_least(&levels, *a, level) == at_least(&levels, *b, level))
        {
            if run
                .first()
                .is_some_and(|first| at_least(&levels, *first, level))
            {
                run.reverse();
            }
        }
    }
    order
}

/// A number that follows letters which read rightwards is read with them.
fn number_after_letters(kinds: &mut [Kind]) {
    let mut letters = Kind::Neutral;
    for kind in kinds {
        match kind {
            Kind::Left | Kind::Right => letters = *kind,
            Kind::Number if letters == Kind::Left => *kind = Kind::Left,
            _ => {}
        }
    }
}

/// The level of the line itself: that of the letters at both its ends where they agree, else
/// that of most letters.
fn base_level(kinds: &[Kind]) -> u8 {
    let mut letters = kinds
        .iter()
        .filter(|kind| matches!(kind, Kind::Left | Kind::Right));
    let count = |of: Kind| kinds.iter().filter(|kind| **kind == of).count();
    match (letters.next(), letters.next_back()) {
        (Some(first), Some(last)) if first == last => u8::from(*first == Kind::Right),
        _ => u8::from(count(Kind::Right) >= count(Kind::Left)),
    }
}

fn at_least(levels: &[u8], index: usize, level: u8) -> bool {
    levels.get(index).is_some_and(|own| *own >= level)
}

/// The embedding level of each stretch: 1 and 2 read from right to left within the line, and 2
/// from left to right within that.
fn levels(kinds: &[Kind], base: u8) -> Vec<u8> {
    let strong = |kind: &Kind| match kind {
        Kind::Right => Some(1),
        Kind::Left => Some(base * 2),
        _ => None,
    };
    // The nearest letter's level on either side, or the line's own.
    let near = |kinds: &mut dyn Iterator<Item = &Kind>| {
        let mut last = base;
        let found = kinds.map(|kind| {
            last = strong(kind).unwrap_or(last);
            last
        });
        found.collect::<Vec<u8>>()
    };
    let before = near(&mut kinds.iter());
    let mut after = near(&mut kinds.iter().rev());
    after.reverse();
    let is_number = |at: Option<usize>| at.and_then(|at| kinds.get(at)) == Some(&Kind::Number);
    let around = before.iter().zip(&after);
    kinds
        .iter()
        .zip(around)
        .enumerate()
        .map(|(at, (kind, (before, after)))| match kind {
            _ if strong(kind).is_some() => *before,
            Kind::Number if *before == 0 || *after == 0 => 0,
            Kind::Number => 2,
            Kind::Separator if is_number(at.checked_sub(1)) && is_number(Some(at + 1)) => {
                2 * u8::from(*before != 0 && *after != 0)
            }
            _ if before == after => *before,
            _ => base,
        })
        .collect()
}

/// Brackets are drawn mirrored in text that reads leftwards, and fonts map them by their shape
/// or by their meaning: those that close before they open were mapped by shape.
pub(super) fn mend_brackets(line: &str) -> Option<String> {
    let mut depth = 0_i32;
    let mut closes_first = false;
    for character in line.chars() {
        match character {
            '(' | '[' | '{' | '«' => depth += 1,
            ')' | ']' | '}' | '»' => {
                closes_first |= depth <= 0;
                depth -= 1;
            }
            _ => {}
        }
    }
    (closes_first && depth == 0).then(|| mirror(line))
}

/// The text with its brackets the other way round.
pub(super) fn mirror(text: &str) -> String {
    text.chars().map(mirrored).collect()
}

fn mirrored(character: char) -> char {
    match character {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        '{' => '}',
        '}' => '{',
        '«' => '»',
        '»' => '«',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(shown: &str) -> String {
        let texts: Vec<String> = shown.chars().map(String::from).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let order = reading_order(&texts);
        order.iter().map(|at| texts[*at]).collect()
    }

    #[test]
    fn letters_turn_and_numbers_stay() {
        assert_eq!(read("םולש"), "שלום");
        assert_eq!(read("12.5 ריחמ"), "מחיר 12.5");
        assert_eq!(read("םולש Metro Rail םלוע"), "עולם Metro Rail שלום");
        assert_eq!(read("plain text 7"), "plain text 7");
    }

    #[test]
    fn a_word_within_a_line_that_reads_rightwards_turns_alone() {
        assert_eq!(read("say םולש twice"), "say שלום twice");
        assert_eq!(read("say םלוע םולש twice"), "say שלום עולם twice");
    }

    #[test]
    fn brackets_open_before_they_close() {
        assert_eq!(mend_brackets(")שלום("), Some("(שלום)".to_owned()));
        assert_eq!(mend_brackets("(שלום)"), None);
    }
}
