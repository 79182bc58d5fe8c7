//! Which language a text is in: first by the scripts of its letters, then, where a script serves
//! several languages, by trigrams (whatlang). Owns what counts as a letter of which script; what a
//! word means is not its business.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// From this share of its letters on, the smaller script makes a text mixed: a name or a unit
/// in the other script does not, a sentence on a page does.
const MIXED_FROM: f64 = 0.05;
/// Fewer letters than this tell nothing beyond their script.
const FEWEST_LETTERS: usize = 200;
/// Characters that the language is told from: more of them tell nothing new.
const MOST_CHARACTERS: usize = 20_000;
/// What cannot be told.
const UNDETERMINED: &str = "und";

/// The language of a document.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Language {
    /// `mixed` where both English and Malayalam letters have at least 5%, `und` where it cannot
    /// be told, else a code of ISO 639: of two letters where there is one. A text in Latin letters
    /// that is short, or of which whatlang is not sure, counts as `en`.
    pub code: String,
    /// Share of each script in the letters, by its code in ISO 15924, to four digits.
    pub shares: BTreeMap<String, f64>,
}

impl Language {
    /// The code: `en`, `ml`, `mixed`, `und` or another.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    pub(crate) fn of<'a>(pages: impl Iterator<Item = &'a str> + Clone) -> Self {
        let counts = counts(pages.clone());
        let letters: usize = counts.values().sum();
        let shares = counts.iter().filter_map(|(script, n)| {
            let share = (crate::share(*n, letters) * 1e4).round() / 1e4;
            (share > 0.0).then(|| (script.code().to_owned(), share))
        });
        Self {
            code: code(&counts, pages).to_owned(),
            shares: shares.collect(),
        }
    }
}

/// How many letters there are of each script.
fn counts<'a>(pages: impl Iterator<Item = &'a str>) -> BTreeMap<Script, usize> {
    let mut counts: BTreeMap<Script, usize> = BTreeMap::new();
    // Scripts seldom change, so that the map is asked seldom.
    let (mut open, mut run) = (None, 0);
    for script in pages.flat_map(str::chars).filter_map(Script::of) {
        if open != Some(script)
            && let Some(before) = open.replace(script)
        {
            *counts.entry(before).or_default() += std::mem::take(&mut run);
        }
        run += 1;
    }
    if let Some(last) = open {
        *counts.entry(last).or_default() += run;
    }
    counts
}

fn code<'a>(
    counts: &BTreeMap<Script, usize>,
    pages: impl Iterator<Item = &'a str>,
) -> &'static str {
    let count = |script| counts.get(&script).copied().unwrap_or_default();
    let letters: usize = counts.values().sum();
    let known = count(Script::Latin) + count(Script::Malayalam);
    if known * 2 >= letters {
        let share = crate::share(count(Script::Malayalam), known);
        if (MIXED_FROM..=1.0 - MIXED_FROM).contains(&share) {
            return "mixed";
        }
    }
    let Some((script, n)) = counts.iter().max_by_key(|(_, n)| **n) else {
        return UNDETERMINED;
    };
    match script.languages() {
        Languages::One(code) => code,
        Languages::Several(_) if *n >= FEWEST_LETTERS => {
            told(pages).unwrap_or(script.languages().fallback())
        }
        Languages::Several(fallback) => fallback,
    }
}

/// The language as its trigrams tell it, if they tell it clearly.
fn told<'a>(pages: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    let mut sample = String::new();
    for (index, character) in pages.flat_map(str::chars).enumerate() {
        if index == MOST_CHARACTERS {
            break;
        }
        // What is shouted is said in the same language.
        sample.extend(character.to_lowercase());
    }
    let found = whatlang::detect(&sample).filter(whatlang::Info::is_reliable)?;
    Some(two_letters(found.lang().code()))
}

