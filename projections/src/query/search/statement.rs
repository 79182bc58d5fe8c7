//! The one statement of a search: what is found, a page of it in order, and how many of each kind.

use super::resolve::Plan;
use super::{SearchFilter, SearchKey, visible};
use kmrl_domain::authority::Visibility;
use kmrl_domain::values::Status;
use sqlx::{Postgres, QueryBuilder};

/// Most documents that are put in order of relevance: weighing one means reading its words.
pub(super) const MOST_WEIGHED: i64 = 10_000;
/// Most values of a facet.
const MOST_VALUES: i64 = 50;
/// What other forms and spellings weigh where none of the very words stands.
const OTHER_FORM: f32 = 0.25;

/// What documents are counted by.
pub(super) const FACETS: [&str; 4] = ["source", "department", "language", "status"];

pub(super) struct Ask<'a> {
    pub visible: &'a Visibility,
    pub plan: &'a Plan,
    pub filter: &'a SearchFilter,
    pub newest: bool,
    pub after: Option<SearchKey>,
    pub limit: i64,
}

/// Whatever the plan asks for, any of it.
pub(super) fn any(plan: &Plan) -> String {
    plan.asked().join(" | ")
}

impl Ask<'_> {
    /// One row: hits, total, whether they were too many to be weighed, facets, position.
    pub fn statement(&self) -> QueryBuilder<'_, Postgres> {
        let mut sql = QueryBuilder::new("WITH found AS MATERIALIZED (");
        self.push_whole(&mut sql);
        sql.push(" UNION ALL ");
        self.push_parted(&mut sql);
        sql.push("), chosen AS MATERIALIZED (SELECT * FROM found f WHERE true");
        self.push_facets(&mut sql, None);
        sql.push("), ranked AS MATERIALIZED (SELECT c.document_id, c.uploaded_at, ");
        self.push_rank(&mut sql);
        sql.push(" AS rank FROM chosen c), page AS (SELECT * FROM ranked WHERE true");
        if let Some(key) = self.after {
            sql.push(" AND (rank, uploaded_at, document_id) < (")
                .push_bind(key.rank)
                .push("::real, ")
                .push_bind(key.uploaded_at)
                .push(", ")
                .push_bind(key.id)
                .push(")");
        }
        sql.push(" ORDER BY rank DESC, uploaded_at DESC, document_id DESC LIMIT ")
            .push_bind(self.limit)
            .push(
                ") SELECT (SELECT coalesce(json_agg(p ORDER BY p.rank DESC, p.uploaded_at DESC, \
                 p.document_id DESC), '[]') FROM page p) AS hits, \
                 (SELECT count(*) FROM chosen) AS total, ",
            );
        sql.push("json_build_object(");
        for (n, facet) in FACETS.into_iter().enumerate() {
            sql.push(if n > 0 { ", " } else { "" });
            sql.push(format_args!(
                "'{facet}', (SELECT coalesce(json_agg(x), '[]') FROM (SELECT f.{facet} AS value, \
                 count(*) AS count FROM found f WHERE true"
            ));
            self.push_facets(&mut sql, Some(facet));
            sql.push(format_args!(
                " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_VALUES}) x)"
            ));
        }
        sql.push(
            ") AS facets, coalesce((SELECT c.position FROM projections c \
             WHERE c.name = 'search' AND c.state = 'live'), 0) AS shown_at",
        );
        sql
    }

    /// Documents of one part, which is all but the largest.
    fn push_whole<'a>(&'a self, sql: &mut QueryBuilder<'a, Postgres>) {
        let mut all = self.plan.asked();
        all.extend(self.plan.barred().iter().map(|barred| format!("!{barred}")));
        sql.push(
            "SELECT s.document_id, s.source, s.department, s.language, s.status, s.uploaded_at \
             FROM read.search s WHERE s.parts = 1 AND s.words @@ ",
        );
        sql.push_bind(all.join(" & ")).push("::tsquery");
        self.push_beside(sql);
    }

    /// Documents of several parts: what is asked for may stand in one part or another.
    fn push_parted<'a>(&'a self, sql: &mut QueryBuilder<'a, Postgres>) {
        let (asked, barred) = (self.plan.asked(), self.plan.barred());
        let any: Vec<&str> = asked.iter().chain(&barred).map(String::as_str).collect();
        sql.push(
            "SELECT s.document_id, min(s.source), min(s.department), min(s.language), \
             min(s.status), min(s.uploaded_at) FROM read.search s WHERE s.parts > 1 AND s.words @@ ",
        );
        sql.push_bind(any.join(" | ")).push("::tsquery");
        self.push_beside(sql);
        sql.push(" GROUP BY s.document_id HAVING true");
        for query in asked {
            sql.push(" AND bool_or(s.words @@ ");
            sql.push_bind(query).push("::tsquery)");
        }
        for query in barred {
            sql.push(" AND NOT bool_or(s.words @@ ");
            sql.push_bind(query).push("::tsquery)");
        }
    }

    fn push_beside<'a>(&'a self, sql: &mut QueryBuilder<'a, Postgres>) {
        if *self.visible != Visibility::All {
            sql.push(" AND EXISTS (SELECT 1 FROM read.documents d WHERE d.id = s.document_id");
            visible::push(sql, "d", self.visible);
            sql.push(")");
        }
        if !self.filter.include_withdrawn {
            sql.push(" AND NOT s.withdrawn");
        }
        if let Some(from) = self.filter.from {
            sql.push(" AND s.uploaded_at >= ").push_bind(from);
        }
        if let Some(to) = self.filter.to {
            sql.push(" AND s.uploaded_at < ").push_bind(to);
        }
    }

    /// The filters that are facets, but for one: a facet shows what else could be chosen of it.
    fn push_facets(&self, sql: &mut QueryBuilder<'_, Postgres>, but: Option<&str>) {
        let filter = self.filter;
        let chosen = [
            filter.source.clone(),
            filter.department.clone(),
            filter.language.clone(),
            filter
                .status
                .map(|status| Status::as_str(status).to_owned()),
        ];
        for (facet, chosen) in FACETS.into_iter().zip(chosen) {
            if let Some(value) = chosen.filter(|_| but != Some(facet)) {
                sql.push(format_args!(" AND f.{facet} = ")).push_bind(value);
            }
        }
    }

    /// 0 for all where the newest come first.
    fn push_rank(&self, sql: &mut QueryBuilder<'_, Postgres>) {
        if self.newest {
            sql.push("0::real");
            return;
        }
        // Whoever pages on by relevance began when there were few enough.
        let most = match self.after {
            Some(_) => i64::MAX,
            None => MOST_WEIGHED,
        };
        sql.push("CASE WHEN (SELECT count(*) FROM chosen) > ")
            .push_bind(most)
            .push(" THEN 0::real ELSE (SELECT max(coalesce(nullif(ts_rank(s.words, ")
            .push_bind(self.plan.exact())
            .push("::tsquery, 1), 0)");
        // Most have the very word: only of the others are the other forms weighed.
        if self.plan.is_widened() {
            sql.push(format_args!(", {OTHER_FORM} * ts_rank(s.words, "))
                .push_bind(any(self.plan))
                .push("::tsquery, 1)");
        }
        sql.push(", 0))::real FROM read.search s WHERE s.document_id = c.document_id) END");
    }
}
