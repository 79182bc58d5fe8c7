//! Settings that are lists of rules in one line: `name=value,name=value;name=value`.

/// The rules of a list.
pub(super) fn rules(text: &str) -> impl Iterator<Item = &str> {
    text.split(';')
        .map(str::trim)
        .filter(|rule| !rule.is_empty())
}

/// The names and values of a rule.
///
/// Gives an error for a part that is no `name=value`.
pub(super) fn pairs(rule: &str) -> impl Iterator<Item = Result<(&str, &str), String>> {
    rule.split(',').map(str::trim).map(|part| {
        part.split_once('=')
            .map(|(name, value)| (name.trim(), value.trim()))
            .ok_or_else(|| format!("`{part}` is no name=value"))
    })
}
