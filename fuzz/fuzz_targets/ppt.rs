//! The stream of an old presentation, whatever it holds, behind a directory at its first byte.

#![no_main]

use kmrl_extraction::fixtures::office;
use kmrl_extraction::{Input, Limits, extract};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // The last edit lies where the first four bytes say.
    let edit = data.get(..4).unwrap_or(&[0; 4]);
    let user = [[0; 12].as_slice(), &[0x5F, 0xC0, 0x91, 0xE3], edit].concat();
    let bytes = office::compound(&[
        ("/Current User", &user),
        ("/PowerPoint Document", data.get(4..).unwrap_or_default()),
    ]);
    let limits = Limits {
        max_decompressed_bytes: 16 << 20,
        ..Limits::default()
    };
    let input = Input {
        bytes: &bytes,
        file_name: "a.ppt",
        content_type: None,
    };
    // Any answer will do; a panic ends the process.
    let _ = extract(&input, &limits, &mut |_| true);
});
