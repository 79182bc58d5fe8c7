//! The documents of a page of hits, with the pages and excerpts that show what was searched for.

use super::highlight::{Piece, excerpts, whole};
use super::resolve::Plan;
use super::statement::any;
use super::{Hit, Place};
use crate::query::DocumentRow;
use crate::query::documents::of_ids;
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Most parts of a document that are looked through, the weightiest first.
const MOST_PARTS: i64 = 4;
/// Most characters of a page that are looked through. A part has fewer, unless it is mostly blank.
const MOST_CHARACTERS: i32 = 100_000;
/// Most excerpts of a document's text.
const MOST_EXCERPTS: usize = 3;
/// Most pages named.
const MOST_PAGES: usize = 50;
/// Most fields of metadata shown, and most characters of one.
const MOST_FIELDS: usize = 5;
const LONGEST_FIELD: usize = 500;

/// Where a document holds what was searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// `text`, `original_filename`, `uploaded_by` or `metadata.` and a name.
    pub field: String,
    /// Page of the text, from 1.
    pub page: Option<u32>,
    /// The text, piece by piece.
    pub pieces: Vec<Piece>,
}

/// A page of text, or as much of it as belongs to a part.
#[derive(FromRow)]
struct Text {
    document_id: Uuid,
    page: i64,
    text: String,
}

/// The hits in order. A document that was erased meanwhile is none.
pub(super) async fn hits(
    connection: &mut PgConnection,
    plan: &Plan,
    places: &[Place],
) -> Result<Vec<Hit>, sqlx::Error> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = places.iter().map(|place| place.document_id).collect();
    let rows = of_ids(&mut *connection, &ids).await?;
    let mut rows: BTreeMap<Uuid, DocumentRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    let mut texts: BTreeMap<Uuid, Vec<Text>> = BTreeMap::new();
    for text in read(connection, plan, &ids).await? {
        texts.entry(text.document_id).or_default().push(text);
    }
    let mut hits = Vec::with_capacity(places.len());
    for place in places {
        let Some(document) = rows.remove(&place.document_id) else {
            continue;
        };
        let mut hit = Hit {
            excerpts: fields(plan, &document),
            document,
            rank: place.rank,
            pages: Vec::new(),
        };
        for text in texts.remove(&place.document_id).unwrap_or_default() {
            hit.add(plan, &text);
        }
        hits.push(hit);
        // Each is some milliseconds of work: others on this thread have their turn.
        tokio::task::yield_now().await;
    }
    Ok(hits)
}

impl Hit {
    fn add(&mut self, plan: &Plan, text: &Text) {
        let marks = plan.marks(&text.text);
        if marks.is_empty() {
            return;
        }
        let page = u32::try_from(text.page).unwrap_or(u32::MAX);
        if self.pages.last() != Some(&page) && self.pages.len() < MOST_PAGES {
            self.pages.push(page);
        }
        let shown = self.excerpts.iter().filter(|e| e.page.is_some()).count();
        let room = MOST_EXCERPTS.saturating_sub(shown);
        let found = excerpts(&text.text, &marks).into_iter().take(room);
        self.excerpts.extend(found.map(|pieces| Excerpt {
            field: "text".into(),
            page: Some(page),
            pieces,
        }));
    }
}

/// The pages of the parts that hold what was searched for, in order.
async fn read(
    connection: &mut PgConnection,
    plan: &Plan,
    ids: &[Uuid],
) -> Result<Vec<Text>, sqlx::Error> {
    sqlx::query_as(
        "WITH parts AS MATERIALIZED (SELECT * FROM (SELECT s.document_id, s.first_page, \
            s.last_page, s.skipped, row_number() OVER (PARTITION BY s.document_id \
                ORDER BY ts_rank(s.words, $2::tsquery) DESC, s.part) AS n \
            FROM read.search s WHERE s.document_id = ANY($1) AND s.first_page > 0 \
              AND s.words @@ $2::tsquery) p WHERE n <= $3) \
         SELECT p.document_id, e.page, substr(e.text, \
            CASE WHEN e.page = p.first_page THEN p.skipped ELSE 0 END + 1, $4) AS text \
         FROM parts p JOIN read.texts t USING (document_id) \
         CROSS JOIN LATERAL jsonb_array_elements_text(t.pages) WITH ORDINALITY AS e (text, page) \
         WHERE e.page BETWEEN p.first_page AND p.last_page \
         ORDER BY p.document_id, e.page, p.skipped",
    )
    .bind(ids)
    .bind(any(plan))
    .bind(MOST_PARTS)
    .bind(MOST_CHARACTERS)
    .fetch_all(connection)
    .await
}

/// The fields beside the text that hold what was searched for.
fn fields(plan: &Plan, document: &DocumentRow) -> Vec<Excerpt> {
    let mut excerpts = Vec::new();
    let mut look = |field: String, text: &str| {
        let text: String = text.chars().take(LONGEST_FIELD).collect();
        let marks = plan.marks(&text);
        if !marks.is_empty() && excerpts.len() < MOST_FIELDS {
            excerpts.push(Excerpt {
                field,
                page: None,
                pieces: whole(&text, &marks),
            });
        }
    };
    look("original_filename".into(), &document.original_filename);
    look("uploaded_by".into(), &document.uploaded_by);
    for (name, value) in document.metadata.as_object().into_iter().flatten() {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        look(format!("metadata.{name}"), &text);
    }
    excerpts
}
