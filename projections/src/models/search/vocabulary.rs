//! The vocabulary: every word of letters that stands in a row of `search`, and no other, so that an
//! erased document leaves no word of its own behind.

use crate::words::{is_of_vocabulary, padded, quoted};
use serde::Serialize;
use sqlx::PgConnection;
use std::collections::BTreeSet;
use uuid::Uuid;

/// A word of the vocabulary.
#[derive(Serialize)]
struct Word {
    word: String,
    trigrams: BTreeSet<i64>,
}

/// The words that the documents' rows have.
pub(super) async fn words_of(
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

/// Adds to the vocabulary the words of these documents that it lacks.
pub(super) async fn learn(
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
    .bind(super::store::json(&new)?)
    .execute(connection)
    .await
    .map(drop)
}

/// Removes from the vocabulary those of the words that no document has any more.
pub(super) async fn unlearn(
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
