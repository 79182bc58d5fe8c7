//! Bytes without a name: the format is found by what they are.

#![no_main]

use kmrl_extraction::{Input, Limits, extract};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let input = Input {
        bytes,
        file_name: "",
        content_type: None,
    };
    // Any answer will do; a panic ends the process.
    let _ = extract(&input, &Limits::default(), &mut |_| true);
});
