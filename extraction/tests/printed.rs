//! What Chromium and LibreOffice print in Malayalam, English and both: the fixtures of
//! `extraction/fixtures`, which its generator makes, read against what was printed.

#![cfg(test)]

use std::collections::HashMap;
use std::path::Path;

use kmrl_extraction::{Extraction, Input, Limits, extract};

/// Words of what was printed that must be read, at least.
const RECALL: f64 = 0.99;

fn read(name: &str) -> Extraction {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let bytes = std::fs::read(folder.join(name)).unwrap();
    let input = Input {
        bytes: &bytes,
        file_name: name,
        content_type: None,
    };
    extract(&input, &Limits::default(), &mut |_| true).unwrap()
}

fn words(text: &str) -> HashMap<&str, usize> {
    let mut words = HashMap::new();
    for word in text.split_whitespace() {
        *words.entry(word).or_default() += 1;
    }
    words
}

/// The shares of what was printed that was read, and of what was read that was printed.
fn recall_and_precision(printed: &str, read: &str) -> (f64, f64) {
    let (printed, read) = (words(printed), words(read));
    let common: usize = printed
        .iter()
        .map(|(word, count)| read.get(word).map_or(0, |found| *found.min(count)))
        .sum();
    let share = |of: &HashMap<&str, usize>| common as f64 / of.values().sum::<usize>() as f64;
    (share(&printed), share(&read))
}

fn check(printed: &str, name: &str, language: &str) {
    for program in ["chromium", "libreoffice"] {
        let extraction = read(&format!("{name}.{program}.pdf"));
        let pages: Vec<&str> = extraction
            .pages
            .iter()
            .map(|page| page.text.as_str())
            .collect();
        let text = pages.join("\n");
        let (recall, precision) = recall_and_precision(printed, &text);
        assert!(
            recall >= RECALL && precision >= RECALL,
            "{name} by {program}: {recall} {precision}\n{text}"
        );
        assert_eq!(extraction.language.code(), language, "{name} by {program}");
        let confidence = extraction.confidence;
        assert!(confidence > 0.9, "{name} by {program}: {confidence}");
        for page in &extraction.pages {
            let boxed: Vec<&str> = page.words.iter().map(|word| word.text.as_str()).collect();
            let split: Vec<&str> = page.text.split_whitespace().collect();
            assert_eq!(boxed, split, "{name} by {program}");
        }
    }
}

#[test]
fn malayalam() {
    check(
        include_str!("../fixtures/circular-malayalam.txt"),
        "circular-malayalam",
        "ml",
    );
}

#[test]
fn english() {
    check(
        include_str!("../fixtures/notice-english.txt"),
        "notice-english",
        "en",
    );
}

#[test]
fn both_on_one_page() {
    check(
        include_str!("../fixtures/report-mixed.txt"),
        "report-mixed",
        "mixed",
    );
}
