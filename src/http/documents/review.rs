//! `POST /api/v1/documents/{id}/review`: a person looks at a text and says what stands.
//!
//! A corrected text goes to the object store before an event names it, beside the texts that
//! workers put; one that no event comes to name is an orphan, and goes as theirs do.

use super::super::context::Caller;
use super::super::etag::IfMatch;
use super::super::json::Json;
use super::super::problem::{Problem, ProblemBody, ProblemType};
use super::super::state::ApiState;
use super::change::{Change, Changed, parse_id};
use super::past::stream;
use crate::ports::reviewed_text_key;
use crate::projector::BlobTexts;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use kmrl_domain::boxes::{PageBoxes, StoredText};
use kmrl_domain::command::Review;
use kmrl_domain::judged::{self, Verdict};
use kmrl_domain::private::hex;
use kmrl_domain::values::TextRef;
use kmrl_domain::{DocumentCommand, RecordedEvent};
use kmrl_extraction::Limits;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// What a person says of a text.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewRequest {
    verdict: Said,
    /// With `correct`: the pages that are not right, as they should be. The others stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pages: Option<Vec<CorrectedPage>>,
}

/// The verdict.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Said {
    /// The text that stands is right.
    Accept,
    /// The text is to be as in `pages`.
    Correct,
    /// In place of a correction, the text that was read from the file last is to stand.
    Reread,
}

/// A page as it should be.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CorrectedPage {
    /// Counted from 1.
    #[schema(minimum = 1)]
    number: u32,
    /// Its whole text. Control characters but tab and the end of a line are left out.
    text: String,
}

/// A review ready to be carried out.
pub(crate) struct Prepared {
    pub(crate) command: DocumentCommand,
    /// The version whose text was corrected: the review counts for no other.
    pub(crate) version: Option<i64>,
}

impl ReviewRequest {
    /// The command; a corrected text is stored on the way.
    pub(crate) async fn prepare(
        self,
        state: &ApiState,
        caller: &Caller,
        id: Uuid,
    ) -> Result<Prepared, Problem> {
        let (verdict, text, version) = match (self.verdict, self.pages) {
            (Said::Accept, None) => (Verdict::Accepted, None, None),
            (Said::Reread, None) => (Verdict::Reread, None, None),
            (Said::Correct, Some(pages)) if !pages.is_empty() => {
                let (text, version) = store(state, id, pages).await?;
                (Verdict::Corrected, Some(text), Some(version))
            }
            _ => {
                return Err(invalid(
                    "`pages` go with the verdict `correct`, and with no other",
                ));
            }
        };
        let command = DocumentCommand::Review(Review {
            verdict,
            text,
            by: caller.principal.actor.clone(),
            at: state.clock.now(),
        });
        Ok(Prepared { command, version })
    }
}

fn invalid(what: impl Into<String>) -> Problem {
    Problem::new(ProblemType::CommandInvalid).detail(what)
}

/// Stores the text that stands with these pages in it, and says which version had it.
async fn store(
    state: &ApiState,
    id: Uuid,
    pages: Vec<CorrectedPage>,
) -> Result<(TextRef, i64), Problem> {
    let events = stream(state, id).await?;
    if kmrl_projections::query::is_erased(&events) {
        return Err(kmrl_domain::Refusal::Erased.into());
    }
    let version = events.last().map_or(0, |event| event.sequence);
    let standing = standing(&events).ok_or_else(no_text)?;
    let texts = BlobTexts(Arc::clone(&state.blobs));
    let stored = texts.stored(&standing.key).await.map_err(|error| {
        // It may have been erased since its events were read.
        Problem::unavailable(ProblemType::StorageUnavailable, &error)
    })?;
    let stored = corrected(stored, pages)?;
    let bytes = stored.to_json().map_err(|e| Problem::internal(&e))?;
    let sha256 = hex(&Sha256::digest(&bytes));
    let artefact = stored.text;
    let characters: usize = artefact.pages.iter().map(|p| p.chars().count()).sum();
    let text = TextRef {
        key: reviewed_text_key(id, state.ids.new_id(), &sha256),
        sha256,
        characters: u64::try_from(characters).unwrap_or(u64::MAX),
        pages: u32::try_from(artefact.pages.len()).unwrap_or(u32::MAX),
    };
    state
        .blobs
        .put_bytes(&text.key, bytes.into(), &text.sha256)
        .await?;
    Ok((text, version))
}

