//! The read model `texts`: the text of each document, taken from its artefact.
//!
//! The artefacts are in the object store and come with the batch. They are made from files that
//! anybody may have written: what PostgreSQL has no place for in them is replaced, not refused.

use crate::batch;
use crate::fold::{self, Folded, Rejected, Unfit, storable};
use crate::model::Model;
use crate::rows::{self, row};
use async_trait::async_trait;
use kmrl_domain::event::{Extracted, Reviewed};
use kmrl_domain::values::TextRef;
use kmrl_domain::{DocumentEvent, RecordedEvent};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub(crate) const NAME: &str = "texts";

row! {
    /// The text of a document.
    Text in "texts" {
        key document_id: Uuid => "uuid",
        version: i64 => "bigint",
        position: i64 => "bigint",
        text_key: String => "text",
        sha256: String => "text",
        title: Option<String> => "text",
        producer: Option<String> => "text",
        pages: String => "jsonb",
        text: String => "text",
    }
}

/// Documents that the events erase.
fn erased(events: &[RecordedEvent]) -> BTreeSet<Uuid> {
    let erasures = events.iter().filter(|event| fold::is_erasure(event));
    erasures.filter_map(|event| event.id().ok()).collect()
}

/// Folds events that set the text; `prior` is the version of the text that each document has.
pub(crate) fn texts(
    events: &[RecordedEvent],
    prior: &BTreeMap<Uuid, i64>,
    texts: &batch::Texts,
) -> Folded<Text> {
    let mut folded = Folded::default();
    for recorded in events.iter().filter(|event| fold::sets_text(event)) {
        match text(recorded, prior, texts) {
            Ok(Some(row)) => {
                folded.changed.insert(row.document_id, row);
            }
            Ok(None) => {}
            Err(why) => folded.rejected.push(Rejected::new(recorded, &why)),
        }
    }
    folded
}

fn text(
    recorded: &RecordedEvent,
    prior: &BTreeMap<Uuid, i64>,
    texts: &batch::Texts,
) -> Result<Option<Text>, Unfit> {
    let document_id = recorded.id()?;
    if prior
        .get(&document_id)
        .is_some_and(|version| *version >= recorded.sequence)
    {
        return Ok(None);
    }
    let (DocumentEvent::Extracted(Extracted { text, .. })
    | DocumentEvent::Reviewed(Reviewed { text, .. })) = recorded.decode()?
    else {
        return Ok(None);
    };
    let artefact = match texts.get(&text.key) {
        Some(Ok(artefact)) => artefact,
        Some(Err(error)) => return Err(Unfit::Text(error.clone())),
        None => return Err(Unfit::NotFetched),
    };
    let pages: Vec<String> = artefact.pages.iter().cloned().map(storable).collect();
    Ok(Some(Text {
        document_id,
        version: recorded.sequence,
        position: recorded.position,
        text_key: text.key,
        sha256: text.sha256,
        title: artefact.title.clone().map(storable),
        producer: artefact.producer.clone().map(storable),
        pages: serde_json::Value::from(pages).to_string(),
        text: storable(artefact.text()),
    }))
}

/// The read model.
pub(crate) struct Texts;

#[async_trait]
impl Model for Texts {
    fn name(&self) -> &'static str {
        NAME
    }

    fn shape(&self) -> i32 {
        3
    }

    fn definition(&self) -> &'static str {
        include_str!("texts.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["texts"]
    }

    fn concerns(&self, event: &RecordedEvent) -> bool {
        fold::sets_text(event) || fold::is_erasure(event)
    }

    fn text_of(&self, event: &RecordedEvent) -> Option<TextRef> {
        // An event that cannot be read is parked when it is folded.
        fold::text_set_by(event)
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        events: &[RecordedEvent],
        fetched: &batch::Texts,
    ) -> Result<Vec<Rejected>, sqlx::Error> {
        let ids: Vec<Uuid> = fold::touched(events).into_iter().collect();
        let prior: Vec<(Uuid, i64)> = sqlx::query_as(&format!(
            "SELECT document_id, version FROM {schema}.texts WHERE document_id = ANY($1)"
        ))
        .bind(ids)
        .fetch_all(&mut *connection)
        .await?;
        let mut folded = texts(events, &prior.into_iter().collect(), fetched);
        let erased = erased(events);
        folded.changed.retain(|id, _| !erased.contains(id));
        let rows = folded.changed.into_values().collect();
        rows::upsert::<Text>(&mut *connection, schema, rows).await?;
        if !erased.is_empty() {
            // No text follows an erasure: the domain refuses it.
            sqlx::query(&format!(
                "DELETE FROM {schema}.texts WHERE document_id = ANY($1)"
            ))
            .bind(erased.into_iter().collect::<Vec<_>>())
            .execute(connection)
            .await?;
        }
        Ok(folded.rejected)
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

    fn fetched(pages: &[&str]) -> batch::Texts {
        let artefact = TextArtefact {
            pages: pages.iter().map(|page| (*page).to_owned()).collect(),
            title: Some("a\0title".into()),
            producer: None,
        };
        [(text_key(), Ok(artefact))].into()
    }

    #[test]
    fn an_extracted_text_becomes_a_row() {
        let folded = texts(
            &log(document(1)),
            &BTreeMap::new(),
            &fetched(&["one", "two\0"]),
        );
        let row = &folded.changed[&id(1)];
        assert_eq!(row.text, "one\u{c}two\u{fffd}");
        assert_eq!(row.pages, "[\"one\",\"two\u{fffd}\"]");
        assert_eq!(row.title.as_deref(), Some("a\u{fffd}title"));
        assert_eq!((row.version, row.position), (3, 3));
    }

    #[test]
    fn a_text_applied_before_is_not_applied_again() {
        let prior = [(id(1), 3)].into();
        let folded = texts(&log(document(1)), &prior, &fetched(&["one"]));
        assert!(folded.changed.is_empty() && folded.rejected.is_empty());
    }

    #[test]
    fn what_a_person_wrote_stands_and_a_later_extraction_does_not() {
        let way = vec![
            (1, 4, reviewed(Verdict::Corrected, "ee")),
            (1, 5, kept_back(2, "77")),
        ];
        let mut fetched = fetched(&["one"]);
        let written = TextArtefact {
            pages: vec!["written".into()],
            ..TextArtefact::default()
        };
        fetched.insert(text_of("ee").key, Ok(written));
        let folded = texts(
            &log([document(1), way].concat()),
            &BTreeMap::new(),
            &fetched,
        );
        assert!(folded.rejected.is_empty(), "{:?}", folded.rejected);
        let row = &folded.changed[&id(1)];
        assert_eq!((row.text.as_str(), row.version), ("written", 4));
    }

    #[test]
    fn a_missing_text_is_rejected() {
        let missing = TextError::Missing { key: text_key() };
        let none = [(text_key(), Err(Arc::new(missing)))].into();
        let folded = texts(&log(document(1)), &BTreeMap::new(), &none);
        assert_eq!(folded.rejected[0].position, 3);
        assert_eq!(
            folded.rejected[0].error,
            format!("there is no text artefact `{}`", text_key())
        );
    }
}
