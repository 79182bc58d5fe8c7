//! How far a text can be trusted to be what its pages show. Owns the one definition of the number;
//! it must not read a format, and it knows no language by heart but for its letters.
//!
//! **The confidence of a document** is the mean over its pages, weighted by their characters that
//! are not blank. A page that shows a picture of text nobody could read counts as 0 with the mean
//! weight of the others; a page with nothing on it does not count. Without any text it is 0.
//!
//! **The confidence of a page** is the product of
//!
//! - what its reader says ([`Page::confidence`]): the share of glyphs that map to a character, or
//!   the mean confidence of recognised words;
//! - its [`plausibility`], which needs no reader: text that was read wrongly seldom looks like text.
//!
//! **Plausibility** is the product of
//!
//! - *letters*: the mean over all letters of how well each script's letters follow one another.
//!   Latin: the mean cost in bits of a letter after the one before, by a table of English pairs,
//!   1 up to 4.0 bits and 0 from 5.1 on (English takes 3.6, shuffled letters 4.8), less the
//!   share of words whose case jumps about inside them. Malayalam: 1 less three times the share of
//!   characters that cannot stand where they stand (see `malayalam`). Letters of other scripts
//!   count as 1, as there are no rules for them; words that change their script more than once
//!   count as 0;
//! - *strangeness*: 1 less three times the share of characters that are neither letter, digit,
//!   blank nor common punctuation. Private use and control characters count threefold;
//! - *dust*: 1, less what the share of words of a single letter is above 0.3.
//!
//! A text without letters, such as a table of numbers, is judged by strangeness alone.

mod latin;
mod malayalam;

use crate::language::Script;
use crate::{Origin, Page};

/// Share of words of one letter that text may have: lists and tables have some.
const DUST_FROM: f64 = 0.3;
/// Words of so many single letters or fewer are too few to tell dust from a label.
const FEW_WORDS: usize = 8;
/// Punctuation of ordinary text.
const COMMON: &str =
    ".,;:!?'\"()[]{}<>/\\-_–—‘’“”•·…&%@#*+=|$€₹£°©®™§×–\u{200B}\u{200C}\u{200D}\u{FEFF}";

/// The confidence of a document: see the module.
pub(crate) fn of(pages: &[Page]) -> f64 {
    let (mut sum, mut weight, mut counted, mut unread) = (0.0, 0.0, 0_usize, 0_usize);
    for page in pages {
        let characters = page.text.chars().filter(|c| !c.is_whitespace()).count();
        if characters > 0 {
            let reader = if page.confidence.is_nan() {
                0.0
            } else {
                page.confidence.clamp(0.0, 1.0)
            };
            sum += characters as f64 * reader * plausibility(&page.text);
            weight += characters as f64;
            counted += 1;
        } else if page.origin == Origin::Picture {
            unread += 1;
        }
    }
    if counted == 0 {
        return 0.0;
    }
    let all = weight + weight / counted as f64 * unread as f64;
    (sum / all).clamp(0.0, 1.0)
}

/// From 0 to 1: how much a text looks like text. See the module.
#[must_use]
pub fn plausibility(text: &str) -> f64 {
    let mut seen = Seen::default();
    for word in text.split_whitespace() {
        seen.word(word);
    }
    seen.letters() * seen.strangeness() * seen.dust()
}

/// What was counted in a text.
#[derive(Default)]
struct Seen {
    characters: usize,
    strange: usize,
    words: usize,
    single: usize,
    latin: latin::Tally,
    malayalam: malayalam::Tally,
    /// Letters of other scripts.
    others: usize,
    /// Letters of words that are of no script.
    scrambled: usize,
}

impl Seen {
    fn word(&mut self, word: &str) {
        let mut letters = 0_usize;
        for character in word.chars() {
            self.characters += 1;
            self.strange += strange(character);
            letters += usize::from(Script::of(character).is_some());
        }
        if letters == 0 {
            return;
        }
        self.words += 1;
        self.single += usize::from(letters == 1 && word.chars().count() == 1);
        if word.is_ascii() {
            let words = word.split(|character: char| !character.is_ascii_alphabetic());
            return words.for_each(|word| self.latin.add(word));
        }
        let runs = runs(word);
        if runs.len() > 3 {
            self.scrambled += letters;
            return;
        }
        for (script, run) in runs {
            match script {
                Script::Latin => self.latin.add(&run),
                Script::Malayalam => self.malayalam.add(&run),
                _ => self.others += run.chars().count(),
            }
        }
    }

    fn letters(&self) -> f64 {
        let (latin, malayalam) = (self.latin.letters(), self.malayalam.letters());
        let all = latin + malayalam + self.others + self.scrambled;
        if all == 0 {
            return 1.0;
        }
        let good = latin as f64 * self.latin.score()
            + malayalam as f64 * self.malayalam.score()
            + self.others as f64;
        good / all as f64
    }

    fn strangeness(&self) -> f64 {
        (1.0 - 3.0 * crate::share(self.strange, self.characters)).max(0.0)
    }

    fn dust(&self) -> f64 {
        if self.words < FEW_WORDS {
            return 1.0;
        }
        let excess = crate::share(self.single, self.words) - DUST_FROM;
        1.0 - excess.max(0.0)
    }
}

/// How much a character does not belong into text.
fn strange(character: char) -> usize {
    match character {
        // Already counted by the reader, as not mapped.
        char::REPLACEMENT_CHARACTER => 0,
        '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}' => 3,
        _ if character.is_control() => 3,
        _ if Script::of(character).is_some() || character.is_numeric() => 0,
        _ if COMMON.contains(character) => 0,
        _ => 1,
    }
}

/// The runs of one script in a word; what is no letter ends a run of Latin letters and belongs to
/// no run.
fn runs(word: &str) -> Vec<(Script, String)> {
    let mut runs: Vec<(Script, String)> = Vec::new();
    for character in word.chars() {
        // Joiners belong to what they join.
        let script = match character {
            '\u{200C}' | '\u{200D}' => runs.last().map(|(script, _)| *script),
            _ => Script::of(character),
        };
        match (script, runs.last_mut()) {
            (None, Some((_, run))) => run.push(' '),
            (None, None) => {}
            (Some(script), Some((last, run))) if *last == script => run.push(character),
            (Some(script), _) => runs.push((script, character.to_string())),
        }
    }
    runs
}

#[cfg(test)]
mod tests;
