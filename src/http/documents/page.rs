//! `GET /api/v1/documents/{id}/pages/{number}`: a page of the text that stands, with where each word
//! is: what a viewer marks, and what a link to a place leads to.

use super::super::audited::Touched;
use super::super::etag::{client_has, etag};
use super::super::problem::{Problem, ProblemBody, ProblemType};
use super::super::query::Query;
use super::super::state::ApiState;
use super::change::parse_id;
use super::past::stream;
use super::review::{no_text, standing};
use crate::event_store::LogError;
use crate::projector::BlobTexts;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kmrl_domain::boxes::{PlacedWord, StoredText};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// No parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {}

/// A page of a document's text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageOfText {
    document_id: Uuid,
    /// Version of the document.
    version: i64,
    /// Counted from 1.
    number: usize,
    /// Pages of the text.
    page_count: usize,
    text: String,
    /// In the order of the text. Empty where places are not known: for files without pages of their
    /// own, for pages that a person corrected, for texts that were read before places were kept.
    words: Vec<PlacedWordView>,
}

/// A word and where it stands on its page as shown: in points (1/72 inch) from the top left.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlacedWordView {
    text: String,
    /// Unicode scalar values of the page's text before it.
    start: u32,
    x: f32,
    y: f32,
    width: f32,
    height: f32,
}

/// A page of a document's text, with the place of each word
#[utoipa::path(
    get, path = "/api/v1/documents/{id}/pages/{number}", tag = "documents",
    params(
        ("id" = Uuid, Path, description = "The document"),
        ("number" = u32, Path, description = "The page, counted from 1"),
    ),
    responses(
        (status = 200, description = "The page", body = PageOfText, headers(("ETag" = String, description = "Version of the document"))),
        (status = 304, description = "The client has it"),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document or page", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It has no text", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "It was erased", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn page(
    State(state): State<ApiState>,
    Path((id, number)): Path<(String, String)>,
    _: Query<PageQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = parse_id(&id)?;
    let number: usize = number.parse().map_err(|_| {
        Problem::new(ProblemType::InvalidParameter).detail("a page is a number, from 1")
    })?;
    let (head, _) = state.log.head_with_time().await.map_err(LogError::from)?;
    let events = stream(&state, id).await?;
    if kmrl_projections::query::is_erased(&events) {
        return Err(Problem::new(ProblemType::DocumentErased));
    }
    let version = events.last().map_or(0, |event| event.sequence);
    let standing = standing(&events).ok_or_else(no_text)?;
    let touched = Touched::document(id, version, head);
    let tag = etag(version);
    let mut response = if client_has(&headers, &tag) {
        touched.with(StatusCode::NOT_MODIFIED)
    } else {
        let texts = BlobTexts(Arc::clone(&state.blobs));
        let stored = texts.stored(&standing.key).await.map_err(|error| {
            // It may have been erased since its events were read.
            Problem::unavailable(ProblemType::StorageUnavailable, &error)
        })?;
        touched.with(Json(PageOfText::of(id, version, number, stored)?).into_response())
    };
    response.headers_mut().insert(header::ETAG, tag);
    Ok(response)
}

impl PageOfText {
    fn of(id: Uuid, version: i64, number: usize, stored: StoredText) -> Result<Self, Problem> {
        let page_count = stored.text.pages.len();
        let index = number.checked_sub(1);
        let text = index.and_then(|index| stored.text.pages.into_iter().nth(index));
        let text = text.ok_or_else(|| {
            let detail = format!("there is no page {number}: the text has {page_count}");
            Problem::new(ProblemType::PageNotFound).detail(detail)
        })?;
        let boxes = index.and_then(|index| stored.boxes.get(index));
        let placed = boxes.into_iter().flat_map(|boxes| boxes.words());
        Ok(Self {
            document_id: id,
            version,
            number,
            page_count,
            words: words(&text, placed),
            text,
        })
    }
}

/// The words, cut out of the text in one pass: they are in its order.
fn words(text: &str, placed: impl Iterator<Item = PlacedWord>) -> Vec<PlacedWordView> {
    let mut characters = text.chars();
    let mut at = 0_u32;
    let mut cut = |word: &PlacedWord| -> String {
        let gap = word.start.saturating_sub(at);
        at = word.start.saturating_add(word.length);
        let rest = characters.by_ref().skip(gap as usize);
        rest.take(word.length as usize).collect()
    };
    placed
        .map(|word| PlacedWordView {
            text: cut(&word),
            start: word.start,
            x: word.x,
            y: word.y,
            width: word.width,
            height: word.height,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kmrl_domain::boxes::PageBoxes;
    use kmrl_domain::values::TextArtefact;

    #[test]
    fn words_are_cut_out_of_the_text_where_they_stand() {
        let word = |start, length| PlacedWord {
            start,
            length,
            x: 1.0,
            y: 2.0,
            width: 3.0,
            height: 4.0,
        };
        let stored = StoredText {
            text: TextArtefact {
                pages: vec!["മെട്രോ  rail".into(), "no places".into()],
                ..TextArtefact::default()
            },
            boxes: vec![PageBoxes::of([word(0, 6), word(8, 4)])],
        };
        let page = PageOfText::of(Uuid::nil(), 3, 1, stored.clone()).unwrap();
        let words: Vec<_> = page.words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!((words, page.page_count), (vec!["മെട്രോ", "rail"], 2));
        let page = PageOfText::of(Uuid::nil(), 3, 2, stored.clone()).unwrap();
        assert!(page.words.is_empty());
        for number in [0, 3] {
            let missing = PageOfText::of(Uuid::nil(), 3, number, stored.clone()).unwrap_err();
            assert_eq!(missing.kind(), ProblemType::PageNotFound);
        }
    }
}
