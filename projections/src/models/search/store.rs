//! The rows of `search` and its vocabulary: reading what was, writing what is. A number of
//! statements that does not depend on the number of events.

use super::Change;
use super::entry::Entry;
use crate::words::{is_of_vocabulary, padded, quoted};
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

/// A word of the vocabulary.
#[derive(Serialize)]
struct Word {
    word: String,
    trigrams: BTreeSet<i64>,
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
         uploaded_at, withdrawn, name::text AS name, metadata::text AS metadata \
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

/// The words that the documents' rows have.
async fn words_of(
    connection: &mut PgConnection,
    schema: &str,
    ids: &[Uuid],
) -> Result<BTreeSet<String>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let words: Vec<String> = sqlx::query_scalar(&format!(
        "SELECT DISTINCT w FROM {schema}.search s, unnest(tsvector_to_array(s.words)) w \
         WHERE s.document_id = ANY($1)"
    ))
    .bind(ids)
    .fetch_all(connection)
    .await?;
    Ok(words.into_iter().collect())
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
const BESIDE: [&str; 8] = [
    "version",
    "position",
    "source",
    "department",
    "language",
    "status",
    "uploaded_at",
    "withdrawn",
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
            status text, uploaded_at timestamptz, withdrawn boolean, name tsvector, \
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

fn json(rows: &impl Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// Adds to the vocabulary the words of these documents that it lacks.
async fn learn(
    connection: &mut PgConnection,
    schema: &str,
    ids: &[Uuid],
) -> Result<(), sqlx::Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let new: Vec<String> = sqlx::query_scalar(&format!(
        "SELECT DISTINCT w FROM {schema}.search s, unnest(tsvector_to_array(s.words)) w \
         WHERE s.document_id = ANY($1) AND w !~ '[0-9]' \
           AND NOT EXISTS (SELECT 1 FROM {schema}.search_words v WHERE v.word = w COLLATE \"C\")"
    ))
    .bind(ids)
    .fetch_all(&mut *connection)
    .await?;
    let of_vocabulary = new.into_iter().filter(|word| is_of_vocabulary(word));
    let new: Vec<Word> = of_vocabulary
        .map(|word| Word {
            trigrams: padded(&word),
            word,
        })
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    sqlx::query(&format!(
        "INSERT INTO {schema}.search_words (word, trigrams) SELECT word, trigrams \
         FROM json_to_recordset($1::json) AS r (word text, trigrams bigint[])"
    ))
    .bind(json(&new)?)
    .execute(connection)
    .await
    .map(drop)
}

/// Removes from the vocabulary those of the words that no document has any more.
async fn unlearn(
    connection: &mut PgConnection,
    schema: &str,
    words: Vec<String>,
) -> Result<(), sqlx::Error> {
    let mut words = words;
    words.retain(|word| is_of_vocabulary(word));
    if words.is_empty() {
        return Ok(());
    }
    let queries: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    // Each word is looked up in the index: the planner, which does not know how rare they are,
    // might read all rows for each.
    let by_index = "SET LOCAL enable_seqscan = off";
    sqlx::query(by_index).execute(&mut *connection).await?;
    sqlx::query(&format!(
        "DELETE FROM {schema}.search_words v USING unnest($1::text[], $2::text[]) AS l (word, q) \
         WHERE v.word = l.word COLLATE \"C\" \
           AND NOT EXISTS (SELECT 1 FROM {schema}.search s WHERE s.words @@ l.q::tsquery)"
    ))
    .bind(words)
    .bind(queries)
    .execute(&mut *connection)
    .await?;
    let as_before = "SET LOCAL enable_seqscan TO DEFAULT";
    sqlx::query(as_before).execute(connection).await.map(drop)
}
