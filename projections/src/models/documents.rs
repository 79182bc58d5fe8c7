//! The read model `documents`: what lists and details show of each document, but for its text.
//!
//! It never passes `texts`, so that no document is shown as processed before its text is there.

mod row;
#[cfg(test)]
mod tests;

pub(crate) use row::Document;
pub(super) use row::json;

use crate::batch::Texts;
use crate::counters::Moves;
use crate::fold::{self, Rejected};
use crate::model::Model;
use crate::models::texts;
use crate::rows;
use async_trait::async_trait;
use kmrl_domain::RecordedEvent;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(crate) const NAME: &str = "documents";

/// How the counts move from the rows before to the rows after.
pub(super) fn moves(
    prior: &BTreeMap<Uuid, Document>,
    changed: &BTreeMap<Uuid, Document>,
) -> Moves<6> {
    let mut moves = Moves::default();
    for (id, row) in changed {
        if let Some(before) = prior.get(id) {
            before.count(&mut moves, -1);
        }
        row.count(&mut moves, 1);
    }
    moves
}

/// The read model.
pub(crate) struct Documents;

#[async_trait]
impl Model for Documents {
    fn name(&self) -> &'static str {
        NAME
    }

    fn shape(&self) -> i32 {
        4
    }

    fn definition(&self) -> &'static str {
        include_str!("documents.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["documents", "document_counts"]
    }

    fn follows(&self) -> Option<&'static str> {
        Some(texts::NAME)
    }

    fn concerns(&self, event: &RecordedEvent) -> bool {
        fold::is_of_document(event)
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        events: &[RecordedEvent],
        _texts: &Texts,
    ) -> Result<Vec<Rejected>, sqlx::Error> {
        let prior = rows::load(connection, schema, &fold::touched(events)).await?;
        let folded = fold::fold(events, &prior);
        moves(&prior, &folded.changed)
            .store(
                connection,
                &format!("{schema}.document_counts"),
                [
                    "source",
                    "status",
                    "department",
                    "language",
                    "review",
                    "standing",
                ],
            )
            .await?;
        let rows = folded.changed.into_values().collect();
        rows::upsert::<Document>(connection, schema, rows).await?;
        Ok(folded.rejected)
    }
}
