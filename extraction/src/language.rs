//! Which of the users' languages a text is in, judged by the scripts of its letters. This
//! module must not look at words: a dictionary is another module's business.

use serde::{Deserialize, Serialize};

/// From this share of its letters on, the smaller script makes a text mixed: a name or a unit
/// in the other script does not, a sentence on a page does.
const MIXED_FROM: f64 = 0.05;

/// The language of a document by its script.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Language {
    /// More than 95% of the Latin and Malayalam letters are Latin. Other languages in Latin
    /// script are not told apart from English.
    #[serde(rename = "en")]
    English,
    /// More than 95% of the Latin and Malayalam letters are Malayalam.
    #[serde(rename = "ml")]
    Malayalam,
    /// Both scripts have at least 5%.
    #[serde(rename = "mixed")]
    Mixed,
    /// There are no letters, or more than half of them are of neither script.
    #[serde(rename = "und")]
    Undetermined,
}

impl Language {
    /// The code that the serialised form uses: `en`, `ml`, `mixed` or `und`.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Malayalam => "ml",
            Self::Mixed => "mixed",
            Self::Undetermined => "und",
        }
    }

    pub(crate) fn of<'a>(pages: impl Iterator<Item = &'a str>) -> Self {
        let (mut latin, mut malayalam, mut other) = (0_usize, 0_usize, 0_usize);
        for character in pages.flat_map(str::chars) {
            match character {
                // Vowel signs count too: they are half of what is written in Malayalam.
                '\u{0D00}'..='\u{0D7F}' => malayalam += 1,
                'A'..='Z' | 'a'..='z' => latin += 1,
                '\u{00C0}'..='\u{024F}' if character.is_alphabetic() => latin += 1,
                _ if character.is_alphabetic() => other += 1,
                _ => {}
            }
        }
        let known = latin + malayalam;
        if known == 0 || other > known {
            return Self::Undetermined;
        }
        let share = crate::share(malayalam, known);
        if share < MIXED_FROM {
            Self::English
        } else if share > 1.0 - MIXED_FROM {
            Self::Malayalam
        } else {
            Self::Mixed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_decide() {
        let language = |text: &str| Language::of(std::iter::once(text)).code();
        assert_eq!(language("Brake inspection, bogie 4"), "en");
        assert_eq!(language("സുരക്ഷാ നിർദ്ദേശം"), "ml");
        assert_eq!(language("Safety circular: സുരക്ഷാ നിർദ്ദേശം"), "mixed");
        assert_eq!(language("1234 - 5678"), "und");
        assert_eq!(language("Привет a"), "und");
    }

    #[test]
    fn a_unit_in_the_other_script_does_not_mix() {
        let text = format!("{} km", "സുരക്ഷ ".repeat(20));
        assert_eq!(Language::of(std::iter::once(text.as_str())).code(), "ml");
    }

    #[test]
    fn the_code_is_what_is_serialised() {
        for language in [
            Language::English,
            Language::Malayalam,
            Language::Mixed,
            Language::Undetermined,
        ] {
            let json = serde_json::to_value(language).unwrap();
            assert_eq!(json, language.code());
        }
    }
}
