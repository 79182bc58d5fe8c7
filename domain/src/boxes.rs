//! Where the words of a text stand on their pages, as it is stored beside the text.
//!
//! Owns that form alone. It is apart from [`TextArtefact`], so that whoever reads texts for rows and
//! for searching passes over it.

use crate::values::TextArtefact;
use serde::{Deserialize, Serialize};

/// Places are kept to a tenth of a point.
const IN_A_POINT: f32 = 10.0;
/// Numbers that say a word.
const NUMBERS: usize = 6;

/// A word of a page: which characters of its text, and where on the page as shown, in points
/// (1/72 inch) from the top left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlacedWord {
    /// Unicode scalar values of the page's text before it.
    pub start: u32,
    /// Its length in Unicode scalar values.
    pub length: u32,
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

/// The words of one page: six numbers each, in the order of the text. The characters between the
/// word before and this one, its length, and its place in tenths of a point.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageBoxes(Vec<i32>);

impl PageBoxes {
    /// Of words in the order of the text. One that begins before the end of another is left out.
    #[must_use]
    pub fn of(words: impl IntoIterator<Item = PlacedWord>) -> Self {
        let mut numbers = Vec::new();
        let mut end = 0;
        for word in words {
            let gap = word.start.checked_sub(end);
            let (Some(Ok(gap)), Ok(length)) = (gap.map(i32::try_from), i32::try_from(word.length))
            else {
                continue;
            };
            end = word.start.saturating_add(word.length);
            numbers.extend([gap, length]);
            let place = [word.x, word.y, word.width, word.height];
            // What is beyond all numbers becomes the nearest, and what is none becomes nought.
            numbers.extend(place.map(|points| (points * IN_A_POINT).round() as i32));
        }
        Self(numbers)
    }

    /// The words. What no program of ours wrote is passed over.
    pub fn words(&self) -> impl Iterator<Item = PlacedWord> + '_ {
        let mut end = 0_u32;
        self.0.chunks_exact(NUMBERS).filter_map(move |word| {
            let [gap, length, x, y, width, height] = *word else {
                return None;
            };
            let start = end.checked_add(u32::try_from(gap).ok()?)?;
            let length = u32::try_from(length).ok()?;
            end = start.checked_add(length)?;
            let points = |tenths: i32| tenths as f32 / IN_A_POINT;
            Some(PlacedWord {
                start,
                length,
                x: points(x),
                y: points(y),
                width: points(width),
                height: points(height),
            })
        })
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A text as it is stored: with where its words stand, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredText {
    /// The text.
    pub text: TextArtefact,
    /// Of each page, in order; empty or shorter than the pages where places are not known.
    pub boxes: Vec<PageBoxes>,
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    text: &'a TextArtefact,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    boxes: &'a [PageBoxes],
}

#[derive(Deserialize)]
struct Boxes {
    #[serde(default)]
    boxes: Vec<PageBoxes>,
}

impl StoredText {
    /// Read what [`StoredText::to_json`] wrote, or a text that was stored without places.
    ///
    /// # Errors
    /// When it is neither.
    pub fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(Self {
            text: serde_json::from_slice(bytes)?,
            boxes: serde_json::from_slice::<Boxes>(bytes)?.boxes,
        })
    }

    /// As it is stored. It reads as a [`TextArtefact`] too.
    ///
    /// # Errors
    /// Never, with the types that it has.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Written {
            text: &self.text,
            boxes: &self.boxes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(start: u32, length: u32, x: f32) -> PlacedWord {
        PlacedWord {
            start,
            length,
            x,
            y: 72.04,
            width: 31.5,
            height: 12.0,
        }
    }

    #[test]
    fn words_come_back_to_a_tenth_of_a_point() {
        let boxes = PageBoxes::of([word(0, 3, -1.26), word(5, 9, 100.0)]);
        let json = serde_json::to_string(&boxes).unwrap();
        assert_eq!(json, "[0,3,-13,720,315,120,2,9,1000,720,315,120]");
        let words: Vec<_> = boxes.words().collect();
        assert_eq!((words[0].x, words[0].y), (-1.3, 72.0));
        assert_eq!((words[1].start, words[1].length), (5, 9));
    }

    #[test]
    fn words_that_overlap_are_left_out_and_strange_numbers_harm_nothing() {
        let boxes = PageBoxes::of([word(4, 4, f32::NAN), word(2, 9, 0.0), word(8, 1, f32::MAX)]);
        let starts: Vec<_> = boxes.words().map(|word| word.start).collect();
        assert_eq!(starts, [4, 8]);
        let odd: PageBoxes = serde_json::from_str("[-1,2,3,4,5,6,7,8]").unwrap();
        assert_eq!(odd.words().count(), 0);
    }

    #[test]
    fn a_stored_text_reads_with_and_without_its_places() {
        let stored = StoredText {
            text: TextArtefact {
                pages: vec!["one two".into()],
                title: Some("title".into()),
                producer: None,
            },
            boxes: vec![PageBoxes::of([word(0, 3, 1.0)])],
        };
        let json = stored.to_json().unwrap();
        assert_eq!(StoredText::from_json(&json).unwrap(), stored);
        let text: TextArtefact = serde_json::from_slice(&json).unwrap();
        assert_eq!(text, stored.text);
        let old = StoredText::from_json(br#"{"pages":["one"]}"#).unwrap();
        assert!(old.boxes.is_empty());
    }
}
