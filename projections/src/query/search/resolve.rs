//! A query's terms with the other forms and spellings of their words, as the vocabulary has them.
//!
//! A word is looked for as it is (which for English and Malayalam means its stem). A Malayalam word
//! also as the beginning of longer ones and within compounds. A word that no document has is taken
//! for misspelled: the words most alike take its place. Phrases, quoted words and exclusions mean
//! what they say.

use super::parse::{SearchQuery, Term};
use crate::words::{alike, inner, is_malayalam, is_of_vocabulary, padded, quoted, thirds};
use serde::Serialize;
use sqlx::PgConnection;
use std::collections::BTreeSet;

/// Most compounds that a word is looked for in.
const MOST_COMPOUNDS: i64 = 32;
/// Most candidates for a misspelled word.
const MOST_CANDIDATES: i64 = 200;
/// Most words that a misspelled one is read as.
const MOST_ALIKE: usize = 8;
/// Least characters of a word that other words are looked for of.
const LEAST: usize = 3;

/// A word that no document has, and what it was read as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadAs {
    /// The word, stemmed.
    pub word: String,
    /// The words looked for in its place, stemmed.
    pub read_as: Vec<String>,
}

/// A term with everything that counts as it.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub term: Term,
    /// Words that count as the term's only word.
    pub also: BTreeSet<String>,
    /// Words that begin with the term's only word count too.
    pub longer: bool,
}

/// A query with everything that counts.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub groups: Vec<Vec<Resolved>>,
    pub excluded: Vec<Term>,
    pub read_as: Vec<ReadAs>,
}

impl Resolved {
    fn exactly(term: Term) -> Self {
        Self {
            term,
            also: BTreeSet::new(),
            longer: false,
        }
    }

    /// Everything that counts, as a `tsquery`.
    fn wide(&self) -> String {
        let mut any = vec![self.term.exact()];
        if self.longer
            && let Some(word) = self.term.open_word()
        {
            any.push(format!("{}:*", quoted(word)));
        }
        any.extend(self.also.iter().map(|word| quoted(word)));
        format!("({})", any.join(" | "))
    }
}

impl Plan {
    /// What each group asks for, as `tsquery`s.
    pub fn asked(&self) -> Vec<String> {
        let group = |group: &Vec<Resolved>| {
            let any: Vec<String> = group.iter().map(Resolved::wide).collect();
            format!("({})", any.join(" | "))
        };
        self.groups.iter().map(group).collect()
    }

    /// Other forms or spellings count than those asked for.
    pub fn is_widened(&self) -> bool {
        let mut terms = self.groups.iter().flatten();
        terms.any(|resolved| resolved.longer || !resolved.also.is_empty())
    }

    /// What is excluded, as `tsquery`s.
    pub fn barred(&self) -> Vec<String> {
        self.excluded.iter().map(Term::exact).collect()
    }

    /// What is asked for in so many words, any of it.
    pub fn exact(&self) -> String {
        let terms = self.groups.iter().flatten();
        let exact: Vec<String> = terms.map(|resolved| resolved.term.exact()).collect();
        exact.join(" | ")
    }
}

/// `guesses`: misspelled words are read as others. Somebody who does not see every document must not be
/// told words of the others.
pub(super) async fn resolve(
    connection: &mut PgConnection,
    query: &SearchQuery,
    guesses: bool,
) -> Result<Plan, sqlx::Error> {
    let mut plan = Plan {
        groups: Vec::with_capacity(query.groups.len()),
        excluded: query.excluded.clone(),
        read_as: Vec::new(),
    };
    for group in &query.groups {
        let mut resolved = Vec::with_capacity(group.len());
        for term in group {
            resolved.push(widen(connection, term, guesses, &mut plan.read_as).await?);
        }
        plan.groups.push(resolved);
    }
    Ok(plan)
}

