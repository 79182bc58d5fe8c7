//! Tables of counters that move by difference: counts are exact at any time without counting.
//!
//! A counter that comes to 0 has no row, so that a rebuilt table equals one grown over time; that
//! none falls below 0 is the tables' own constraint.

use sqlx::PgConnection;
use std::collections::BTreeMap;

/// By how much each counter moves; `N` words name a counter.
#[derive(Debug, PartialEq)]
pub(crate) struct Moves<const N: usize>(BTreeMap<[String; N], i64>);

impl<const N: usize> Default for Moves<N> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<const N: usize> Moves<N> {
    /// Moves a counter by `by`.
    pub fn add(&mut self, counter: [&str; N], by: i64) {
        *self.0.entry(counter.map(str::to_owned)).or_default() += by;
    }

    /// By how much a counter moves.
    #[cfg(test)]
    pub fn of(&self, counter: [&str; N]) -> i64 {
        self.0
            .get(&counter.map(str::to_owned))
            .copied()
            .unwrap_or_default()
    }

    /// Moves the counters in `table`, whose key are the columns `key` and whose count is `n`.
    pub async fn store(
        self,
        connection: &mut PgConnection,
        table: &str,
        key: [&str; N],
    ) -> Result<(), sqlx::Error> {
        let moves: Vec<_> = self.0.into_iter().filter(|(_, by)| *by != 0).collect();
        if moves.is_empty() {
            return Ok(());
        }
        let any_down = moves.iter().any(|(_, by)| *by < 0);
        let mut words: [Vec<String>; N] = std::array::from_fn(|_| Vec::with_capacity(moves.len()));
        let mut by = Vec::with_capacity(moves.len());
        for (counter, n) in moves {
            for (column, word) in words.iter_mut().zip(counter) {
                column.push(word);
            }
            by.push(n);
        }
        let sql = move_sql(table, key);
        words
            .into_iter()
            .fold(sqlx::query(&sql).bind(by), |query, column| {
                query.bind(column)
            })
            .execute(&mut *connection)
            .await?;
        if any_down {
            let sql = format!("DELETE FROM {table} WHERE n = 0");
            sqlx::query(&sql).execute(connection).await?;
        }
        Ok(())
    }
}

// Not `ON CONFLICT`: the constraint n >= 0 would refuse the proposed row of a downward move.
fn move_sql<const N: usize>(table: &str, key: [&str; N]) -> String {
    let columns = key.join(", ");
    let arrays: Vec<_> = (2..N + 2).map(|i| format!("${i}::text[]")).collect();
    let same: Vec<_> = key.iter().map(|k| format!("c.{k} = m.{k}")).collect();
    let moved: Vec<_> = key.iter().map(|k| format!("c.{k}")).collect();
    let (arrays, same, moved) = (arrays.join(", "), same.join(" AND "), moved.join(", "));
    format!(
        "WITH m AS (SELECT * FROM unnest($1::bigint[], {arrays}) AS m (n, {columns})), \
         c AS (UPDATE {table} c SET n = c.n + m.n FROM m WHERE {same} RETURNING {moved}) \
         INSERT INTO {table} ({columns}, n) SELECT {columns}, n FROM m \
         WHERE NOT EXISTS (SELECT 1 FROM c WHERE {same})"
    )
}
