//! What was given up on and waits for somebody: events that a read model could not apply, and
//! documents whose processing failed for good. Lists them, explains them, tries them again.
//!
//! The log stays as it is. An event is tried again by rebuilding its read model beside the live
//! one (rows are folds of a whole stream; one event cannot be put in later); a document by the
//! command that anybody may give, so that who did it is in the log.

use crate::commands::{CommandError, CommandOptions, Commands};
use crate::event_store::CommandMetadata;
use crate::ports::Clock;
use kmrl_domain::DocumentCommand;
use kmrl_domain::command::RequestReprocessing;
use kmrl_domain::values::Priority;
use kmrl_projections::{NAMES, ProjectionError, Projector};
use serde::Serialize;
use sqlx::PgPool;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// Which dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterId {
    /// An event at a position that a read model could not apply.
    Parked(&'static str, i64),
    /// A document whose processing was given up.
    Job(Uuid),
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parked(projection, position) => write!(f, "parked:{projection}:{position}"),
            Self::Job(document) => write!(f, "job:{document}"),
        }
    }
}

/// The text is no id of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is `parked:PROJECTION:POSITION` or `job:DOCUMENT`")]
pub struct NoLetterId;

impl FromStr for LetterId {
    type Err = NoLetterId;

    fn from_str(text: &str) -> Result<Self, NoLetterId> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts.as_slice() {
            ["job", id] => id.parse().map(Self::Job).map_err(|_| NoLetterId),
            ["parked", name, position] => {
                let name = NAMES.into_iter().find(|known| known == name);
                let position = position.parse().ok().filter(|p: &i64| *p > 0);
                name.zip(position)
                    .map(|(name, position)| Self::Parked(name, position))
                    .ok_or(NoLetterId)
            }
            _ => Err(NoLetterId),
        }
    }
}

/// Something that was given up on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeadLetter {
    /// For replaying it.
    #[schema(example = "job:00000000-0000-7000-8000-000000000000")]
    pub id: String,
    /// parked_event or given_up_job.
    pub kind: &'static str,
    /// The document, when it is about one.
    pub document_id: Option<Uuid>,
    /// Position of the event that could not be applied, or that gave up.
    pub position: i64,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What went wrong.
    pub error: String,
    /// What it means and what to do.
    pub explanation: &'static str,
}

