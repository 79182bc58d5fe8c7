//! Where the words of a text stand, found again in the text of their pages.
//!
//! Owns the finding and its bounds. The form in which it is stored is the domain's.

use kmrl_domain::boxes::{PageBoxes, PlacedWord};
use kmrl_extraction::{Page, Word};

/// Words of one document whose places are kept: some 25 MB of JSON.
const MOST_WORDS: usize = 1_000_000;
/// How far behind the word before a word is looked for, in bytes.
const NEAR: usize = 4096;

/// The places of the words of each page; empty when no page has any.
pub(super) fn of(pages: &[Page]) -> Vec<PageBoxes> {
    let mut left = MOST_WORDS;
    if pages.iter().all(|page| page.words.is_empty()) {
        return Vec::new();
    }
    let of_page = |page: &Page| {
        let Some(rest) = left.checked_sub(page.words.len()) else {
            left = 0;
            return PageBoxes::default();
        };
        left = rest;
        PageBoxes::of(found(&page.text, &page.words))
    };
    pages.iter().map(of_page).collect()
}

/// Words come in the order of the text. One that is not near where it should be is left out.
fn found<'a>(text: &'a str, words: &'a [Word]) -> impl Iterator<Item = PlacedWord> + 'a {
    let (mut rest, mut before) = (text, 0_u32);
    words.iter().filter_map(move |word| {
        let end = NEAR.saturating_add(word.text.len()).min(rest.len());
        let near = rest.get(..rest.floor_char_boundary(end))?;
        let at = near.find(&word.text).filter(|_| !word.text.is_empty())?;
        let start = before.checked_add(characters(rest.get(..at)?))?;
        let length = characters(&word.text);
        before = start.checked_add(length)?;
        rest = rest.get(at + word.text.len()..)?;
        Some(PlacedWord {
            start,
            length,
            x: word.x,
            y: word.y,
            width: word.width,
            height: word.height,
        })
    })
}

fn characters(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kmrl_extraction::Origin;

    fn page(text: &str, words: &[&str]) -> Page {
        let word = |text: &&str| Word {
            text: (*text).to_owned(),
            x: 1.0,
            y: 2.0,
            width: 3.0,
            height: 4.0,
        };
        Page {
            number: 1,
            text: text.to_owned(),
            origin: Origin::Stated,
            confidence: 1.0,
            words: words.iter().map(word).collect(),
        }
    }

    fn starts(page: Page) -> Vec<(u32, u32)> {
        let boxes = of(&[page]).remove(0);
        boxes
            .words()
            .map(|word| (word.start, word.length))
            .collect()
    }

    #[test]
    fn each_word_is_found_once_and_counted_in_characters() {
        let page = page("മെട്രോ rail\nrail", &["മെട്രോ", "rail", "rail"]);
        assert_eq!(starts(page), [(0, 6), (7, 4), (12, 4)]);
    }

    #[test]
    fn a_word_that_is_not_there_or_too_far_hides_no_other() {
        let far = format!("one {} two three", " ".repeat(NEAR));
        assert_eq!(starts(page(&far, &["one", "two", ""])), [(0, 3)]);
        assert_eq!(
            starts(page("one two", &["One", "one", "two"])),
            [(0, 3), (4, 3)]
        );
        assert!(of(&[page("one", &[])]).is_empty());
    }
}
