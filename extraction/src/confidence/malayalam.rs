//! Which Malayalam characters can stand after which: what every speller knows without a dictionary.
//! It must not know words.
//!
//! A vowel sign follows a consonant; a virama follows a consonant, or the sign of u (the half u at
//! the end of words); anusvara and visarga follow a consonant, a vowel or a vowel sign; a vowel
//! letter begins a word or follows another; a chillu does not begin a word; a joiner follows a
//! virama.

/// A character out of place weighs so much: one in three leaves nothing.
const WEIGHT: f64 = 3.0;

/// What was counted in Malayalam words.
#[derive(Default)]
pub(super) struct Tally {
    characters: usize,
    misplaced: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Start,
    Consonant,
    Vowel,
    Sign,
    SignU,
    Virama,
    /// Anusvara and visarga.
    Closing,
    Chillu,
    Joiner,
    Other,
}

impl Tally {
    /// Adds a run; blanks in it part words.
    pub(super) fn add(&mut self, run: &str) {
        for word in run.split(' ').filter(|word| !word.is_empty()) {
            let mut before = Kind::Start;
            for character in word.chars() {
                let kind = kind(character);
                self.characters += 1;
                self.misplaced += usize::from(!may_follow(before, kind));
                before = kind;
            }
        }
    }

    pub(super) const fn letters(&self) -> usize {
        self.characters
    }

    pub(super) fn score(&self) -> f64 {
        (1.0 - WEIGHT * crate::share(self.misplaced, self.characters)).max(0.0)
    }
}

const fn kind(character: char) -> Kind {
    match character {
        '\u{0D15}'..='\u{0D3A}' => Kind::Consonant,
        '\u{0D05}'..='\u{0D14}' | '\u{0D5F}'..='\u{0D61}' => Kind::Vowel,
        '\u{0D41}' => Kind::SignU,
        '\u{0D3E}'..='\u{0D4C}' | '\u{0D57}' | '\u{0D62}' | '\u{0D63}' => Kind::Sign,
        '\u{0D4D}' | '\u{0D3B}' | '\u{0D3C}' => Kind::Virama,
        '\u{0D00}'..='\u{0D03}' => Kind::Closing,
        '\u{0D7A}'..='\u{0D7F}' | '\u{0D54}'..='\u{0D56}' | '\u{0D4E}' => Kind::Chillu,
        '\u{200C}' | '\u{200D}' => Kind::Joiner,
        _ => Kind::Other,
    }
}

const fn may_follow(before: Kind, kind: Kind) -> bool {
    match kind {
        Kind::Sign | Kind::SignU => matches!(before, Kind::Consonant | Kind::Chillu),
        Kind::Virama => matches!(before, Kind::Consonant | Kind::SignU | Kind::Chillu),
        Kind::Closing => matches!(
            before,
            Kind::Consonant | Kind::Vowel | Kind::Sign | Kind::SignU
        ),
        Kind::Vowel => matches!(before, Kind::Start | Kind::Vowel | Kind::Other),
        Kind::Chillu => !matches!(before, Kind::Start | Kind::Virama),
        Kind::Joiner => matches!(before, Kind::Virama | Kind::Consonant | Kind::Sign),
        Kind::Consonant | Kind::Other | Kind::Start => true,
    }
}