/// Why a dead letter was not replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is none of this id (any more).
    #[error("there is no such dead letter; it may have been replayed already")]
    Unknown,
    /// It could not be applied this time either.
    #[error("the event still cannot be applied: {error}")]
    StillUnfit {
        /// What is wrong with it now.
        error: String,
    },
    /// The database did not answer.
    #[error("reading the dead letters")]
    Database(#[from] sqlx::Error),
    /// The read model could not be rebuilt.
    #[error("rebuilding the read model")]
    Projection(#[from] ProjectionError),
    /// The document could not be asked to be processed again.
    #[error("asking for the document to be processed again")]
    Command(#[from] CommandError),
}

/// Lists and replays. Cheap to clone.
#[derive(Clone)]
pub struct DeadLetters {
    /// Where they are.
    pub pool: PgPool,
    /// Rebuilds read models.
    pub projector: Projector,
    /// Asks for documents to be processed again.
    pub commands: Commands,
    /// Now.
    pub clock: Arc<dyn Clock>,
}

#[derive(sqlx::FromRow)]
struct Row {
    projection: Option<String>,
    document_id: Option<Uuid>,
    position: i64,
    at: OffsetDateTime,
    error: String,
    code: Option<String>,
}

const ALL: &str = "SELECT projection, document_id, position, parked_at AS at, error, NULL AS code \
     FROM read.parked_events \
     UNION ALL \
     SELECT NULL, d.id, d.position, e.recorded_at, \
            coalesce(d.error ->> 'code', '') || ': ' || coalesce(d.error ->> 'detail', ''), d.error ->> 'code' \
     FROM read.documents d JOIN events e USING (position) \
     WHERE d.status = 'failed' AND d.withdrawn_at IS NULL AND d.erased_at IS NULL";

impl DeadLetters {
    /// Some `limit` before a position, newest first: a few more when several are at the last one's
    /// position, so that a page never ends between them. None are left if there are fewer.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(
        &self,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<DeadLetter>, sqlx::Error> {
        let sql = format!(
            "SELECT * FROM (SELECT * FROM ({ALL}) l WHERE position < $1 \
                            AND (projection IS NULL OR projection = ANY($3)) \
                            ORDER BY position DESC FETCH FIRST $2 ROWS WITH TIES) page \
             ORDER BY position DESC, projection"
        );
        let rows: Vec<Row> = sqlx::query_as(&sql)
            .bind(before.unwrap_or(i64::MAX))
            .bind(limit)
            // Those of read models that this program does not know are another's to replay.
            .bind(&NAMES[..])
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().filter_map(letter).collect())
    }

    /// Whether there is one of this id.
    ///
    /// # Errors
    /// [`ReplayError::Unknown`], or when the database does not answer.
    pub async fn find(&self, id: LetterId) -> Result<(), ReplayError> {
        let (projection, position, document) = match id {
            LetterId::Parked(projection, position) => (Some(projection), Some(position), None),
            LetterId::Job(document) => (None, None, Some(document)),
        };
        let sql = format!(
            "SELECT 1 FROM ({ALL}) l WHERE projection IS NOT DISTINCT FROM $1 \
             AND ($2::bigint IS NULL OR position = $2) AND ($3::uuid IS NULL OR document_id = $3) LIMIT 1"
        );
        let found: Option<i32> = sqlx::query_scalar(&sql)
            .bind(projection)
            .bind(position)
            .bind(document)
            .fetch_optional(&self.pool)
            .await?;
        found.map(drop).ok_or(ReplayError::Unknown)
    }

    /// Tries it again. For an event this takes as long as a rebuild of its read model.
    ///
    /// # Errors
    /// See [`ReplayError`].
    pub async fn replay(
        &self,
        id: LetterId,
        metadata: CommandMetadata,
        progress: &mut (dyn FnMut(i64, i64) + Send),
    ) -> Result<(), ReplayError> {
        self.find(id).await?;
        match id {
            LetterId::Parked(projection, position) => {
                self.projector.rebuild(projection, progress).await?;
                self.still_parked(projection, position).await
            }
            LetterId::Job(document) => {
                let command = DocumentCommand::RequestReprocessing(RequestReprocessing {
                    priority: Priority::Normal,
                    at: self.clock.now(),
                });
                let options = CommandOptions {
                    metadata,
                    ..CommandOptions::default()
                };
                self.commands.execute(document, command, options).await?;
                Ok(())
            }
        }
    }

    async fn still_parked(&self, projection: &str, position: i64) -> Result<(), ReplayError> {
        let error: Option<String> = sqlx::query_scalar(
            "SELECT error FROM read.parked_events WHERE projection = $1 AND position = $2",
        )
        .bind(projection)
        .bind(position)
        .fetch_optional(&self.pool)
        .await?;
        match error {
            Some(error) => Err(ReplayError::StillUnfit { error }),
            None => Ok(()),
        }
    }
}

/// `None` for one of a read model that this program does not know.
fn letter(row: Row) -> Option<DeadLetter> {
    let (id, kind) = match (&row.projection, row.document_id) {
        (Some(name), _) => {
            let name = NAMES.into_iter().find(|known| known == name)?;
            (LetterId::Parked(name, row.position), "parked_event")
        }
        (None, Some(document)) => (LetterId::Job(document), "given_up_job"),
        (None, None) => return None,
    };
    Some(DeadLetter {
        id: id.to_string(),
        kind,
        document_id: row.document_id,
        position: row.position,
        at: row.at,
        error: row.error,
        explanation: explanation(row.code.as_deref()),
    })
}

/// What a failure means and what to do; `None`: an event was parked.
fn explanation(code: Option<&str>) -> &'static str {
    match code {
        None => {
            "A read model could not apply this event, so its rows lack it; everything else is shown. \
             Mend what the error names (a missing text in the object store, a program too old for the \
             event), then replay: the read model is rebuilt beside the live one."
        }
        Some("crashed" | "out_of_memory") => {
            "The reader broke on this document each time. Replay it once more memory is allowed or the \
             reader was mended; the document itself is safe."
        }
        Some("time_limit") => {
            "Reading took longer than allowed. Replay it with a longer hard limit, or when the machines \
             are less busy."
        }
        Some("reader_unavailable" | "workers_lost" | "text_not_stored" | "blob_missing") => {
            "The document is not to blame: a worker or the object store failed. Replay it when they are well."
        }
        Some(_) => {
            "The document cannot be read as it is. Replaying gives the same until the reader learns to; \
             its sender can send it in another form."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        let ids = [
            LetterId::Parked("texts", 41),
            LetterId::Job(Uuid::from_u128(7)),
        ];
        for id in ids {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for bad in [
            "",
            "job:",
            "job:1",
            "parked:texts",
            "parked:nothing:1",
            "parked:texts:0",
            "x:y",
        ] {
            assert_eq!(bad.parse::<LetterId>(), Err(NoLetterId), "{bad}");
        }
    }
}
