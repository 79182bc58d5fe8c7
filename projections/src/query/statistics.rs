//! How many documents there are, of what kinds, and how large.

use super::{QueryError, ReadModel, visible};
use kmrl_domain::authority::Visibility;
use serde::Serialize;
use sqlx::{Postgres, QueryBuilder};
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
    /// The statistics of what somebody sees. Where that is not everything, the documents are counted
    /// instead of the counters read.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn statistics(&self) -> Result<Statistics, QueryError> {
        let mut query = match &self.visible {
            Visibility::All => QueryBuilder::new("SELECT dimension, value, n FROM read.statistics"),
            visible @ Visibility::Some { .. } => counted(visible),
        };
        query
            .build_query_as()
            .fetch_all(&self.pool)
            .await
            .map(statistics)
            .map_err(QueryError::reading("the statistics"))
    }
}

/// What the read model counts, counted anew over some of its members.
fn counted(visible: &Visibility) -> QueryBuilder<'_, Postgres> {
    let mut query = QueryBuilder::new(
        "WITH m AS MATERIALIZED (SELECT s.* FROM read.statistics_members s \
         JOIN read.documents d ON d.id = s.document_id WHERE true",
    );
    visible::push(&mut query, "d", visible);
    query.push(
        "), o AS (SELECT * FROM m WHERE NOT m.withdrawn AND NOT m.erased) \
         SELECT 'erased' AS dimension, '' AS value, count(*) AS n FROM m WHERE m.erased \
         UNION ALL SELECT 'withdrawn', '', count(*) FROM m WHERE m.withdrawn AND NOT m.erased \
         UNION ALL SELECT 'status', status, count(*) FROM o GROUP BY 2 \
         UNION ALL SELECT 'source', source, count(*) FROM o GROUP BY 2 \
         UNION ALL SELECT 'department', department, count(*) FROM o WHERE department IS NOT NULL GROUP BY 2 \
         UNION ALL SELECT 'language', language, count(*) FROM o WHERE language IS NOT NULL GROUP BY 2 \
         UNION ALL SELECT x.dimension, '', x.n FROM (SELECT count(*) AS total, \
         coalesce(sum(bytes), 0)::bigint AS bytes, coalesce(sum(pages), 0)::bigint AS pages, \
         coalesce(sum(characters), 0)::bigint AS characters, \
         count(*) FILTER (WHERE duplicate) AS duplicates, \
         count(*) FILTER (WHERE needs_review) AS needs_review, count(confidence) AS confidences, \
         coalesce(sum(confidence), 0)::bigint AS millionths FROM o) c, \
         LATERAL (VALUES ('total', c.total), ('bytes', c.bytes), ('pages', c.pages), \
         ('characters', c.characters), ('duplicates', c.duplicates), \
         ('needs_review', c.needs_review), ('confidences', c.confidences), \
         ('confidence_millionths', c.millionths)) AS x(dimension, n)",
    );
    query
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
