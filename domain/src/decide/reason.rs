//! Reasons that people give: what counts as one is the same for every command.

/// Longest reason, in characters.
pub const MAX_REASON: usize = 1_000;

/// The reason without the blanks around it; `None` when it has no letter or digit, or is too long.
pub(crate) fn given(text: &str) -> Option<String> {
    let reason = text.trim();
    let says_something = reason.chars().any(char::is_alphanumeric);
    (says_something && reason.chars().count() <= MAX_REASON).then(|| reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_something() {
        assert_eq!(given(" sent twice ").as_deref(), Some("sent twice"));
        assert_eq!(given("രണ്ടുതവണ").as_deref(), Some("രണ്ടുതവണ"));
        for nothing in ["", " \n", "...", "-", &"x".repeat(MAX_REASON + 1)] {
            assert_eq!(given(nothing), None);
        }
    }
}
