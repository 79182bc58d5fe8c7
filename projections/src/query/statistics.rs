//! How many documents there are, of what kinds, and how large.

use super::{QueryError, ReadModel};
use serde::Serialize;
use std::collections::BTreeMap;

/// Counts over all documents that were neither withdrawn nor erased.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Statistics {
    /// Documents.
    pub total: i64,
    /// Documents by status.
    pub by_status: BTreeMap<String, i64>,
    /// Documents by source.
    pub by_source: BTreeMap<String, i64>,
    /// Documents by department, of those that have one.
    pub by_department: BTreeMap<String, i64>,
    /// Documents by language, of those that have one.
    pub by_language: BTreeMap<String, i64>,
    /// Bytes of all documents.
    pub bytes: i64,
    /// Pages of text.
    pub pages: i64,
    /// Unicode scalar values of text.
    pub characters: i64,
    /// Documents whose bytes an earlier one had.
    pub duplicates: i64,
    /// Documents withdrawn, which are in no other count.
    pub withdrawn: i64,
    /// Documents erased, which are in no other count.
    pub erased: i64,
    /// Mean confidence, 0 to 1, over the documents that have one.
    pub average_confidence: Option<f64>,
    /// Documents whose text a person has to look at.
    pub needs_review: i64,
}

impl ReadModel {
    /// The statistics.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn statistics(&self) -> Result<Statistics, QueryError> {
        sqlx::query_as("SELECT dimension, value, n FROM read.statistics")
            .fetch_all(&self.0)
            .await
            .map(statistics)
            .map_err(QueryError::reading("the statistics"))
    }
}

fn statistics(counters: Vec<(String, String, i64)>) -> Statistics {
    let mut s = Statistics::default();
    let (mut confidences, mut millionths) = (0, 0);
    for (dimension, value, n) in counters {
        match dimension.as_str() {
            "total" => s.total = n,
            "status" => drop(s.by_status.insert(value, n)),
            "source" => drop(s.by_source.insert(value, n)),
            "department" => drop(s.by_department.insert(value, n)),
            "language" => drop(s.by_language.insert(value, n)),
            "bytes" => s.bytes = n,
            "pages" => s.pages = n,
            "characters" => s.characters = n,
            "duplicates" => s.duplicates = n,
            "withdrawn" => s.withdrawn = n,
            "erased" => s.erased = n,
            "needs_review" => s.needs_review = n,
            "confidences" => confidences = n,
            "confidence_millionths" => millionths = n,
            _ => {} // A dimension of a newer program's tables.
        }
    }
    if confidences > 0 {
        s.average_confidence = Some(millionths as f64 / confidences as f64 / 1e6);
    }
    s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_needs_something_to_average() {
        assert_eq!(statistics(vec![]).average_confidence, None);
        let counters = [("confidences", 4), ("confidence_millionths", 3_000_000)]
            .map(|(dimension, n)| (dimension.to_owned(), String::new(), n));
        assert_eq!(statistics(counters.to_vec()).average_confidence, Some(0.75));
    }
}
