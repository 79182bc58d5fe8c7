//! A document's text as parts that a `tsvector` can hold each.
//!
//! A part goes over pages, and a phrase may go from one to the next; what a part ends with, the
//! next one begins with, so that a phrase across the seam is found too.

use crate::words::{Token, Vector, tokens};
use kmrl_domain::values::TextArtefact;
use std::collections::VecDeque;

/// Most places in a part.
const MOST_WORDS: u32 = 4_000;
/// Most bytes of words in a part; a `tsvector` holds 1 MiB.
const MOST_BYTES: usize = 500_000;
/// Words that two parts share: phrases are shorter.
pub(crate) const SHARED: usize = 16;

/// Some pages' words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub words: Vector,
    /// From 1; 0 when there are none.
    pub first_page: u32,
    pub last_page: u32,
}

/// The parts of a text: at least one.
pub(super) fn of(artefact: &TextArtefact) -> Vec<Part> {
    let mut parts = vec![Part::starting(0)];
    if let (Some(title), Some(first)) = (&artefact.title, parts.first_mut()) {
        first.words.add(title, 'C');
    }
    let mut writer = Writer {
        part: parts.pop().unwrap_or_else(|| Part::starting(0)),
        done: Vec::new(),
        offset: SHARED as u32 * 2 + TITLE,
        tail: VecDeque::new(),
    };
    for (number, page) in (1..).zip(&artefact.pages) {
        writer.page(number, page);
    }
    writer.done.push(writer.part);
    writer.done
}

/// Places left for the title.
const TITLE: u32 = 256;

impl Part {
    fn starting(page: u32) -> Self {
        Self {
            words: Vector::default(),
            first_page: page,
            last_page: page,
        }
    }

    fn is_full(&self, place: u32) -> bool {
        place >= MOST_WORDS || self.words.bytes() >= MOST_BYTES
    }
}

struct Writer {
    part: Part,
    done: Vec<Part>,
    /// Place in the part of the page's first word.
    offset: u32,
    /// The last words, with their page and their place in the text.
    tail: VecDeque<(u32, u32, String)>,
}

impl Writer {
    fn page(&mut self, number: u32, page: &str) {
        // Where the page begins among the words of this part; it moves when a part begins.
        let mut shift = i64::from(self.offset);
        let mut last = 0;
        for Token { lexeme, place, .. } in tokens(page) {
            let mut at = to_place(i64::from(place) + shift);
            if self.part.is_full(at) {
                shift -= i64::from(self.begin(number, at));
                at = to_place(i64::from(place) + shift);
            }
            self.seen(number);
            self.part.words.put(lexeme.clone(), at, 'D');
            self.tail.push_back((number, at, lexeme));
            if self.tail.len() > SHARED {
                self.tail.pop_front();
            }
            last = place + 1;
        }
        self.offset = to_place(i64::from(last) + shift);
    }

    /// Ends the part and begins the next with the last words; by how much places move back.
    fn begin(&mut self, page: u32, at: u32) -> u32 {
        let first = self.tail.front().map_or(at, |(_, place, _)| *place);
        let back = first.saturating_sub(1);
        let full = std::mem::replace(&mut self.part, Part::starting(0));
        self.done.push(full);
        for (number, place, lexeme) in std::mem::take(&mut self.tail) {
            self.seen(number);
            let place = place.saturating_sub(back);
            self.part.words.put(lexeme.clone(), place, 'D');
            self.tail.push_back((number, place, lexeme));
        }
        self.seen(page);
        back
    }

    fn seen(&mut self, page: u32) {
        if self.part.first_page == 0 {
            self.part.first_page = page;
        }
        self.part.last_page = page;
    }
}

fn to_place(place: i64) -> u32 {
    u32::try_from(place.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artefact(pages: Vec<String>) -> TextArtefact {
        TextArtefact {
            pages,
            title: Some("Title".into()),
            producer: None,
        }
    }

    #[test]
    fn a_short_text_is_one_part_with_all_pages() {
        let parts = of(&artefact(vec![String::new(), "brake".into(), "pads".into()]));
        assert_eq!(parts.len(), 1);
        assert_eq!((parts[0].first_page, parts[0].last_page), (2, 3));
        let text = parts[0].words.to_text();
        assert!(text.contains("'titl':16C"), "{text}");
        // A phrase may go from one page to the next.
        assert!(text.contains("'brake':288") && text.contains("'pad':289"), "{text}");
        assert_eq!(of(&TextArtefact::default()).len(), 1);
    }

    #[test]
    fn a_long_text_is_several_parts_and_no_phrase_is_lost_between_them() {
        let words: Vec<String> = (0..30_000).map(|n| format!("w{n}")).collect();
        let pages = words.chunks(700).map(|page| page.join(" ")).collect();
        let parts = of(&artefact(pages));
        assert!(parts.len() > 7, "{}", parts.len());
        assert_eq!(parts[0].first_page, 1);
        assert_eq!(parts[parts.len() - 1].last_page, 43);
        let texts: Vec<String> = parts.iter().map(|p| p.words.to_text()).collect();
        let place = |text: &str, n: usize| -> Option<u32> {
            let rest = text.split(&format!("'w{n}':")).nth(1)?;
            rest.split([' ', ',']).next()?.parse().ok()
        };
        for n in 0..words.len() - 8 {
            let whole = texts.iter().any(|text| {
                let places: Option<Vec<u32>> = (n..n + 8).map(|n| place(text, n)).collect();
                places.is_some_and(|p| p.windows(2).all(|two| two[1] == two[0] + 1))
            });
            // Only those near a seam are worth the search.
            if n % 500 == 0 || n % 3_700 < 40 {
                assert!(whole, "the phrase at {n}");
            }
        }
    }

    #[test]
    fn long_words_fill_a_part_before_it_is_too_large() {
        let page: Vec<String> = (0..9_000).map(|n| format!("{}{n}", "ക്ഷ".repeat(18))).collect();
        let parts = of(&artefact(vec![page.join(" ")]));
        assert!(parts.len() > 2);
        assert!(parts.iter().all(|p| p.words.to_text().len() < 1_000_000));
        assert!(parts.iter().all(|p| (p.first_page, p.last_page) == (1, 1)));
    }
}
