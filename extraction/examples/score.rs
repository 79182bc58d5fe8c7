//! Scores texts against reference texts by their words: `score REFERENCES TEXTS…` compares each
//! `NAME.txt` of the first folder with the one in each other folder, and prints for each of these
//! how many files it has, and mean and median of F1 and mean of recall. With `--files` it
//! prints a line a file as well. Words are runs of letters, digits, marks and joiners, in lower
//! case; each counts as often as it stands there, wherever. It must not read anything but texts.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

fn main() -> Result<(), Box<dyn Error>> {
    let mut folders = Vec::new();
    let mut by_file = false;
    for argument in std::env::args_os().skip(1) {
        match argument == "--files" {
            true => by_file = true,
            false => folders.push(PathBuf::from(argument)),
        }
    }
    let (references, folders) = folders
        .split_first()
        .filter(|(_, folders)| !folders.is_empty())
        .ok_or("usage: score [--files] REFERENCES TEXTS…")?;
    for folder in folders {
        let scores = scores(references, folder)?;
        if by_file {
            for (name, score) in &scores {
                println!("{:.4}\t{:.4}\t{name}", score.f1(), score.recall());
            }
        }
        let f1: Vec<f64> = scores.iter().map(|(_, score)| score.f1()).collect();
        let recall: Vec<f64> = scores.iter().map(|(_, score)| score.recall()).collect();
        println!(
            "{}: {} files, F1 mean {:.4} median {:.4}, recall mean {:.4}",
            folder.display(),
            scores.len(),
            mean(&f1),
            median(f1),
            mean(&recall),
        );
    }
    Ok(())
}

/// The score of each reference with words that has a text, by name: who could not read a file
/// is to leave an empty text.
fn scores(references: &Path, texts: &Path) -> Result<Vec<(String, Score)>, Box<dyn Error>> {
    let mut scores = Vec::new();
    for entry in fs::read_dir(references)? {
        let path = entry?.path();
        let Some(name) = path
            .file_name()
            .filter(|_| path.extension().is_some_and(|e| e == "txt"))
        else {
            continue;
        };
        let reference = words(&String::from_utf8_lossy(&fs::read(&path)?));
        let text = texts.join(name);
        if !reference.is_empty() && text.exists() {
            let text = fs::read(text)?;
            let score = Score::of(&reference, &words(&String::from_utf8_lossy(&text)));
            scores.push((name.to_string_lossy().into_owned(), score));
        }
    }
    scores.sort_by(|(_, a), (_, b)| a.f1().total_cmp(&b.f1()));
    Ok(scores)
}

/// How often each word is there.
type Bag = HashMap<String, usize>;

fn words(text: &str) -> Bag {
    let text: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let mut bag = Bag::new();
    for word in text
        .split(|c: char| !is_of_word(c))
        .filter(|w| !w.is_empty())
    {
        *bag.entry(word.to_owned()).or_default() += 1;
    }
    bag
}

fn is_of_word(character: char) -> bool {
    // A virama and a joiner are as much of a word as its letters.
    character.is_alphanumeric()
        || is_combining_mark(character)
        || matches!(character, '_' | '\u{200C}' | '\u{200D}')
}

/// Words in the reference, in the text, and in both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Score {
    reference: usize,
    text: usize,
    common: usize,
}

impl Score {
    fn of(reference: &Bag, text: &Bag) -> Self {
        let common = reference
            .iter()
            .map(|(word, count)| text.get(word).map_or(0, |found| *found.min(count)));
        Self {
            reference: reference.values().sum(),
            text: text.values().sum(),
            common: common.sum(),
        }
    }

    /// The harmonic mean of recall and precision.
    fn f1(self) -> f64 {
        share(2 * self.common, self.reference + self.text)
    }

    fn recall(self) -> f64 {
        share(self.common, self.reference)
    }
}

fn share(part: usize, whole: usize) -> f64 {
    match whole {
        0 => 0.0,
        _ => part as f64 / whole as f64,
    }
}

fn mean(values: &[f64]) -> f64 {
    match values.len() {
        0 => 0.0,
        count => values.iter().sum::<f64>() / count as f64,
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (
        values.len() % 2,
        values.get(middle.wrapping_sub(1)),
        values.get(middle),
    ) {
        (0, Some(below), Some(above)) => (below + above) / 2.0,
        (_, _, value) => value.copied().unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(reference: &str, text: &str) -> Score {
        Score::of(&words(reference), &words(text))
    }

    #[test]
    fn a_word_counts_as_often_as_it_is_there() {
        let score = score("the brake, the door, the bogie", "The door the THE roof");
        assert_eq!((score.reference, score.text, score.common), (6, 5, 4));
        assert!((score.f1() - 8.0 / 11.0).abs() < 1e-9);
        assert!((score.recall() - 4.0 / 6.0).abs() < 1e-9);
    }

    #[test]
    fn marks_and_joiners_part_no_word() {
        assert_eq!(words("സുരക്ഷാ നിർദ്ദേശം").len(), 2);
        assert_eq!(score("അവന്\u{200D} വന്നു", "അവന്\u{200D} വന്നു").common, 2);
        // Spelt in one character or in two, it is the same word.
        assert_eq!(score("caf\u{E9}", "cafe\u{301}").common, 1);
    }

    #[test]
    fn nothing_scores_nothing() {
        assert_eq!(score("", "").f1(), 0.0);
        assert_eq!(score("brake", "").f1(), 0.0);
        assert_eq!(score("brake", "brake").f1(), 1.0);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![0.9, 0.1, 0.5]), 0.5);
        assert_eq!(median(vec![0.25, 0.75]), 0.5);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