/// The two-letter code of a language that whatlang knows by three.
fn two_letters(code: &'static str) -> &'static str {
    const CODES: &[(&str, &str)] = &[
        ("eng", "en"),
        ("deu", "de"),
        ("fra", "fr"),
        ("spa", "es"),
        ("por", "pt"),
        ("ita", "it"),
        ("nld", "nl"),
        ("pol", "pl"),
        ("tur", "tr"),
        ("vie", "vi"),
        ("ind", "id"),
        ("swe", "sv"),
        ("dan", "da"),
        ("nob", "nb"),
        ("fin", "fi"),
        ("ces", "cs"),
        ("hun", "hu"),
        ("ron", "ro"),
        ("cat", "ca"),
        ("rus", "ru"),
        ("ukr", "uk"),
        ("bul", "bg"),
        ("hin", "hi"),
        ("mar", "mr"),
        ("nep", "ne"),
        ("ara", "ar"),
        ("urd", "ur"),
        ("pes", "fa"),
    ];
    let known = CODES.iter().find(|(three, _)| *three == code);
    known.map_or(code, |(_, two)| two)
}

/// A script, as far as it is told apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Script {
    Latin,
    Malayalam,
    Devanagari,
    Bengali,
    Gurmukhi,
    Gujarati,
    Oriya,
    Tamil,
    Telugu,
    Kannada,
    Arabic,
    Hebrew,
    Cyrillic,
    Greek,
    Thai,
    Han,
    Kana,
    Hangul,
    /// Letters of any other.
    Other,
}

enum Languages {
    One(&'static str),
    /// Several; which it is when nothing tells them apart.
    Several(&'static str),
}

impl Languages {
    const fn fallback(&self) -> &'static str {
        match self {
            Self::One(code) | Self::Several(code) => code,
        }
    }
}

impl Script {
    /// The script of a letter; `None` for digits, punctuation and blanks. Vowel signs count too:
    /// they are half of what is written in the scripts of India.
    pub(crate) fn of(character: char) -> Option<Self> {
        let script = match character {
            'A'..='Z' | 'a'..='z' => return Some(Self::Latin),
            '\0'..='\u{7F}' => return None,
            '\u{0900}'..='\u{0DFF}' if character.is_numeric() => return None,
            '\u{0964}' | '\u{0965}' => return None,
            '\u{0D00}'..='\u{0D7F}' => return Some(Self::Malayalam),
            '\u{0900}'..='\u{097F}' => return Some(Self::Devanagari),
            '\u{0980}'..='\u{09FF}' => return Some(Self::Bengali),
            '\u{0A00}'..='\u{0A7F}' => return Some(Self::Gurmukhi),
            '\u{0A80}'..='\u{0AFF}' => return Some(Self::Gujarati),
            '\u{0B00}'..='\u{0B7F}' => return Some(Self::Oriya),
            '\u{0B80}'..='\u{0BFF}' => return Some(Self::Tamil),
            '\u{0C00}'..='\u{0C7F}' => return Some(Self::Telugu),
            '\u{0C80}'..='\u{0CFF}' => return Some(Self::Kannada),
            '\u{00C0}'..='\u{024F}' | '\u{1E00}'..='\u{1EFF}' => Self::Latin,
            '\u{0370}'..='\u{03FF}' | '\u{1F00}'..='\u{1FFF}' => Self::Greek,
            '\u{0400}'..='\u{052F}' => Self::Cyrillic,
            '\u{0590}'..='\u{05FF}' => Self::Hebrew,
            '\u{0600}'..='\u{06FF}' | '\u{0750}'..='\u{077F}' => Self::Arabic,
            '\u{0E00}'..='\u{0E7F}' => Self::Thai,
            '\u{1100}'..='\u{11FF}' | '\u{AC00}'..='\u{D7AF}' => Self::Hangul,
            '\u{3040}'..='\u{30FF}' => Self::Kana,
            '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' => Self::Han,
            _ => Self::Other,
        };
        character.is_alphabetic().then_some(script)
    }