pub(super) fn standing(events: &[RecordedEvent]) -> Option<TextRef> {
    let newest_first = events.iter().rev();
    newest_first
        .filter_map(|event| judged::text_set_by(&event.event_type, &event.payload))
        .next()
}

pub(super) fn no_text() -> Problem {
    kmrl_domain::Refusal::Review(kmrl_domain::decide::ReviewRefusal::NoText).into()
}

/// The text with these pages in it. Where the words of a text stood that is another now, nobody knows.
fn corrected(mut stored: StoredText, pages: Vec<CorrectedPage>) -> Result<StoredText, Problem> {
    let artefact = &mut stored.text;
    let count = artefact.pages.len();
    for page in pages {
        let index = usize::try_from(page.number)
            .ok()
            .and_then(|n| n.checked_sub(1));
        let Some(place) = index.and_then(|index| artefact.pages.get_mut(index)) else {
            let what = format!("there is no page {}: the text has {count}", page.number);
            return Err(invalid(what));
        };
        let text = clean(&page.text);
        if *place != text
            && let Some(boxes) = index.and_then(|index| stored.boxes.get_mut(index))
        {
            *boxes = PageBoxes::default();
        }
        *place = text;
    }
    let most = Limits::default().max_characters;
    if artefact
        .pages
        .iter()
        .map(|p| p.chars().count())
        .sum::<usize>()
        > most
    {
        return Err(invalid(format!("a text has at most {most} characters")));
    }
    Ok(stored)
}

fn clean(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let is_wanted = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().filter(is_wanted).collect()
}

/// Say what stands of a document's text
#[utoipa::path(
    post, path = "/api/v1/documents/{id}/review", tag = "commands",
    params(
        ("id" = Uuid, Path, description = "The document"),
        ("If-Match" = String, Header, description = "The version that was read, or *"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe"),
    ),
    request_body = ReviewRequest,
    responses(
        (status = 200, description = "It is reviewed; earlier texts stay readable by `as_of`", body = Changed),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such document", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It was withdrawn, or has no text", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "It is at another version", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The pages cannot be used, or the idempotency key was used for another request", body = ProblemBody, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn review(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<ReviewRequest>,
) -> Result<Response, Problem> {
    let body = serde_json::to_string(&request).map_err(|e| Problem::internal(&e))?;
    let id = parse_id(&id)?;
    let condition = IfMatch::of(&headers)?.required()?;
    let Prepared { command, version } = request.prepare(&state, &caller, id).await?;
    let change = Change {
        caller: &caller,
        headers: &headers,
        id,
        condition: condition.or_version(version),
        fingerprint: ("review", body),
        private: None,
    };
    change.execute(&state, command).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use kmrl_domain::boxes::PlacedWord;
    use kmrl_domain::values::TextArtefact;

    fn artefact(pages: &[&str]) -> StoredText {
        let text = TextArtefact {
            pages: pages.iter().map(|page| (*page).to_owned()).collect(),
            title: Some("title".into()),
            producer: None,
        };
        StoredText {
            text,
            boxes: Vec::new(),
        }
    }

    fn page(number: u32, text: &str) -> CorrectedPage {
        CorrectedPage {
            number,
            text: text.into(),
        }
    }

    #[test]
    fn only_the_pages_named_change() {
        let pages = vec![page(2, "b\r\nc\u{0}\td\u{c}")];
        let corrected = corrected(artefact(&["one", "two"]), pages).unwrap();
        assert_eq!(corrected, artefact(&["one", "b\nc\td"]));
    }

    #[test]
    fn a_page_that_reads_otherwise_loses_its_places() {
        let word = PlacedWord {
            start: 0,
            length: 3,
            x: 1.0,
            y: 1.0,
            width: 9.0,
            height: 9.0,
        };
        let boxes = PageBoxes::of([word]);
        let stored = StoredText {
            boxes: vec![boxes.clone(), boxes.clone()],
            ..artefact(&["one", "two"])
        };
        let corrected = corrected(stored, vec![page(1, "one"), page(2, "zwo")]).unwrap();
        assert_eq!(corrected.boxes, [boxes, PageBoxes::default()]);
    }

    #[test]
    fn pages_that_are_not_there_are_refused() {
        for number in [0, 3, u32::MAX] {
            let refused = corrected(artefact(&["one", "two"]), vec![page(number, "x")]);
            assert_eq!(refused.unwrap_err().kind(), ProblemType::CommandInvalid);
        }
    }
}
