//! Which department a document belongs to, by rules that people can read and change.
//!
//! Owns the rule file's form and how rules are applied. Pure: reads nothing but what it is given.
//! What it hands out names terms of the rules alone, never words of the document.

mod parse;
mod seek;

use kmrl_domain::judged::{DepartmentEvidence, FoundTerm};

pub use parse::RulesError;

/// The department of what belongs to none clearly.
pub const GENERAL: &str = "general";

/// The rules that are compiled in.
const BUILT_IN: &str = include_str!("rules.toml");
/// Terms that the evidence names at most.
const MOST_TERMS: usize = 10;
/// Characters of the text that are looked at: what a document is about stands in front.
const MOST_TEXT: usize = 200_000;

/// Rules, ready to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct DepartmentRules {
    /// The beginning of the SHA-256 of the file.
    digest: String,
    least_score: f64,
    least_lead: f64,
    most_count: u32,
    /// Weights of [`PLACES`].
    places: [f64; 3],
    departments: Vec<Department>,
}

/// Where terms are looked for, as rules and evidence name it.
const PLACES: [&str; 3] = ["file_name", "title", "text"];

#[derive(Clone, Debug, PartialEq)]
struct Department {
    name: String,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq)]
struct Term {
    /// As the file has it.
    shown: String,
    pattern: seek::Pattern,
    weight: f64,
}

/// What is known of a document.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The name it was uploaded under.
    pub file_name: &'a str,
    /// The title that the file states.
    pub title: Option<&'a str>,
    /// Its pages.
    pub pages: &'a [String],
}

impl DepartmentRules {
    /// The rules of a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        parse::parse(text)
    }

    /// The rules that are compiled in.
    ///
    /// # Errors
    /// When they cannot be used, which a test rules out.
    pub fn built_in() -> Result<Self, RulesError> {
        Self::parse(BUILT_IN)
    }

    /// No rules: everything is [`GENERAL`].
    #[must_use]
    pub const fn none() -> Self {
        Self {
            digest: String::new(),
            least_score: 0.0,
            least_lead: 0.0,
            most_count: 1,
            places: [0.0; 3],
            departments: Vec::new(),
        }
    }

    /// The department of a document, with why.
    #[must_use]
    pub fn decide(&self, about: &About<'_>) -> DepartmentEvidence {
        let places = self.places_of(about);
        let mut scored: Vec<(f64, &Department, Vec<FoundTerm>)> = self
            .departments
            .iter()
            .map(|department| self.score(department, &places))
            .collect();
        // Of equal ones the first in the file; they lead by nothing, so neither is taken.
        scored.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
        let next_score = scored.get(1).map_or(0.0, |(score, ..)| *score);
        let Some((score, department, mut terms)) = scored.into_iter().next() else {
            return DepartmentEvidence {
                department: GENERAL.to_owned(),
                ..DepartmentEvidence::default()
            };
        };
        let is_clear = score >= self.least_score && score - next_score >= self.least_lead;
        terms.sort_by(|a, b| b.score.total_cmp(&a.score));
        terms.truncate(MOST_TERMS);
        DepartmentEvidence {
            department: if is_clear { &department.name } else { GENERAL }.to_owned(),
            rules: self.digest.clone(),
            score: rounded(score),
            next_score: rounded(next_score),
            terms,
        }
    }

    fn places_of(&self, about: &About<'_>) -> [String; 3] {
        let text: String = about
            .pages
            .iter()
            .flat_map(|page| page.chars().chain(['\n']))
            .take(MOST_TEXT)
            .collect();
        let heading = || {
            text.lines()
                .find(|line| line.chars().any(char::is_alphabetic))
        };
        let title = about
            .title
            .filter(|title| !title.trim().is_empty())
            .or_else(heading);
        let title = seek::normalised(title.unwrap_or_default());
        [seek::name(about.file_name), title, seek::normalised(&text)]
    }

    fn score<'a>(
        &self,
        department: &'a Department,
        places: &[String; 3],
    ) -> (f64, &'a Department, Vec<FoundTerm>) {
        let (mut sum, mut found) = (0.0, Vec::new());
        for term in &department.terms {
            for ((place, text), weight) in PLACES.iter().zip(places).zip(self.places) {
                let count = term.pattern.count(text, self.most_count);
                let score = term.weight * weight * f64::from(count);
                if score > 0.0 {
                    sum += score;
                    found.push(FoundTerm {
                        term: term.shown.clone(),
                        place: (*place).to_owned(),
                        count,
                        score: rounded(score),
                    });
                }
            }
        }
        (sum, department, found)
    }
}

fn rounded(score: f64) -> f64 {
    (score * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests;