    /// The code of ISO 15924; `Zzzz` for what is not told apart.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Latin => "Latn",
            Self::Malayalam => "Mlym",
            Self::Devanagari => "Deva",
            Self::Bengali => "Beng",
            Self::Gurmukhi => "Guru",
            Self::Gujarati => "Gujr",
            Self::Oriya => "Orya",
            Self::Tamil => "Taml",
            Self::Telugu => "Telu",
            Self::Kannada => "Knda",
            Self::Arabic => "Arab",
            Self::Hebrew => "Hebr",
            Self::Cyrillic => "Cyrl",
            Self::Greek => "Grek",
            Self::Thai => "Thai",
            Self::Han => "Hani",
            Self::Kana => "Kana",
            Self::Hangul => "Hang",
            Self::Other => "Zzzz",
        }
    }

    const fn languages(self) -> Languages {
        match self {
            Self::Latin => Languages::Several("en"),
            Self::Devanagari => Languages::Several("hi"),
            Self::Malayalam => Languages::One("ml"),
            Self::Bengali => Languages::One("bn"),
            Self::Gurmukhi => Languages::One("pa"),
            Self::Gujarati => Languages::One("gu"),
            Self::Oriya => Languages::One("or"),
            Self::Tamil => Languages::One("ta"),
            Self::Telugu => Languages::One("te"),
            Self::Kannada => Languages::One("kn"),
            Self::Greek => Languages::One("el"),
            Self::Thai => Languages::One("th"),
            Self::Han => Languages::One("zh"),
            Self::Kana => Languages::One("ja"),
            Self::Hangul => Languages::One("ko"),
            Self::Hebrew => Languages::Several("he"),
            Self::Arabic | Self::Cyrillic | Self::Other => Languages::Several(UNDETERMINED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(text: &str) -> Language {
        Language::of(std::iter::once(text))
    }

    #[test]
    fn scripts_decide() {
        for (text, code) in [
            ("Brake inspection, bogie 4", "en"),
            ("സുരക്ഷാ നിർദ്ദേശം", "ml"),
            ("Safety circular: സുരക്ഷാ നിർദ്ദേശം", "mixed"),
            ("1234 - 5678", "und"),
            ("", "und"),
            ("Привет a", "und"),
            ("सुरक्षा परिपत्र", "hi"),
            ("பாதுகாப்பு சுற்றறிக்கை", "ta"),
        ] {
            assert_eq!(language(text).code(), code, "{text}");
        }
    }

    #[test]
    fn shares_are_those_of_the_letters() {
        let found = language("abcd സുരക 12.");
        let shares: Vec<_> = found.shares.iter().map(|(s, n)| (s.as_str(), *n)).collect();
        assert_eq!(shares, [("Latn", 0.5), ("Mlym", 0.5)]);
        assert!(language("12").shares.is_empty());
    }

    #[test]
    fn a_unit_in_the_other_script_does_not_mix() {
        assert_eq!(language(&format!("{} km", "സുരക്ഷ ".repeat(20))).code(), "ml");
    }

    #[test]
    fn languages_of_one_script_are_told_apart_once_there_is_enough_of_them() {
        let german = "Die Bremsanlage des Triebwagens wurde heute Nacht geprüft, und die \
                      Beläge an der dritten Achse sind ersetzt worden. Der Fahrdienstleiter ist \
                      davon unterrichtet, dass der Zug erst morgen wieder in den Dienst geht.";
        assert_eq!(language(&german.repeat(2)).code(), "de");
        assert_eq!(language("Bremse geprüft").code(), "en");
        let english = "The brakes of the train were examined tonight, and the pads on the third \
                       axle have been replaced. The controller knows that the train will not be \
                       in service before tomorrow morning.";
        assert_eq!(language(&english.repeat(2)).code(), "en");
        assert_eq!(language(&english.to_uppercase().repeat(2)).code(), "en");
    }
}
