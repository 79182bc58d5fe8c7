//! The packed rich text of a message, whatever it holds.

#![no_main]

use kmrl_extraction::fixtures::office;
use kmrl_extraction::{Input, Limits, extract};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let bytes = office::compound(&[
        ("/__properties_version1.0", &[0; 32]),
        ("/__substg1.0_10090102", data),
    ]);
    let limits = Limits {
        max_decompressed_bytes: 16 << 20,
        ..Limits::default()
    };
    let input = Input {
        bytes: &bytes,
        file_name: "a.msg",
        content_type: None,
    };
    // Any answer will do; a panic ends the process.
    let _ = extract(&input, &limits, &mut |_| true);
});
