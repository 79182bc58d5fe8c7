//! English: words too common to tell anything, and Snowball's stems.

use rust_stemmers::{Algorithm, Stemmer};

/// Sorted. Short on purpose: what is left out cannot be searched for.
const COMMON: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "been", "but", "by", "for", "from", "had", "has",
    "have", "he", "her", "his", "if", "in", "into", "is", "it", "its", "of", "on", "or", "she",
    "so", "such", "that", "the", "their", "them", "then", "there", "these", "they", "this", "to",
    "was", "were", "which", "will", "with",
];

/// The word is written in English letters alone, an apostrophe aside.
pub(super) fn is_english(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_alphabetic() || b == b'\'')
}

/// The word is too common to tell anything.
pub(super) fn is_common(word: &str) -> bool {
    COMMON.binary_search(&word).is_ok()
}

/// The stem of a word in lower case.
pub(super) fn stem(word: &str) -> String {
    let word = word.strip_suffix("'s").unwrap_or(word).replace('\'', "");
    Stemmer::create(Algorithm::English).stem(&word).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_have_one_stem() {
        for forms in [
            ["inspect", "inspected", "inspecting"],
            ["brake", "brakes", "braking"],
            ["safety", "safety's", "safety"],
        ] {
            assert_eq!(stem(forms[0]), stem(forms[1]));
            assert_eq!(stem(forms[0]), stem(forms[2]));
        }
        assert_eq!(stem("don't"), "dont");
    }

    #[test]
    fn the_list_is_sorted_and_names_do_not_stand_in_it() {
        assert!(COMMON.is_sorted());
        assert!(is_common("the") && !is_common("may") && !is_common("will-power"));
    }
}
