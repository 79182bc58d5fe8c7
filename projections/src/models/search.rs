//! The read model `search`: the words of each document's text, name and metadata, and the
//! vocabulary of all of them.
//!
//! It never passes `documents`, so that every hit can be shown. An erased document has no row, and
//! words that only it had are in the vocabulary no more.

mod entry;
mod parts;
mod store;
mod vocabulary;

use crate::batch::Texts;
use crate::fold::{self, Rejected, Unfit};
use crate::model::Model;
use crate::models::documents;
use async_trait::async_trait;
use entry::Entry;
use kmrl_domain::RecordedEvent;
use kmrl_domain::values::TextRef;
use parts::Part;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(crate) const NAME: &str = "search";
/// Longest phrase, in words, that is found wherever it stands.
pub(crate) const LONGEST_PHRASE: usize = parts::SHARED;

/// Events that change nothing of what is searched by.
const NO_CONCERN: [&str; 6] = [
    "LegalHoldPlaced",
    "LegalHoldReleased",
    "RetentionExpired",
    "ErasureRequested",
    "ErasureRejected",
    // Its document has no row any more.
    "ContentDestroyed",
];

fn concerns(event: &RecordedEvent) -> bool {
    fold::is_of_document(event) && !NO_CONCERN.contains(&event.event_type.as_str())
}

/// What a batch makes of the rows.
#[derive(Debug, Default)]
struct Change {
    /// What stands beside the words, by document.
    entries: BTreeMap<Uuid, Entry>,
    /// New texts, by document.
    texts: BTreeMap<Uuid, Vec<Part>>,
    rejected: Vec<Rejected>,
}

fn change(events: &[RecordedEvent], prior: &BTreeMap<Uuid, Entry>, fetched: &Texts) -> Change {
    let concerned = events.iter().filter(|event| concerns(event));
    let folded = fold::fold(concerned, prior);
    let mut change = Change {
        entries: folded.changed,
        texts: BTreeMap::new(),
        rejected: folded.rejected,
    };
    for event in events {
        // What cannot be read was rejected above.
        let (Some(text), Ok(id)) = (fold::text_set_by(event), event.id()) else {
            continue;
        };
        let before = prior.get(&id).map_or(0, |entry| entry.version);
        let entry = change.entries.get(&id);
        if event.sequence <= before || entry.is_none_or(|entry| entry.erased) {
            continue;
        }
        match fetched.get(&text.key) {
            Some(Ok(artefact)) => drop(change.texts.insert(id, parts::of(artefact))),
            Some(Err(error)) => {
                let why = Unfit::Text(error.clone());
                change.rejected.push(Rejected::new(event, &why));
            }
            None => change
                .rejected
                .push(Rejected::new(event, &Unfit::NotFetched)),
        }
    }
    change
}

/// The read model.
pub(crate) struct Search;

