//! The codes inside texts of drawings, taken out: what is left is what is shown. This module must
//! not know where a text stands.

/// A text without formatting: special characters only.
pub(super) fn line(text: &str) -> String {
    special(&text.replace('^', "^\u{0}")).replace("^\u{0}", "^")
}

/// `%%d` and its like, and `\U+0D15`.
fn special(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['%', '\\']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some((character, after)) = unicode(from) {
            out.push(character);
            rest = after;
            continue;
        }
        let mut after = from.chars();
        let (first, second, third) = (after.next(), after.next(), after.next());
        let shown = match (first, second, third) {
            (Some('%'), Some('%'), Some(code)) => match code.to_ascii_lowercase() {
                'd' => Some("°"),
                'p' => Some("±"),
                'c' => Some("Ø"),
                '%' => Some("%"),
                'u' | 'o' | 'k' => Some(""),
                _ => None,
            },
            _ => None,
        };
        match shown {
            Some(shown) => {
                out.push_str(shown);
                rest = after.as_str();
            }
            None => {
                out.extend(first);
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

/// A character by its number, and what comes after it.
fn unicode(text: &str) -> Option<(char, &str)> {
    let digits = text.strip_prefix("\\U+")?;
    let number = u32::from_str_radix(digits.get(..4)?, 16).ok()?;
    Some((char::from_u32(number)?, digits.get(4..)?))
}

/// Formatted text as it is shown: paragraphs as lines, fractions with a slash.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '{', '}', '^']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let mut after = from.chars();
        rest = match (after.next(), after.next()) {
            (Some('\\'), Some(_)) if unicode(from).is_some() => {
                let (character, after) = unicode(from).unwrap_or((' ', ""));
                out.push(character);
                after
            }
            (Some('\\'), Some(code)) => formatted(code, after.as_str(), &mut out),
            // Braces hold formatting together.
            (Some('{' | '}'), _) => from.get(1..).unwrap_or_default(),
            (Some('^'), Some('I')) => {
                out.push('\t');
                after.as_str()
            }
            (Some('^'), Some('J' | 'M')) => {
                out.push('\n');
                after.as_str()
            }
            (Some('^'), Some(' ')) => {
                out.push('^');
                after.as_str()
            }
            (first, _) => {
                out.extend(first);
                from.get(1..).unwrap_or_default()
            }
        };
    }
    out.push_str(rest);
    special(&out)
}

/// What a code shows; answers what comes after it.
fn formatted<'a>(code: char, after: &'a str, out: &mut String) -> &'a str {
    let argument = || after.split_once(';').unwrap_or(("", after));
    match code {
        'P' | 'X' | 'N' => {
            out.push('\n');
            after
        }
        '~' => {
            out.push('\u{A0}');
            after
        }
        '\\' | '{' | '}' => {
            out.push(code);
            after
        }
        'L' | 'l' | 'O' | 'o' | 'K' | 'k' => after,
        'S' => {
            let (fraction, after) = argument();
            out.push_str(&fraction.replace(['^', '#'], "/").replace("/ ", "/"));
            after
        }
        // Fonts, heights, colours, widths, angles, alignment, spacing, paragraphs.
        'f' | 'F' | 'H' | 'h' | 'C' | 'c' | 'W' | 'w' | 'Q' | 'q' | 'A' | 'a' | 'T' | 't' | 'p' => {
            argument().1
        }
        _ => {
            out.push('\\');
            out.push(code);
            after
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_taken_out_and_text_stays() {
        for (text, shown) in [
            (
                r"{\fArial|b0|i0;\H2.5;BOGIE} FRAME\Psheet 1",
                "BOGIE FRAME\nsheet 1",
            ),
            (r"\A1;45%%d \S1^2; {\C1;red}", "45° 1/2 red"),
            (
                r"\U+0D15\U+0D4A tol. %%p0.1 \\ \{x\}",
                "കൊ tol. ±0.1 \\ {x}",
            ),
            (r"a^Ib^J c^ d", "a\tb\n c^d"),
            (r"end\", "end\\"),
            (r"\f no end", " no end"),
            ("100%", "100%"),
        ] {
            assert_eq!(plain(text), shown, "{text}");
        }
        assert_eq!(
            line(r"%%c12 %%uunder%%u 5%%% \U+0D05^2"),
            "Ø12 under 5% അ^2"
        );
    }
}
