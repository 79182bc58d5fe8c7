//! The rows of `search`: reading what was, writing what is, and keeping the vocabulary with it. A
//! number of statements that does not depend on the number of events.

use super::Change;
use super::entry::Entry;
use super::vocabulary::{learn, unlearn, words_of};
use serde::Serialize;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A new entry; with a new text, also the words of its first part.
#[derive(Serialize)]
struct First<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    text: Option<String>,
    parts: usize,
    first_page: u32,
    last_page: u32,
    skipped: u32,
}

/// A part of a new text that is not the first.
#[derive(Serialize)]
struct Further {
    document_id: Uuid,
    part: usize,
    text: String,
    first_page: u32,
    last_page: u32,
    skipped: u32,
}

/// The documents as they are.
pub(super) async fn load(
    connection: &mut PgConnection,
    schema: &str,
    ids: &BTreeSet<Uuid>,
) -> Result<BTreeMap<Uuid, Entry>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().copied().collect();
    let rows: Vec<Entry> = sqlx::query_as(&format!(
        "SELECT document_id, version, position, source, department, language, status, \
         uploaded_at, withdrawn, department_corrected, language_corrected, name::text AS name, metadata::text AS metadata \
         FROM {schema}.search WHERE document_id = ANY($1) AND part = 0"
    ))
    .bind(ids)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.document_id, row)).collect())
}

/// Stores what a batch has changed.
pub(super) async fn store(
    connection: &mut PgConnection,
    schema: &str,
    prior: &BTreeMap<Uuid, Entry>,
    change: &Change,
) -> Result<(), sqlx::Error> {
    let (gone, kept): (Vec<&Entry>, Vec<&Entry>) =
        change.entries.values().partition(|entry| entry.erased);
    let gone: Vec<Uuid> = gone.iter().map(|entry| entry.document_id).collect();
    let reworded: Vec<&Entry> = kept
        .iter()
        .filter(|entry| is_reworded(entry, prior, change))
        .copied()
        .collect();
    let known = |id: &&Uuid| prior.contains_key(id);
    let touched = reworded.iter().map(|entry| &entry.document_id).chain(&gone);
    let touched: Vec<Uuid> = touched.filter(known).copied().collect();
    let before = words_of(connection, schema, &touched).await?;
    delete(connection, schema, &gone).await?;
    write_first(connection, schema, &kept, change).await?;
    write_further(connection, schema, change).await?;
    let ids: Vec<Uuid> = reworded.iter().map(|entry| entry.document_id).collect();
    let after = match before.is_empty() {
        // Nobody need be asked what has gone.
        true => BTreeSet::new(),
        false => words_of(connection, schema, &ids).await?,
    };
    learn(connection, schema, &ids).await?;
    let lost: Vec<String> = before.difference(&after).cloned().collect();
    unlearn(connection, schema, lost).await
}

fn is_reworded(entry: &Entry, prior: &BTreeMap<Uuid, Entry>, change: &Change) -> bool {
    let id = entry.document_id;
    let same = |was: &Entry| (&was.name, &was.metadata) == (&entry.name, &entry.metadata);
    change.texts.contains_key(&id) || !prior.get(&id).is_some_and(same)
}

async fn delete(
    connection: &mut PgConnection,
    schema: &str,
    ids: &[Uuid],
) -> Result<(), sqlx::Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = format!("DELETE FROM {schema}.search WHERE document_id = ANY($1)");
    let deleted = sqlx::query(&sql).bind(ids).execute(connection).await;
    deleted.map(drop)
}

/// The first part of each, with what stands beside the words; then that beside the other parts.
async fn write_first(
    connection: &mut PgConnection,
    schema: &str,
    entries: &[&Entry],
    change: &Change,
) -> Result<(), sqlx::Error> {
    if entries.is_empty() {
        return Ok(());
    }
    let rows: Vec<First<'_>> = entries.iter().map(|entry| first(entry, change)).collect();
    sqlx::query(&first_sql(schema))
        .bind(json(&rows)?)
        .execute(&mut *connection)
        .await?;
    let ids: Vec<Uuid> = entries.iter().map(|entry| entry.document_id).collect();
    let beside = BESIDE
        .map(|column| format!("{column} = f.{column}"))
        .join(", ");
    sqlx::query(&format!(
        "UPDATE {schema}.search s SET {beside} FROM {schema}.search f \
         WHERE f.document_id = ANY($1) AND f.part = 0 AND f.parts > 1 \
           AND s.document_id = f.document_id AND s.part > 0"
    ))
    .bind(ids)
    .execute(connection)
    .await
    .map(drop)
}

