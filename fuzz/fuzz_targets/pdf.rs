//! The PDF reader: whatever bytes come in, it answers, and what it answers keeps its promises.
//! `cargo fuzz run pdf fuzz/corpus/pdf extraction/fixtures`.

#![no_main]

use kmrl_extraction::{Input, Limits, embedded_files, extract};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits {
        max_pages: 50,
        max_characters: 100_000,
        max_decompressed_bytes: 4 << 20,
    };
    let input = Input {
        bytes,
        file_name: "fuzzed.pdf",
        content_type: None,
    };
    if let Ok(extraction) = extract(&input, &limits, &mut |_| true) {
        assert!((0.0..=1.0).contains(&extraction.confidence));
        for page in &extraction.pages {
            assert!((0.0..=1.0).contains(&page.confidence));
            let clean = |c: char| !c.is_ascii_control() || matches!(c, '\n' | '\t');
            assert!(page.text.chars().all(clean));
            assert!(page.words.iter().all(|word| {
                [word.x, word.y, word.width, word.height]
                    .iter()
                    .all(|length| length.is_finite())
            }));
        }
    }
    embedded_files(bytes, &limits);
});
