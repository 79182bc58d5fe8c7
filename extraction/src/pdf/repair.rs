//! Files that nearly follow the grammar: what other readers accept and ours does not is put
//! right in place, without moving a byte of anything else. This module owns these repairs; it
//! must not read the document.

use memchr::memmem;

const STREAM: &[u8] = b"stream";

/// Blanks between the word and the end of its line, at most.
const BLANKS_AT_MOST: usize = 8;

/// Bring the word `stream` to the end of its line where blanks follow it, by changing places
/// with them: the data begin after the line's end. `None` when there is nothing to mend.
pub(super) fn repaired(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut mended: Option<Vec<u8>> = None;
    for at in memmem::find_iter(bytes, b"stream ") {
        if !follows_a_dictionary(bytes.get(..at)) {
            continue;
        }
        let after = bytes.get(at + STREAM.len()..).unwrap_or_default();
        let blanks = after
            .iter()
            .take(BLANKS_AT_MOST)
            .take_while(|byte| **byte == b' ')
            .count();
        if !matches!(after.get(blanks), Some(b'\r' | b'\n')) {
            continue;
        }
        let whole = mended.get_or_insert_with(|| bytes.to_vec());
        if let Some(part) = whole.get_mut(at..at + STREAM.len() + blanks) {
            part.rotate_right(blanks);
        }
    }
    mended
}

fn follows_a_dictionary(before: Option<&[u8]>) -> bool {
    before.is_some_and(|before| before.trim_ascii_end().ends_with(b">>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_after_the_word_go_before_it() {
        let mended = repaired(b"<</Length 1>> stream  \nx\nendstream stream \n>>stream \r\n");
        let expected = b"<</Length 1>>   stream\nx\nendstream stream \n>> stream\r\n";
        assert_eq!(mended.as_deref(), Some(&expected[..]));
        assert_eq!(repaired(b"<<>>stream\nendstream"), None);
        assert_eq!(repaired(b">>stream "), None);
    }
}