#[async_trait]
impl Model for Search {
    fn name(&self) -> &'static str {
        NAME
    }

    fn shape(&self) -> i32 {
        1
    }

    fn definition(&self) -> &'static str {
        include_str!("search.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["search", "search_words"]
    }

    fn follows(&self) -> Option<&'static str> {
        Some(documents::NAME)
    }

    fn concerns(&self, event: &RecordedEvent) -> bool {
        concerns(event)
    }

    fn text_of(&self, event: &RecordedEvent) -> Option<TextRef> {
        fold::text_set_by(event)
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        events: &[RecordedEvent],
        texts: &Texts,
    ) -> Result<Vec<Rejected>, sqlx::Error> {
        let prior = store::load(connection, schema, &fold::touched(events)).await?;
        let change = change(events, &prior, texts);
        store::store(connection, schema, &prior, &change).await?;
        Ok(change.rejected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::TextError;
    use crate::testing::*;
    use kmrl_domain::judged::Verdict;
    use kmrl_domain::values::TextArtefact;
    use std::sync::Arc;

    fn fetched(pages: &[&str]) -> Texts {
        let artefact = TextArtefact {
            pages: pages.iter().map(|page| (*page).to_owned()).collect(),
            title: None,
            producer: None,
        };
        [(text_key(), Ok(artefact))].into()
    }

    fn changed(events: Vec<Spec>) -> Change {
        change(&log(events), &BTreeMap::new(), &fetched(&["brake pads"]))
    }

    #[test]
    fn a_document_has_its_words_and_what_it_is_filtered_by() {
        let change = changed(document(1));
        let entry = &change.entries[&id(1)];
        assert_eq!((entry.version, entry.status.as_str()), (3, "processed"));
        assert_eq!(entry.department.as_deref(), Some("rolling_stock"));
        assert!(entry.name.contains("'job':16A 'pdf':18A"), "{}", entry.name);
        assert!(entry.metadata.contains("'wo':16B"), "{}", entry.metadata);
        let parts = &change.texts[&id(1)];
        assert_eq!(parts.len(), 1);
        assert!(parts[0].words.to_text().contains("'brake'"));
        assert!(change.rejected.is_empty());
    }

    #[test]
    fn a_correction_takes_the_place_of_what_it_names() {
        let events = [
            document(1),
            vec![(1, 4, corrected(Some("safety"), Some("WO-2")))],
        ];
        let change = changed(events.concat());
        let entry = &change.entries[&id(1)];
        assert_eq!(entry.department.as_deref(), Some("safety"));
        assert!(entry.metadata.contains("'2'") && !entry.metadata.contains("'1'"));
        assert!(entry.name.contains("'job'"));
    }

    #[test]
    fn what_a_person_said_outlasts_an_extraction() {
        let said = vec![(1, 1, uploaded()), (1, 2, corrected(Some("legal"), None))];
        let read = vec![(1, 3, started(1, 1)), (1, 4, doubtful())];
        let change = changed([said, read].concat());
        assert_eq!(change.entries[&id(1)].department.as_deref(), Some("legal"));
    }

    #[test]
    fn the_text_that_a_person_wrote_is_searched_in() {
        let kept = vec![
            (1, 4, reviewed(Verdict::Corrected, "ee")),
            (1, 5, reprocessing(2)),
            (1, 6, started(2, 1)),
            (1, 7, kept_back(2, "77")),
        ];
        let named: Vec<bool> = log([document(1), kept].concat())
            .iter()
            .map(|event| fold::text_set_by(event).is_some())
            .collect();
        assert_eq!(named, [false, false, true, true, false, false, false]);
    }

    #[test]
    fn of_an_erased_document_nothing_is_stored() {
        let erasure = vec![
            (1, 4, requested("key:admin")),
            (1, 5, erased("key:admin", "key:approver")),
            (1, 6, destroyed()),
        ];
        let change = changed([document(1), erasure].concat());
        assert!(change.entries[&id(1)].erased && change.texts.is_empty());
        assert!(change.rejected.is_empty(), "{:?}", change.rejected);
    }

    #[test]
    fn what_was_applied_before_changes_nothing() {
        let prior = changed(document(1)).entries;
        let again = change(&log(document(1)), &prior, &fetched(&["brake pads"]));
        assert!(again.entries.is_empty() && again.texts.is_empty());
    }

    #[test]
    fn a_missing_text_is_rejected_and_the_rest_is_kept() {
        let missing = TextError::Missing { key: text_key() };
        let none = [(text_key(), Err(Arc::new(missing)))].into();
        let change = change(&log(document(1)), &BTreeMap::new(), &none);
        assert_eq!(change.rejected[0].position, 3);
        assert_eq!(change.entries[&id(1)].status, "processed");
    }

    #[test]
    fn a_document_without_its_upload_is_rejected_once() {
        let change = changed(document(1).split_off(1));
        let positions: Vec<_> = change.rejected.iter().map(|r| r.position).collect();
        assert_eq!(positions, [1, 2]);
    }
}
