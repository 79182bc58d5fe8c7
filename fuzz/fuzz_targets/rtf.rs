//! Rich text, whatever it holds.

#![no_main]

use kmrl_extraction::{Input, Limits, extract};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let bytes = [b"{\\rtf1".as_slice(), data].concat();
    let limits = Limits {
        max_decompressed_bytes: 16 << 20,
        ..Limits::default()
    };
    let input = Input {
        bytes: &bytes,
        file_name: "a.rtf",
        content_type: None,
    };
    // Any answer will do; a panic ends the process.
    let _ = extract(&input, &limits, &mut |_| true);
});