fn first<'a>(entry: &'a Entry, change: &Change) -> First<'a> {
    let parts = change.texts.get(&entry.document_id);
    let part = parts.and_then(|parts| parts.first());
    First {
        entry,
        text: part.map(|part| part.words.to_text()),
        parts: parts.map_or(1, Vec::len),
        first_page: part.map_or(0, |part| part.first_page),
        last_page: part.map_or(0, |part| part.last_page),
        skipped: part.map_or(0, |part| part.skipped),
    }
}

/// What stands beside the words, the same in all parts of a document.
const BESIDE: [&str; 10] = [
    "version",
    "position",
    "source",
    "department",
    "language",
    "status",
    "uploaded_at",
    "withdrawn",
    "department_corrected",
    "language_corrected",
];

/// The words of name and metadata stand after those of the text, so that these keep their places
/// when those change.
fn first_sql(schema: &str) -> String {
    let beside = BESIDE
        .map(|column| format!("{column} = n.{column}"))
        .join(", ");
    let columns = BESIDE.join(", ");
    format!(
        "WITH n AS (SELECT * FROM json_to_recordset($1::json) AS r (document_id uuid, \
            version bigint, position bigint, source text, department text, language text, \
            status text, uploaded_at timestamptz, withdrawn boolean, \
            department_corrected boolean, language_corrected boolean, name tsvector, \
            metadata tsvector, text tsvector, parts int, first_page int, last_page int, \
            skipped int)), \
         old AS (UPDATE {schema}.search s SET {beside}, \
            parts = CASE WHEN n.text IS NULL THEN s.parts ELSE n.parts END, \
            first_page = CASE WHEN n.text IS NULL THEN s.first_page ELSE n.first_page END, \
            last_page = CASE WHEN n.text IS NULL THEN s.last_page ELSE n.last_page END, \
            skipped = CASE WHEN n.text IS NULL THEN s.skipped ELSE n.skipped END, \
            name = n.name, metadata = n.metadata, \
            words = CASE WHEN n.text IS NOT NULL THEN n.text || n.name || n.metadata \
                WHEN s.name <> n.name OR s.metadata <> n.metadata \
                    THEN ts_filter(s.words, '{{c,d}}') || n.name || n.metadata \
                ELSE s.words END \
            FROM n WHERE s.document_id = n.document_id AND s.part = 0 RETURNING s.document_id) \
         INSERT INTO {schema}.search (document_id, part, parts, {columns}, first_page, last_page, skipped, \
            name, metadata, words) \
         SELECT document_id, 0, parts, {columns}, first_page, last_page, skipped, name, metadata, \
            coalesce(text, '') || name || metadata FROM n \
         WHERE NOT EXISTS (SELECT 1 FROM old WHERE old.document_id = n.document_id)"
    )
}

/// The other parts of new texts, in place of those that were there.
async fn write_further(
    connection: &mut PgConnection,
    schema: &str,
    change: &Change,
) -> Result<(), sqlx::Error> {
    if change.texts.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = change.texts.keys().copied().collect();
    let sql = format!("DELETE FROM {schema}.search WHERE document_id = ANY($1) AND part > 0");
    sqlx::query(&sql)
        .bind(ids)
        .execute(&mut *connection)
        .await?;
    let further = change.texts.iter().flat_map(|(id, parts)| {
        parts.iter().enumerate().skip(1).map(|(part, p)| Further {
            document_id: *id,
            part,
            text: p.words.to_text(),
            first_page: p.first_page,
            last_page: p.last_page,
            skipped: p.skipped,
        })
    });
    let further: Vec<Further> = further.collect();
    if further.is_empty() {
        return Ok(());
    }
    let (columns, of_first) = (
        BESIDE.join(", "),
        BESIDE.map(|c| format!("f.{c}")).join(", "),
    );
    sqlx::query(&format!(
        "INSERT INTO {schema}.search (document_id, part, parts, {columns}, first_page, last_page, skipped, \
            name, metadata, words) \
         SELECT n.document_id, n.part, f.parts, {of_first}, n.first_page, n.last_page, n.skipped, '', '', n.text \
         FROM json_to_recordset($1::json) AS n (document_id uuid, part int, text tsvector, \
            first_page int, last_page int, skipped int) \
         JOIN {schema}.search f ON f.document_id = n.document_id AND f.part = 0"
    ))
    .bind(json(&further)?)
    .execute(connection)
    .await
    .map(drop)
}

/// Rows on their way: the whole batch is one parameter.
pub(super) fn json(rows: &impl Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(error.into()))
}