async fn widen(
    connection: &mut PgConnection,
    term: &Term,
    guesses: bool,
    read_as: &mut Vec<ReadAs>,
) -> Result<Resolved, sqlx::Error> {
    let mut resolved = Resolved::exactly(term.clone());
    let Some(word) = term.open_word() else {
        return Ok(resolved);
    };
    if !is_of_vocabulary(word) {
        return Ok(resolved);
    }
    if is_malayalam(word) {
        resolved.longer = true;
        resolved.also = compounds(connection, word).await?;
        if !resolved.also.is_empty() {
            return Ok(resolved);
        }
    }
    if !guesses || is_known(connection, word, resolved.longer).await? {
        return Ok(resolved);
    }
    let found = spelled_alike(connection, word).await?;
    if !found.is_empty() {
        read_as.push(ReadAs {
            word: word.to_owned(),
            read_as: found.clone(),
        });
    }
    resolved.also = found.into_iter().collect();
    Ok(resolved)
}

/// A document has the word, or one that begins with it.
async fn is_known(
    connection: &mut PgConnection,
    word: &str,
    or_longer: bool,
) -> Result<bool, sqlx::Error> {
    let end = if or_longer { "\u{10ffff}" } else { "" };
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM read.search_words WHERE word >= $1 AND word <= $1 || $2)",
    )
    .bind(word)
    .bind(end)
    .fetch_one(connection)
    .await
}

/// Words that hold the word further in, the shortest first.
async fn compounds(
    connection: &mut PgConnection,
    word: &str,
) -> Result<BTreeSet<String>, sqlx::Error> {
    let trigrams: Vec<i64> = inner(word).into_iter().collect();
    if word.chars().count() < LEAST || trigrams.is_empty() {
        return Ok(BTreeSet::new());
    }
    let words: Vec<String> = sqlx::query_scalar(
        "SELECT word FROM read.search_words WHERE trigrams @> $1 AND position($2 IN word) > 1 \
         ORDER BY length(word), word LIMIT $3",
    )
    .bind(trigrams)
    .bind(word)
    .bind(MOST_COMPOUNDS)
    .fetch_all(connection)
    .await?;
    Ok(words.into_iter().collect())
}

/// The words that are most alike, within few changes, or that hold the word.
async fn spelled_alike(
    connection: &mut PgConnection,
    word: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let all: Vec<i64> = padded(word).into_iter().collect();
    let mut groups = thirds(word);
    // Whoever holds the whole word is a candidate too.
    groups.push(inner(word).into_iter().collect());
    let any: Vec<String> = (0..groups.len())
        .map(|n| format!("trigrams @> ${}", n + 3))
        .collect();
    let sql = format!(
        "SELECT word FROM read.search_words WHERE {} \
         ORDER BY (SELECT count(*) FROM unnest(trigrams) t WHERE t = ANY($1)) DESC, word LIMIT $2",
        any.join(" OR ")
    );
    let mut query = sqlx::query_scalar(&sql)
        .persistent(false)
        .bind(all)
        .bind(MOST_CANDIDATES);
    for group in groups {
        query = query.bind(group);
    }
    let candidates: Vec<String> = query.fetch_all(connection).await?;
    Ok(best(word, candidates))
}

fn best(word: &str, candidates: Vec<String>) -> Vec<String> {
    let mut found: Vec<(u32, String)> = candidates
        .into_iter()
        .map(|candidate| {
            let holds = u32::from(candidate.contains(word));
            (alike(word, &candidate).max(holds), candidate)
        })
        .filter(|(likeness, _)| *likeness > 0)
        .collect();
    // The order of candidates, by trigrams shared, is kept among those equally alike.
    found.sort_by_key(|(likeness, _)| std::cmp::Reverse(*likeness));
    found.truncate(MOST_ALIKE);
    found.into_iter().map(|(_, word)| word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alike_come_first() {
        let candidates = ["safer", "safeti", "saffron", "unsafetiable"];
        let found = best("saefti", candidates.map(str::to_owned).to_vec());
        assert_eq!(found, ["safeti"]);
        let found = best("safeti", vec!["unsafetiable".into(), "safety".into()]);
        assert_eq!(found, ["safety", "unsafetiable"]);
    }

    #[test]
    fn everything_that_counts_stands_in_the_query() {
        let query = SearchQuery::parse("പാളം").unwrap();
        let mut resolved = Resolved::exactly(query.groups[0][0].clone());
        resolved.longer = true;
        resolved.also.insert("തീവണ്ടിപ്പാള".into());
        assert_eq!(resolved.wide(), "(('പാള') | 'പാള':* | 'തീവണ്ടിപ്പാള')");
    }
}
