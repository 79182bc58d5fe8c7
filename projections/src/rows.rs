//! Rows to tables: a row type says its columns once, and is loaded and upserted as a whole batch.
//!
//! One statement a batch, whatever its size: columns travel as arrays and meet in `unnest`.

use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{FromRow, PgConnection};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A statement that waits for its arguments.
pub(crate) type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// A table's row. Made by [`row!`].
pub(crate) trait Row: Sized {
    /// The table's name.
    const TABLE: &'static str;
    /// Name and SQL type of each column; the first is the primary key.
    const COLUMNS: &'static [(&'static str, &'static str)];
    /// The primary key's column.
    const KEY: &'static str;

    /// Binds each column of the rows as an array, in the order of [`Self::COLUMNS`].
    fn bind<'q>(rows: Vec<Self>, statement: Statement<'q>) -> Statement<'q>;
}

/// Declares a row type: `key` first, each field with its Rust type and its SQL type.
/// JSON columns are `String` here, so that PostgreSQL gets them to the letter.
macro_rules! row {
    (
        $(#[$meta:meta])*
        $name:ident in $table:literal {
            key $key:ident: $key_type:ty => $key_sql:literal,
            $($field:ident: $type:ty => $sql:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
        pub(crate) struct $name {
            pub $key: $key_type,
            $(pub $field: $type,)*
        }

        impl $crate::rows::Row for $name {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [(&'static str, &'static str)] =
                &[(stringify!($key), $key_sql), $((stringify!($field), $sql)),*];
            const KEY: &'static str = stringify!($key);

            fn bind<'q>(
                rows: Vec<Self>,
                statement: $crate::rows::Statement<'q>,
            ) -> $crate::rows::Statement<'q> {
                let mut $key = Vec::with_capacity(rows.len());
                $(let mut $field = Vec::with_capacity(rows.len());)*
                for row in rows {
                    $key.push(row.$key);
                    $($field.push(row.$field);)*
                }
                statement.bind($key)$(.bind($field))*
            }
        }
    };
}
pub(crate) use row;

fn is_json(sql: &str) -> bool {
    sql == "json" || sql == "jsonb"
}

/// The rows of the given documents, for tables keyed by document.
pub(crate) async fn load<R>(
    connection: &mut PgConnection,
    schema: &str,
    ids: &BTreeSet<Uuid>,
) -> Result<BTreeMap<Uuid, R>, sqlx::Error>
where
    R: Row + Keyed + Unpin + Send + for<'r> FromRow<'r, PgRow>,
{
    let columns: Vec<_> = R::COLUMNS
        .iter()
        .map(|(name, sql)| match is_json(sql) {
            true => format!("{name}::text AS {name}"),
            false => (*name).to_owned(),
        })
        .collect();
    let sql = format!(
        "SELECT {} FROM {schema}.{} WHERE {} = ANY($1)",
        columns.join(", "),
        R::TABLE,
        R::KEY,
    );
    let ids: Vec<Uuid> = ids.iter().copied().collect();
    let rows: Vec<R> = sqlx::query_as(&sql).bind(ids).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.document(), row)).collect())
}

/// A row that belongs to one document.
pub(crate) trait Keyed {
    /// The document.
    fn document(&self) -> Uuid;
}

/// Inserts rows, or puts them in the place of those with the same key.
pub(crate) async fn upsert<R: Row>(
    connection: &mut PgConnection,
    schema: &str,
    rows: Vec<R>,
) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let sql = upsert_sql::<R>(schema);
    R::bind(rows, sqlx::query(&sql)).execute(connection).await?;
    Ok(())
}

fn upsert_sql<R: Row>(schema: &str) -> String {
    let mut names = Vec::new();
    let mut values = Vec::new();
    let mut arrays = Vec::new();
    let mut sets = Vec::new();
    for (index, (name, sql)) in R::COLUMNS.iter().enumerate() {
        let sent = if is_json(sql) { "text" } else { sql };
        names.push(*name);
        values.push(format!("{name}::{sql}"));
        arrays.push(format!("${}::{sent}[]", index + 1));
        if *name != R::KEY {
            sets.push(format!("{name} = excluded.{name}"));
        }
    }
    let names = names.join(", ");
    format!(
        "INSERT INTO {schema}.{} ({names}) SELECT {} FROM unnest({}) AS new ({names}) \
         ON CONFLICT ({}) DO UPDATE SET {}",
        R::TABLE,
        values.join(", "),
        arrays.join(", "),
        R::KEY,
        sets.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    row! {
        Thing in "things" {
            key id: i64 => "bigint",
            facts: String => "json",
        }
    }

    #[test]
    fn the_statement_names_every_column_once() {
        assert_eq!(
            upsert_sql::<Thing>("rm_things_1"),
            "INSERT INTO rm_things_1.things (id, facts) SELECT id::bigint, facts::json \
             FROM unnest($1::bigint[], $2::text[]) AS new (id, facts) \
             ON CONFLICT (id) DO UPDATE SET facts = excluded.facts"
        );
    }
}
