//! What a search answers with.

use super::super::documents::Document;
use super::cursor::{Cursor, Fingerprint};
use kmrl_projections::query::{Excerpt, FacetCount, Facets, Found, Hit};
use serde::Serialize;
use utoipa::ToSchema;

/// A page of hits.
#[derive(Serialize, ToSchema)]
pub(super) struct SearchAnswer {
    hits: Vec<SearchHit>,
    /// How many there are in all pages.
    total: i64,
    /// relevance, or newest: asked for, or because there are too many to be weighed.
    order: &'static str,
    facets: SearchFacets,
    /// Words that no document has, and what was looked for in their place.
    read_as: Vec<SearchReading>,
    /// For the next page; absent on the last.
    next_cursor: Option<String>,
}

/// A document that was found.
#[derive(Serialize, ToSchema)]
struct SearchHit {
    /// As in lists, without its text.
    document: Document,
    /// Relevance, comparable within one search only; absent when the newest come first.
    score: Option<f32>,
    /// Pages that hold what was asked for. Of a very large document, those that do so most.
    pages: Vec<u32>,
    highlights: Vec<Highlight>,
}

/// Where a document holds what was asked for.
#[derive(Serialize, ToSchema)]
struct Highlight {
    /// text, original_filename, uploaded_by, or metadata. and a name.
    field: String,
    /// Page of the text, from 1.
    page: Option<u32>,
    /// Plain text, piece by piece: it holds no markup, and what looks like some is the document's.
    pieces: Vec<HighlightPiece>,
}

/// A piece of text.
#[derive(Serialize, ToSchema)]
struct HighlightPiece {
    text: String,
    /// It is what was asked for.
    marked: bool,
}

/// How many hits have each value, each counted as if the search were not filtered by it.
#[derive(Serialize, ToSchema)]
struct SearchFacets {
    source: Vec<FacetValue>,
    department: Vec<FacetValue>,
    language: Vec<FacetValue>,
    status: Vec<FacetValue>,
}

/// How many hits have a value.
#[derive(Serialize, ToSchema)]
struct FacetValue {
    /// Null: they have none.
    value: Option<String>,
    count: i64,
}

/// How a word was read.
#[derive(Serialize, ToSchema)]
struct SearchReading {
    /// The word's stem.
    word: String,
    /// The stems looked for in its place.
    read_as: Vec<String>,
}

impl SearchAnswer {
    pub(super) fn of(found: Found, search: Fingerprint) -> Self {
        let newest = found.newest;
        let read_as = found.read_as.into_iter();
        Self {
            hits: found
                .hits
                .into_iter()
                .map(|hit| SearchHit::of(hit, newest))
                .collect(),
            total: found.total,
            order: if newest { "newest" } else { "relevance" },
            facets: SearchFacets::of(found.facets),
            read_as: read_as
                .map(|r| SearchReading {
                    word: r.word,
                    read_as: r.read_as,
                })
                .collect(),
            next_cursor: found.next.map(|key| Cursor::encode(key, search)),
        }
    }
}

impl SearchHit {
    fn of(hit: Hit, newest: bool) -> Self {
        Self {
            document: Document::of(hit.document),
            score: Some(hit.rank).filter(|_| !newest),
            pages: hit.pages,
            highlights: hit.excerpts.into_iter().map(Highlight::of).collect(),
        }
    }
}

impl Highlight {
    fn of(excerpt: Excerpt) -> Self {
        let pieces = excerpt.pieces.into_iter();
        Self {
            field: excerpt.field,
            page: excerpt.page,
            pieces: pieces
                .map(|piece| HighlightPiece {
                    text: piece.text,
                    marked: piece.marked,
                })
                .collect(),
        }
    }
}

impl SearchFacets {
    fn of(facets: Facets) -> Self {
        let values = |counts: Vec<FacetCount>| {
            let value = |c: FacetCount| FacetValue {
                value: c.value,
                count: c.count,
            };
            counts.into_iter().map(value).collect()
        };
        Self {
            source: values(facets.source),
            department: values(facets.department),
            language: values(facets.language),
            status: values(facets.status),
        }
    }
}
