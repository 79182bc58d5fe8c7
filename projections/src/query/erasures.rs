//! Erasures asked for, refused, approved and done; and documents that were kept for long enough.

use super::{QueryError, ReadModel, visible};
use serde::Serialize;
use serde_json::Value;
use sqlx::{FromRow, QueryBuilder};
use time::OffsetDateTime;
use uuid::Uuid;

/// An erasure.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct ErasureRow {
    /// The document.
    pub document_id: Uuid,
    /// `requested`, `rejected`, `approved` or `done`.
    pub state: String,
    /// Who, why and when: a JSON object.
    pub erasure: Value,
    /// The retention rule that expired, if one did.
    pub retention_rule: Option<String>,
    /// Where the document came from.
    pub source: String,
    /// The department it belongs to.
    pub department: Option<String>,
    /// Version of the document.
    pub version: i64,
    /// Position of the newest event of the erasure: one row has it alone.
    pub position: i64,
}

/// Documents of a source and a department (`None`: of any) that came in before a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept<'a> {
    /// Where they came from.
    pub source: Option<&'a str>,
    /// The department they belong to.
    pub department: Option<&'a str>,
    /// They came in before this.
    pub before: OffsetDateTime,
}

impl ReadModel {
    /// Up to `limit` erasures of documents that somebody sees, in a state (`None`: in any) with a position under `before`, the
    /// newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn erasures(
        &self,
        state: Option<&str>,
        limit: i64,
        before: Option<i64>,
    ) -> Result<Vec<ErasureRow>, QueryError> {
        let seen = visible::condition("d", 4, 5);
        let (departments, uploader) = visible::parts(&self.visible);
        sqlx::query_as(&format!(
            "SELECT id AS document_id, erasure_state AS state, erasure, retention_rule, source, \
             department, version, erasure_position AS position FROM read.documents d \
             WHERE erasure_state IS NOT NULL AND ($1::text IS NULL OR erasure_state = $1) \
             AND erasure_position < $2 AND {seen} ORDER BY erasure_position DESC LIMIT $3",
        ))
        .bind(state)
        .bind(before.unwrap_or(i64::MAX))
        .bind(limit)
        .bind(departments)
        .bind(uploader)
        .fetch_all(&self.pool)
        .await
        .map_err(QueryError::reading("the erasures"))
    }

    /// Up to `limit` documents, the oldest first, that were kept for as long as a rule says: that
    /// fit `rule` and none of the rules before it, are under no legal hold, and whose erasure
    /// neither was requested nor, since the rule expired, rejected.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn kept_long_enough(
        &self,
        rule: &Kept<'_>,
        rules_before: &[Kept<'_>],
        limit: i64,
    ) -> Result<Vec<Uuid>, QueryError> {
        let mut query = QueryBuilder::new(
            "SELECT id FROM read.documents WHERE erasure_state IS DISTINCT FROM 'requested' \
             AND (erasure_state IS DISTINCT FROM 'rejected' OR retention_rule IS NULL) \
             AND erased_at IS NULL AND legal_holds = '[]' AND uploaded_at <= ",
        );
        query.push_bind(rule.before);
        query.push(" AND ");
        push_fits(&mut query, rule);
        for other in rules_before {
            query.push(" AND NOT ");
            push_fits(&mut query, other);
        }
        query
            .push(" ORDER BY uploaded_at, id LIMIT ")
            .push_bind(limit);
        query
            .build_query_scalar()
            .fetch_all(&self.pool)
            .await
            .map_err(QueryError::reading("documents kept for long enough"))
    }
}

fn push_fits<'a>(query: &mut QueryBuilder<'a, sqlx::Postgres>, rule: &Kept<'a>) {
    query.push("(true");
    if let Some(source) = rule.source {
        query.push(" AND source = ").push_bind(source);
    }
    if let Some(department) = rule.department {
        // Not `=`: its negation must hold for documents without a department.
        query.push(" AND department IS NOT DISTINCT FROM ");
        query.push_bind(department);
    }
    query.push(")");
}
