//! How long documents are kept: rules by source and department, as text.

use super::pairs;
use std::fmt;
use std::str::FromStr;

/// Most days.
const MOST_DAYS: u32 = 36_500;
/// Longest source or department, in characters.
const MAX_WORD: usize = 64;

/// Documents of a source and a department are kept for some days after they came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRule {
    /// Where they came from; `None`: from anywhere.
    pub source: Option<String>,
    /// The department they belong to; `None`: to any or none.
    pub department: Option<String>,
    /// For how many days; 0: they are not kept at all.
    pub days: u32,
}

/// As it is written in the settings, and kept with events.
impl fmt::Display for RetentionRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "source={source},")?;
        }
        if let Some(department) = &self.department {
            write!(f, "department={department},")?;
        }
        write!(f, "days={}", self.days)
    }
}

/// Rules in order: the first that fits a document counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionRules(pub Vec<RetentionRule>);

impl FromStr for RetentionRules {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rules: Vec<RetentionRule> = pairs::rules(text).map(rule).collect::<Result<_, _>>()?;
        for (index, one) in rules.iter().enumerate() {
            let same = |other: &&RetentionRule| {
                other.source == one.source && other.department == one.department
            };
            if rules.iter().take(index).any(|other| same(&other)) {
                return Err(format!("`{one}` comes after a rule for the same documents"));
            }
        }
        Ok(Self(rules))
    }
}

fn rule(text: &str) -> Result<RetentionRule, String> {
    let (mut source, mut department, mut days) = (None, None, None);
    for pair in pairs::pairs(text) {
        let (name, value) = pair?;
        let twice = match name {
            "source" => source.replace(word(value)?).is_some(),
            "department" => department.replace(word(value)?).is_some(),
            "days" => days.replace(number(value)?).is_some(),
            _ => return Err(format!("`{name}` is none of source, department, days")),
        };
        if twice {
            return Err(format!("`{text}` names {name} twice"));
        }
    }
    Ok(RetentionRule {
        source,
        department,
        days: days.ok_or_else(|| format!("`{text}` lacks days"))?,
    })
}

fn word(value: &str) -> Result<String, String> {
    let length = value.chars().count();
    if !(1..=MAX_WORD).contains(&length) || value.chars().any(char::is_control) {
        return Err(format!(
            "a source or department has 1 to {MAX_WORD} characters"
        ));
    }
    Ok(value.to_owned())
}

fn number(value: &str) -> Result<u32, String> {
    value
        .parse()
        .ok()
        .filter(|days| *days <= MOST_DAYS)
        .ok_or_else(|| format!("`{value}` is no number of days from 0 to {MOST_DAYS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_written_alike() {
        let text = "source=scan,department=finance,days=3650; department=legal,days=30;days=7300;";
        let rules: RetentionRules = text.parse().unwrap();
        let written: Vec<_> = rules.0.iter().map(ToString::to_string).collect();
        assert_eq!(
            written,
            [
                "source=scan,department=finance,days=3650",
                "department=legal,days=30",
                "days=7300"
            ]
        );
        assert_eq!("".parse::<RetentionRules>().unwrap().0, []);
    }

    #[test]
    fn senseless_rules_are_refused() {
        for bad in [
            "source=scan",
            "days=x",
            "days=-1",
            "days=36501",
            "days=1,days=2",
            "source=,days=1",
            "colour=red,days=1",
            "scan",
            "days=1;days=2",
        ] {
            assert!(bad.parse::<RetentionRules>().is_err(), "{bad}");
        }
    }
}
