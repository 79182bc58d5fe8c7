//! Seeded mutations of bytes, so that a failure comes back: its message names document, seed and
//! round.

use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once};

use kmrl_extraction::{Input, Limits, extract};

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// Some bytes changed, moved, doubled or cut off.
pub fn mutate(original: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=random.below(8) {
        let at = random.below(bytes.len());
        match random.below(10) {
            0 => bytes.truncate(at),
            1 | 2 => {
                let end = (at + random.below(64)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, part);
            }
            3 => {
                let end = (at + random.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 | 5 => {
                if let Some(digit) = bytes[at..].iter_mut().find(|byte| byte.is_ascii_digit()) {
                    *digit = b'0' + random.below(10) as u8;
                }
            }
            6 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = [0, 0xFF, b'<', b'\\', b'{', b'9', b'\'', b';'][random.below(8)];
                }
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    bytes
}

/// Where code of this project panicked. The crate turns the panics of its libraries into errors,
/// which must not hide its own.
static OURS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LISTENING: Once = Once::new();

fn listen() {
    LISTENING.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |told| {
            let place = told.location().map(ToString::to_string).unwrap_or_default();
            if place.contains("extraction/src") {
                OURS.lock().unwrap().push(place);
            } else if place.contains("extraction/tests") {
                usual(told);
            }
        }));
    });
}

/// Whatever the bytes are, there is an answer, and it keeps what the crate promises.
pub fn answers(what: &str, file_name: &str, bytes: &[u8]) {
    listen();
    let limits = Limits {
        max_pages: 100,
        max_characters: 100_000,
        max_decompressed_bytes: 8 << 20,
    };
    let input = Input {
        bytes,
        file_name,
        content_type: None,
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| extract(&input, &limits, &mut |_| true)));
    assert!(outcome.is_ok(), "{what}: panicked");
    let ours = OURS.lock().unwrap().clone();
    assert!(ours.is_empty(), "{what}: panicked at {ours:?}");
    if let Ok(Ok(extraction)) = outcome {
        let confidence = extraction.confidence;
        assert!((0.0..=1.0).contains(&confidence), "{what}: {confidence}");
        let clean = |c: char| !c.is_ascii_control() || matches!(c, '\n' | '\t');
        let pages = extraction.pages.iter();
        assert!(
            pages.clone().all(|page| page.text.chars().all(clean)),
            "{what}: control characters"
        );
        let characters: usize = pages.map(|page| page.text.chars().count()).sum();
        assert!(characters <= 100_000, "{what}: {characters} characters");
    }
}

/// Mutates a file as a whole.
pub fn outlasts(name: &str, file_name: &str, original: &[u8], seed: u64, rounds: u64) {
    let mut random = Random(seed);
    for round in 0..rounds {
        let bytes = mutate(original, &mut random);
        answers(
            &format!("{name}, seed {seed}, round {round}"),
            file_name,
            &bytes,
        );
    }
}
