//! Malayalam: a light stemmer for the endings that nouns take.
//!
//! It cuts one ending (case, number, or both), and undoes what the ending did to the last letter:
//! anusvara, chillu and virama of the bare noun do not count. It knows no grammar; what it misses,
//! prefixes and trigrams find. A noun and its forms need only come out alike, not right.

/// Least letters (vowel signs aside) that a stem keeps.
const LEAST: usize = 2;

/// Endings, longest first where one ends another.
const ENDINGS: &[&str] = &[
    // Plural in -ങ്ങൾ, of nouns in -ം.
    "ങ്ങളിലേക്ക്",
    "ങ്ങളിലുള്ള",
    "ങ്ങളിൽനിന്ന്",
    "ങ്ങളിലൂടെ",
    "ങ്ങളോടൊപ്പം",
    "ങ്ങളിലും",
    "ങ്ങളുടെയും",
    "ങ്ങൾക്കും",
    "ങ്ങൾക്കായി",
    "ങ്ങളിലെ",
    "ങ്ങളിൽ",
    "ങ്ങളുടെ",
    "ങ്ങൾക്ക്",
    "ങ്ങളോട്",
    "ങ്ങളാൽ",
    "ങ്ങളെ",
    "ങ്ങളും",
    "ങ്ങൾ",
    // Plural in -കൾ.
    "ുകളിലേക്ക്",
    "ുകളിലുള്ള",
    "ുകളിലും",
    "ുകളിലെ",
    "ുകളിൽ",
    "ുകളുടെയും",
    "ുകളുടെ",
    "ുകൾക്കും",
    "ുകൾക്ക്",
    "ുകളോട്",
    "ുകളെ",
    "ുകളും",
    "ുകൾ",
    "കളിലേക്ക്",
    "കളിലുള്ള",
    "കളിലും",
    "കളിലെ",
    "കളിൽ",
    "കളുടെയും",
    "കളുടെ",
    "കൾക്കും",
    "കൾക്ക്",
    "കളോട്",
    "കളെ",
    "കളും",
    "കൾ",
    // Singular of nouns in -ം.
    "ത്തിലേക്ക്",
    "ത്തിൽനിന്ന്",
    "ത്തിലുള്ള",
    "ത്തിലൂടെ",
    "ത്തിനായി",
    "ത്തിലും",
    "ത്തിന്റെ",
    "ത്തിലെ",
    "ത്തിൽ",
    "ത്തിനും",
    "ത്തിന്",
    "ത്തിനെ",
    "ത്തോടെ",
    "ത്തോട്",
    "ത്താൽ",
    "ത്തെ",
    // Singular of nouns in a vowel.
    "യിലേക്ക്",
    "യിൽനിന്ന്",
    "യിലുള്ള",
    "യിലൂടെ",
    "യുടെയും",
    "യ്ക്കായി",
    "യിലും",
    "യിലെ",
    "യിൽ",
    "യുടെ",
    "യോടെ",
    "യോട്",
    "യ്ക്കും",
    "യ്ക്ക്",
    "യാൽ",
    "യെയും",
    "യെ",
    "യും",
    // Singular of the others.
    "ിലേക്ക്",
    "ിൽനിന്ന്",
    "ിലുള്ള",
    "ിലൂടെ",
    "ിന്റെയും",
    "ിനായി",
    "ിലും",
    "ിന്റെ",
    "ിലെ",
    "ിൽ",
    "ിനും",
    "ിന്",
    "ിനെ",
    "ിനോട്",
    "്റെയും",
    "്റെ",
    "ോടെ",
    "ുടെ",
    "ും",
];

/// The word is written in Malayalam letters.
pub(crate) fn is_malayalam(word: &str) -> bool {
    word.chars()
        .any(|c| matches!(c, '\u{d00}'..='\u{d65}' | '\u{d70}'..='\u{d7f}'))
}

/// The stem of a normalised word.
pub(super) fn stem(word: &str) -> String {
    let cut = ENDINGS
        .iter()
        .find_map(|ending| word.strip_suffix(ending).filter(|s| letters(s) >= LEAST));
    let mut stem: String = cut.unwrap_or(word).to_owned();
    if let Some(base) = bare(&stem) {
        stem = base;
    }
    stem
}

/// Without what a bare noun ends in and its forms do not.
fn bare(word: &str) -> Option<String> {
    let mut chars = word.chars();
    let last = chars.next_back()?;
    let rest = chars.as_str();
    let base = match last {
        // Anusvara, virama, and the long a of compounds.
        '\u{d02}' | '\u{d4d}' | 'ാ' => String::new(),
        'ൺ' => "ണ".into(),
        'ൻ' => "ന".into(),
        'ർ' => "ര".into(),
        'ൽ' => "ല".into(),
        'ൾ' => "ള".into(),
        _ => return None,
    };
    (letters(rest) >= LEAST || !base.is_empty()).then(|| {
        // The short u before a virama is a matter of spelling.
        let rest = rest.strip_suffix('ു').filter(|_| last == '\u{d4d}');
        format!("{}{base}", rest.unwrap_or(chars.as_str()))
    })
}

/// Letters, vowel signs and virama aside.
fn letters(word: &str) -> usize {
    let is_sign = |c: &char| matches!(c, '\u{d00}'..='\u{d04}' | '\u{d3b}'..='\u{d4d}' | '\u{d57}');
    word.chars().filter(|c| !is_sign(c)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_noun_have_one_stem() {
        for forms in [
            &["പാളം", "പാളത്തിൽ", "പാളത്തിന്റെ", "പാളങ്ങൾ", "പാളങ്ങളിലെ", "പാളങ്ങളുടെ"][..],
            &["അപകടം", "അപകടത്തെ", "അപകടത്തിന്", "അപകടങ്ങളിൽ"],
            &["സ്റ്റേഷൻ", "സ്റ്റേഷനിൽ", "സ്റ്റേഷനുകൾ", "സ്റ്റേഷന്റെ", "സ്റ്റേഷനിലേക്ക്"],
            &["ട്രെയിൻ", "ട്രെയിനിന്റെ", "ട്രെയിനുകളുടെ"],
            &["വണ്ടി", "വണ്ടിയിൽ", "വണ്ടികൾ", "വണ്ടികളുടെ", "വണ്ടിയുടെ"],
            &["ബ്രേക്ക്", "ബ്രേക്കിന്റെ", "ബ്രേക്കുകൾ"],
            &["മെട്രോ", "മെട്രോയിൽ", "മെട്രോയുടെ"],
            &["സുരക്ഷ", "സുരക്ഷാ", "സുരക്ഷയുടെ"],
        ] {
            for form in forms {
                assert_eq!(stem(form), stem(forms[0]), "{form}");
            }
        }
    }

    #[test]
    fn short_words_are_left_whole() {
        for word in ["കൾ", "മരം", "ആൽ", "ന്റെ", "്", ""] {
            assert!(letters(&stem(word)) >= letters(word).min(LEAST), "{word}");
        }
        assert_ne!(stem("കടൽ"), stem("കടം"));
    }

    #[test]
    fn other_scripts_are_not_malayalam() {
        assert!(is_malayalam("പാളം") && !is_malayalam("track") && !is_malayalam("൨"));
    }
}
