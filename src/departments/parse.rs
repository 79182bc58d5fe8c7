//! Reads a rule file and says everything that is wrong with it at once.

use super::seek::Pattern;
use super::{Department, DepartmentRules, GENERAL, PLACES, Term};
use kmrl_domain::decide::MAX_DEPARTMENT;
use kmrl_domain::private::hex;
use sha2::{Digest, Sha256};
use toml::{Table, Value};

/// Heaviest weight, score and lead.
const MOST: f64 = 1_000.0;
/// Terms of a file at most: each is looked for in every document.
const MOST_TERMS: usize = 5_000;
/// Digits of the digest that name a file.
const DIGEST: usize = 16;

/// Rules that cannot be used, and all reasons why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct RulesError(pub Vec<String>);

pub(super) fn parse(text: &str) -> Result<DepartmentRules, RulesError> {
    let table: Table = text.parse().map_err(|e: toml::de::Error| {
        RulesError(vec![format!("it is no TOML: {}", e.message())])
    })?;
    let mut file = File { errors: Vec::new() };
    let known = [
        "least_score",
        "least_lead",
        "most_count",
        "places",
        "departments",
    ];
    file.known("", &table, &known);
    let rules = DepartmentRules {
        digest: hex(&Sha256::digest(text.as_bytes()))
            .chars()
            .take(DIGEST)
            .collect(),
        least_score: file.number("least_score", table.get("least_score")),
        least_lead: file.number("least_lead", table.get("least_lead")),
        most_count: file.count("most_count", table.get("most_count")),
        places: file.places(table.get("places")),
        departments: file.departments(table.get("departments")),
    };
    if file.errors.is_empty() {
        Ok(rules)
    } else {
        Err(RulesError(file.errors))
    }
}

struct File {
    errors: Vec<String>,
}

impl File {
    fn wrong(&mut self, what: String) {
        self.errors.push(what);
    }

    fn known(&mut self, prefix: &str, table: &Table, known: &[&str]) {
        for name in table.keys().filter(|name| !known.contains(&name.as_str())) {
            self.wrong(format!("`{prefix}{name}` is not known"));
        }
    }

    fn number(&mut self, name: &str, value: Option<&Value>) -> f64 {
        let number = match value {
            Some(Value::Float(n)) => Some(*n),
            Some(Value::Integer(n)) => Some(*n as f64),
            _ => None,
        };
        match number.filter(|n| (0.0..=MOST).contains(n)) {
            Some(number) => number,
            None => {
                self.wrong(format!("`{name}` must be a number from 0 to {MOST}"));
                0.0
            }
        }
    }

    fn count(&mut self, name: &str, value: Option<&Value>) -> u32 {
        let number = value.and_then(Value::as_integer);
        match number
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| (1..=1_000).contains(n))
        {
            Some(number) => number,
            None => {
                self.wrong(format!("`{name}` must be a whole number from 1 to 1000"));
                1
            }
        }
    }

    fn table<'a>(&mut self, name: &str, value: Option<&'a Value>) -> Option<&'a Table> {
        let table = value.and_then(Value::as_table);
        if table.is_none() {
            self.wrong(format!("`[{name}]` must be a table"));
        }
        table
    }

    fn places(&mut self, value: Option<&Value>) -> [f64; 3] {
        let Some(table) = self.table("places", value) else {
            return [0.0; 3];
        };
        self.known("places.", table, &PLACES);
        PLACES.map(|place| self.number(&format!("places.{place}"), table.get(place)))
    }

    fn departments(&mut self, value: Option<&Value>) -> Vec<Department> {
        let Some(table) = self.table("departments", value) else {
            return Vec::new();
        };
        let mut departments = Vec::new();
        for (name, terms) in table {
            let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if name.is_empty() || name.len() > MAX_DEPARTMENT || !name.chars().all(is_word) {
                self.wrong(format!(
                    "the department `{name}` must be 1 to {MAX_DEPARTMENT} of a-z, 0-9 and _"
                ));
            }
            if name == GENERAL {
                self.wrong(format!(
                    "`{GENERAL}` is what belongs nowhere else: it has no terms"
                ));
            }
            let Some(terms) = self.table(&format!("departments.{name}"), Some(terms)) else {
                continue;
            };
            departments.push(Department {
                name: name.clone(),
                terms: self.terms(name, terms),
            });
        }
        if departments.is_empty() {
            self.wrong("there is no department".into());
        }
        let all: usize = departments.iter().map(|d| d.terms.len()).sum();
        if all > MOST_TERMS {
            self.wrong(format!(
                "there are {all} terms, at most {MOST_TERMS} can be"
            ));
        }
        departments
    }

    fn terms(&mut self, department: &str, table: &Table) -> Vec<Term> {
        let mut terms: Vec<Term> = Vec::new();
        for (shown, weight) in table {
            let name = format!("departments.{department}.\"{shown}\"");
            let weight = self.number(&name, Some(weight));
            match Pattern::of(shown) {
                None => self.wrong(format!("`{name}` has neither letter nor digit")),
                Some(pattern) if terms.iter().any(|term| term.pattern == pattern) => {
                    self.wrong(format!("`{name}` is there twice"));
                }
                Some(pattern) => terms.push(Term {
                    shown: shown.clone(),
                    pattern,
                    weight,
                }),
            }
        }
        terms
    }
}
