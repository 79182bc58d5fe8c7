//! One spelling for what Unicode lets people spell in several ways.
//!
//! NFKC, case, accents, joiners, and the Malayalam letters that have more than one encoding: chillus
//! (as one character since Unicode 5.1, before that as consonant, virama and joiner), the sign au,
//! the cluster nta, digits.

use unicode_normalization::UnicodeNormalization;

const VIRAMA: char = '\u{d4d}';
const ZWJ: char = '\u{200d}';

/// A word in the one spelling.
pub(super) fn word(word: &str) -> String {
    if word.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return word.to_ascii_lowercase();
    }
    let spelled: Vec<char> = word
        .nfkd()
        .filter(|c| !is_accent(*c))
        .nfc()
        .flat_map(char::to_lowercase)
        .collect();
    let mut plain = String::with_capacity(word.len());
    let mut rest = spelled.as_slice();
    while let Some((letter, left)) = step(rest) {
        plain.extend(letter);
        rest = left;
    }
    nta(&plain)
}

/// The next letter, and what is left; no letter for what does not count.
fn step(rest: &[char]) -> Option<(Option<char>, &[char])> {
    if let [base, VIRAMA, ZWJ, left @ ..] = rest
        && let Some(chillu) = chillu(*base)
    {
        return Some((Some(chillu), left));
    }
    let (first, left) = rest.split_first()?;
    Some((single(*first), left))
}

/// The chillu that a consonant has.
const fn chillu(base: char) -> Option<char> {
    Some(match base {
        'ണ' => '\u{d7a}',
        'ന' => '\u{d7b}',
        // Both ra and rra have the chillu rr.
        'ര' | 'റ' => '\u{d7c}',
        'ല' => '\u{d7d}',
        'ള' => '\u{d7e}',
        'ക' => '\u{d7f}',
        'മ' => '\u{d54}',
        'യ' => '\u{d55}',
        'ഴ' => '\u{d56}',
        _ => return None,
    })
}

fn single(c: char) -> Option<char> {
    Some(match c {
        // Joiners choose a shape, not a letter; the others are not seen.
        ZWJ | '\u{200c}' | '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => return None,
        '\'' | '\u{2019}' => '\'',
        // The old sign au, the dot reph, the old letter ii.
        '\u{d4c}' => '\u{d57}',
        '\u{d4e}' => '\u{d7c}',
        '\u{d5f}' => '\u{d08}',
        '\u{d66}'..='\u{d6f}' => char::from_digit(u32::from(c) - 0xd66, 10).unwrap_or(c),
        other => other,
    })
}

/// The cluster nta has three spellings.
fn nta(word: &str) -> String {
    if !word.contains('\u{d7b}') {
        return word.to_owned();
    }
    word.replace("\u{d7b}\u{d4d}റ", "ന്റ")
        .replace("\u{d7b}റ", "ന്റ")
}

/// Marks above and below Latin, Greek and Cyrillic letters.
const fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_chillu_is_one_letter_however_it_is_spelled() {
        for (base, atomic) in [
            ('ണ', 'ൺ'),
            ('ന', 'ൻ'),
            ('ര', 'ർ'),
            ('റ', 'ർ'),
            ('ല', 'ൽ'),
            ('ള', 'ൾ'),
            ('ക', 'ൿ'),
            ('മ', '\u{d54}'),
            ('യ', '\u{d55}'),
            ('ഴ', '\u{d56}'),
        ] {
            let old = format!("അവ{base}\u{d4d}\u{200d}");
            assert_eq!(word(&old), format!("അവ{atomic}"), "{old}");
            let inside = format!("അ{base}\u{d4d}\u{200d}പ");
            assert_eq!(word(&inside), format!("അ{atomic}പ"), "{inside}");
        }
        // Without a chillu of its own, a consonant keeps its virama and loses the joiner.
        assert_eq!(word("പ\u{d4d}\u{200d}"), "പ\u{d4d}");
        assert_eq!(word("\u{d4e}ക"), "ർക");
    }

    #[test]
    fn joiners_do_not_count() {
        assert_eq!(word("ക\u{d4d}\u{200c}ഷ"), word("ക\u{d4d}ഷ"));
        assert_eq!(word("\u{feff}so\u{ad}ft\u{200b}"), "soft");
    }

    #[test]
    fn composed_and_decomposed_signs_are_one() {
        // o, oo and au from their halves.
        assert_eq!(word("ക\u{d46}\u{d3e}"), "ക\u{d4a}");
        assert_eq!(word("ക\u{d47}\u{d3e}"), "ക\u{d4b}");
        assert_eq!(word("ക\u{d46}\u{d57}"), "ക\u{d57}");
        assert_eq!(word("ക\u{d4c}"), "ക\u{d57}");
    }

    #[test]
    fn nta_has_one_spelling() {
        for spelled in ["എന്റെ", "എൻ്റെ", "എൻറെ", "എന\u{d4d}\u{200d}റെ"]
        {
            assert_eq!(word(spelled), "എന്റെ", "{spelled}");
        }
    }

    #[test]
    fn case_width_accents_ligatures_and_digits_do_not_count() {
        assert_eq!(word("CAFÉ"), "cafe");
        assert_eq!(word("Ａｂｃ"), "abc");
        assert_eq!(word("\u{fb01}re"), "fire");
        assert_eq!(word("൨൦൨൬"), "2026");
        assert_eq!(word("WO17"), "wo17");
    }

    #[test]
    fn a_second_time_changes_nothing() {
        for text in [
            "എന\u{d4d}\u{200d}റെ",
            "സ്റ്റേഷന\u{d4d}\u{200d}",
            "CAFÉ",
            "ക\u{d4c}",
        ] {
            let once = word(text);
            assert_eq!(word(&once), once, "{text}");
        }
    }
}
