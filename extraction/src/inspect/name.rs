//! Names of files as they are meant. This module undoes what hides an extension, and must not
//! decide which extensions are welcome.

use crate::format::extension;

/// Rounds of percent-encoding that are undone.
const ROUNDS: usize = 3;

/// The name without percent-encoding, and without the dots and blanks at its end that some file
/// systems leave out. What is no encoding stays as it is.
#[must_use]
pub fn decoded_name(name: &str) -> String {
    let mut name = name.to_owned();
    for _ in 0..ROUNDS {
        match percent_decoded(&name) {
            Some(decoded) => name = decoded,
            None => break,
        }
    }
    // A stream of a file (`a.exe::$DATA`) is the file; look-alikes of the dot are meant as dots.
    let name = name.replace(['\u{FF0E}', '\u{3002}', '\u{FE52}'], ".");
    let file = name
        .split_once("::$")
        .map_or(name.as_str(), |(file, _)| file);
    file.trim_end_matches(|c: char| c == '.' || c.is_whitespace())
        .to_owned()
}

/// The extension of a decoded name, in lower case; empty when it has none.
#[must_use]
pub fn extension_of(name: &str) -> String {
    extension(name)
}

/// `None` when nothing in it is encoded, or what it stands for is no text.
fn percent_decoded(name: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    let mut changed = false;
    while let Some((first, after)) = rest.split_first() {
        let digit = |at: usize| {
            let digit = char::from(*after.get(at)?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high * 16 + low);
                changed = true;
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    changed.then(|| String::from_utf8(decoded).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_an_extension_is_undone() {
        for (sent, extension) in [
            ("report.pdf", "pdf"),
            ("report%2Eexe", "exe"),
            ("report%252Eexe", "exe"),
            ("a.exe%20", "exe"),
            ("a.exe. .", "exe"),
            ("a.exe::$DATA", "exe"),
            ("a\u{FF0E}exe", "exe"),
            ("സുരക്ഷ 100%.txt", "txt"),
            ("a%zz.txt", "txt"),
            ("job", ""),
        ] {
            assert_eq!(extension_of(&decoded_name(sent)), extension, "{sent}");
        }
        assert_eq!(decoded_name("a%2Fb.txt"), "a/b.txt");
        assert_eq!(decoded_name("a%ff.txt"), "a%ff.txt");
    }
}
