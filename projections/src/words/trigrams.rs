//! Runs of three characters of a word, for finding words that are spelled otherwise.
//!
//! A trigram is the number made of its three characters, 21 bits each: exact, and small in an index.

use std::collections::BTreeSet;

/// What stands before and after a word: no word holds it.
const EDGE: char = ' ';

fn of(chars: &[char]) -> BTreeSet<i64> {
    let number = |w: &[char]| {
        w.iter()
            .fold(0_i64, |n, c| (n << 21) | i64::from(u32::from(*c)))
    };
    chars.windows(3).map(number).collect()
}

/// Those of a word with its beginning and its end marked.
pub(crate) fn padded(word: &str) -> BTreeSet<i64> {
    let edge = |n: usize| std::iter::repeat_n(EDGE, n);
    let chars: Vec<char> = edge(2).chain(word.chars()).chain(edge(1)).collect();
    of(&chars)
}

/// Those that any word has which holds this one.
pub(crate) fn inner(word: &str) -> BTreeSet<i64> {
    of(&word.chars().collect::<Vec<_>>())
}

/// Three groups of the word's trigrams: whoever spells it with one mistake keeps at least one of
/// them whole, so words with any of them are all the candidates there are.
pub(crate) fn thirds(word: &str) -> Vec<Vec<i64>> {
    let edge = |n: usize| std::iter::repeat_n(EDGE, n);
    let chars: Vec<char> = edge(2).chain(word.chars()).chain(edge(1)).collect();
    let size = chars.len().div_ceil(3).max(3);
    chars
        .chunks(size)
        .map(|piece| of(piece).into_iter().collect::<Vec<_>>())
        .filter(|group| !group.is_empty())
        .collect()
}

/// How alike two words are: 0 when not enough, else more the fewer changes lie between them.
pub(crate) fn alike(a: &str, b: &str) -> u32 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let length = a.len().max(b.len());
    let most = if length >= 8 {
        2
    } else {
        1 + u32::from(length >= 6)
    };
    let changes = changes(&a, &b);
    if length < 3 || changes > most {
        0
    } else {
        1 + most - changes
    }
}

/// Letters put in, left out, changed or swapped with their neighbour (optimal string alignment).
fn changes(a: &[char], b: &[char]) -> u32 {
    let mut before: Vec<u32> = Vec::new();
    let mut last: Vec<u32> = (0..).take(b.len() + 1).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![last.first().map_or(0, |n| n + 1)];
        for (j, &y) in b.iter().enumerate() {
            let get = |row: &[u32], at: usize| row.get(at).copied().unwrap_or(u32::MAX / 2);
            let mut best = get(&last, j) + u32::from(x != y);
            best = best.min(get(&last, j + 1) + 1).min(get(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x);
            if swapped {
                best = best.min(get(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_holds_the_trigrams_of_what_it_holds() {
        assert!(inner("മെട്രോ").is_subset(&padded("കൊച്ചിമെട്രോയിൽ")));
        assert!(!inner("മെട്രോ").is_subset(&padded("കൊച്ചി")));
        assert_eq!(padded("ab").len(), 3);
        assert!(inner("ab").is_empty());
    }

    #[test]
    fn changes_are_counted() {
        let count = |a: &str, b: &str| {
            changes(
                &a.chars().collect::<Vec<_>>(),
                &b.chars().collect::<Vec<_>>(),
            )
        };
        for (a, b, n) in [
            ("", "", 0),
            ("", "abc", 3),
            ("safety", "saftey", 1),
            ("brake", "break", 2),
            ("pad", "pads", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!((count(a, b), count(b, a)), (n, n), "{a} {b}");
        }
    }

    #[test]
    fn words_are_alike_within_few_changes() {
        assert!(alike("safety", "saftey") > 0 && alike("inspection", "inspektoin") > 0);
        assert_eq!(alike("pad", "car"), 0);
        assert_eq!(alike("ab", "ac"), 0);
        assert!(alike("safety", "safety") > alike("safety", "saftey"));
    }

    #[test]
    fn one_mistake_leaves_a_third_whole() {
        let word = "maintenance";
        for at in 0..word.len() {
            let mut wrong = word.to_owned();
            wrong.replace_range(at..=at, "x");
            let has = padded(word);
            let kept = thirds(&wrong)
                .into_iter()
                .any(|group| group.iter().all(|t| has.contains(t)));
            assert!(kept, "{wrong}");
        }
    }
}
