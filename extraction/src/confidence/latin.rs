//! How well Latin letters follow one another. It must not know words.

/// Mean cost in bits up to which text is good, and from which on it is none.
const GOOD: f64 = 4.0;
const BAD: f64 = 5.1;
/// Pairs of good text that every text is taken to begin with: a few letters tell little.
const PRIOR_PAIRS: f64 = 12.0;
const PRIOR_COST: f64 = 3.6;
/// A pair with a letter beyond A to Z: rarer than most, and common in other languages.
const FOREIGN: f64 = 5.0;

/// Cost in bits, 0 to 9, of each symbol (end of word, then A to Z) after each. Made from the
/// comments and documents of this project with `examples/letter_pairs.rs`.
const PAIRS: [&[u8; 27]; 27] = [
    b"935555566486555459543684999",
    b"396449659596553969433777959",
    b"439891899749499499648599939",
    b"549693993694599299583399989",
    b"159973999599999399649799969",
    b"259546689799663968335957669",
    b"149795699399799299484599989",
    b"139993975499795499458699999",
    b"329981999399999499897899979",
    b"798555659999452479532959997",
    b"979991999999999299939599999",
    b"299991999499764949949799999",
    b"349932699399499399846699959",
    b"336991999499848459769699999",
    b"259533949799696399943899969",
    b"476466359787543669354464999",
    b"439873997499399349354599989",
    b"899999999999299999699199999",
    b"249752889496778399545679959",
    b"159793995497999588953696989",
    b"259793982499999499546897989",
    b"975554969699433949333999999",
    b"549990999499999999999999999",
    b"339993991399994499559999999",
    b"349795899599989949991999989",
    b"087996999899897759943999999",
    b"388881888388888688888866888",
];

/// What was counted in Latin words.
#[derive(Default)]
pub(super) struct Tally {
    letters: usize,
    pairs: f64,
    cost: f64,
    words: usize,
    jumping: usize,
}

impl Tally {
    /// Adds a run of letters; blanks in it part words.
    pub(super) fn add(&mut self, run: &str) {
        for word in run.split(' ').filter(|word| !word.is_empty()) {
            self.letters += word.chars().count();
            self.words += 1;
            self.jumping += usize::from(jumps(word));
            let mut before = Some(0);
            for symbol in word.chars().map(symbol).chain([Some(0)]) {
                self.cost += match (before, symbol) {
                    (Some(from), Some(to)) => cost(from, to),
                    _ => FOREIGN,
                };
                self.pairs += 1.0;
                before = symbol;
            }
        }
    }

    pub(super) const fn letters(&self) -> usize {
        self.letters
    }

    pub(super) fn score(&self) -> f64 {
        let pairs = self.pairs + PRIOR_PAIRS;
        let mean = (self.cost + PRIOR_PAIRS * PRIOR_COST) / pairs;
        let fit = ((BAD - mean) / (BAD - GOOD)).clamp(0.0, 1.0);
        fit * (1.0 - crate::share(self.jumping, self.words))
    }
}

fn symbol(character: char) -> Option<usize> {
    match character.to_ascii_lowercase() {
        c @ 'a'..='z' => Some(usize::from(c as u8 - b'a') + 1),
        _ => None,
    }
}

fn cost(from: usize, to: usize) -> f64 {
    let digit = PAIRS.get(from).and_then(|row| row.get(to));
    digit.map_or(FOREIGN, |digit| f64::from(digit - b'0'))
}

/// The case goes up inside the word more than once: "kpc£m" and "SharePoint" do not, "tImSXn" does.
fn jumps(word: &str) -> bool {
    let mut ups = 0;
    let mut before_is_lower = false;
    for character in word.chars() {
        ups += usize::from(before_is_lower && character.is_uppercase());
        before_is_lower = character.is_lowercase();
    }
    ups > 1 || ups == 1 && word.chars().next().is_some_and(char::is_lowercase)
}
