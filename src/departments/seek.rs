//! Finding terms in text: what counts as the same, and where a word begins and ends.

/// A term as it is looked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pattern {
    text: String,
    /// Words may go on after it.
    open: bool,
}

impl Pattern {
    /// Reads a term; `None` when nothing of it is a letter or digit.
    pub(super) fn of(term: &str) -> Option<Self> {
        let (stem, starred) = match term.trim().strip_suffix('*') {
            Some(stem) => (stem, true),
            None => (term.trim(), false),
        };
        let text = normalised(stem);
        text.chars().any(char::is_alphanumeric).then(|| Self {
            open: starred || text.chars().any(is_malayalam),
            text,
        })
    }

    /// How often it stands in a normalised text, counted up to `most`.
    pub(super) fn count(&self, text: &str, most: u32) -> u32 {
        let mut count = 0;
        for (at, found) in text.match_indices(&self.text) {
            let before = text.get(..at).and_then(|t| t.chars().next_back());
            let after = text.get(at + found.len()..).and_then(|t| t.chars().next());
            if before.is_some_and(in_word) || !self.open && after.is_some_and(in_word) {
                continue;
            }
            count += 1;
            if count == most {
                break;
            }
        }
        count
    }
}

fn in_word(character: char) -> bool {
    character.is_alphanumeric() || is_malayalam(character)
}

fn is_malayalam(character: char) -> bool {
    matches!(character, '\u{0D00}'..='\u{0D7F}')
}

/// A file's name: what parts its words are blanks.
pub(super) fn name(file_name: &str) -> String {
    normalised(&file_name.replace(['_', '-', '.', '+', '(', ')'], " "))
}

/// Lower case, single blanks, and Malayalam written in one way: chillus as letters of their own,
/// vowel signs in one piece, no joiners.
pub(super) fn normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars().flat_map(char::to_lowercase) {
        match character {
            '\u{200D}' => chillu(&mut out),
            '\u{200C}' | '\u{FEFF}' | '\u{00AD}' => {}
            '\u{0D3E}' | '\u{0D57}' => vowel(&mut out, character),
            c if c.is_whitespace() => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Consonant, virama and joiner are a chillu.
fn chillu(out: &mut String) {
    const CHILLUS: [(&str, char); 6] = [
        ("\u{0D23}\u{0D4D}", '\u{0D7A}'),
        ("\u{0D28}\u{0D4D}", '\u{0D7B}'),
        ("\u{0D30}\u{0D4D}", '\u{0D7C}'),
        ("\u{0D32}\u{0D4D}", '\u{0D7D}'),
        ("\u{0D33}\u{0D4D}", '\u{0D7E}'),
        ("\u{0D15}\u{0D4D}", '\u{0D7F}'),
    ];
    if let Some((pair, chillu)) = CHILLUS.iter().find(|(pair, _)| out.ends_with(pair)) {
        out.truncate(out.len() - pair.len());
        out.push(*chillu);
    }
}

/// The second piece of a vowel sign in two pieces.
fn vowel(out: &mut String, piece: char) {
    let whole = match (out.chars().next_back(), piece) {
        (Some('\u{0D46}'), '\u{0D3E}') => '\u{0D4A}',
        (Some('\u{0D47}'), '\u{0D3E}') => '\u{0D4B}',
        (Some('\u{0D46}'), '\u{0D57}') => '\u{0D4C}',
        _ => {
            out.push(piece);
            return;
        }
    };
    out.pop();
    out.push(whole);
}
