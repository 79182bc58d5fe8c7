//! Carries out commands: load, decide, append, and again when another one was faster.
//!
//! The only way into the log for HTTP and for jobs. It decides nothing itself: rules are the
//! domain's, order and uniqueness are the event store's.

use crate::event_store::{
    Append, AppendError, Appended, Claim, CommandMetadata, Idempotency, NewEvent,
    PostgresEventStore,
};
use crate::traces::{Kind, Traces};
use cqrs_es::{AggregateError, DomainEvent, EventStore};
use kmrl_domain::command::Upload;
use kmrl_domain::decide::decide;
use kmrl_domain::{Document, DocumentCommand, PrivatePart, Refusal, UploadRefused};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// How often a command is decided anew because the stream had moved on.
const TURNS: u32 = 12;
/// Longest pause between two turns.
const LONGEST_PAUSE: Duration = Duration::from_millis(64);
/// The claim that makes an upload the first one with its bytes, and the one of a later upload.
const BLOB: &str = "blob";
const SHARED_BLOB: &str = "shared blob";

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Carries out commands. Cheap to clone.
#[derive(Clone)]
pub struct Commands {
    store: PostgresEventStore,
    traces: Traces,
}

/// What comes with a command.
#[derive(Clone, Debug, Default)]
pub struct CommandOptions {
    /// Kept with the event.
    pub metadata: CommandMetadata,
    /// Only when the document is at this version.
    pub if_version: Option<i64>,
    /// Makes a repetition harmless.
    pub idempotency: Option<Idempotency>,
    /// Content beside the event.
    pub private: Option<PrivatePart>,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// The document; for a replayed command that of the first time.
    pub document_id: Uuid,
    /// Its version now; for a replayed command that of the first time.
    pub version: i64,
    /// Position of the last event; when nothing was decided, of the newest one in the log.
    pub position: i64,
    /// There is an event; `false`: it was so already.
    pub changed: bool,
    /// The idempotency key was known: this is the answer of the first time.
    pub replayed: bool,
    /// When.
    pub recorded_at: OffsetDateTime,
    /// Of an upload: the first document with the same bytes. Not known of a replayed one.
    pub duplicate_of: Option<Uuid>,
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The rules forbid it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The document is at another version than the caller named.
    #[error("the document is at version {actual}, not {expected}")]
    VersionMismatch {
        /// What the caller named.
        expected: i64,
        /// What it is.
        actual: i64,
    },
    /// The idempotency key was used for something else.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// Others kept being faster.
    #[error("the document kept changing")]
    Conflict,
    /// The bytes of the upload are being, or were, taken out of the object store. Put them again.
    #[error("the bytes of the document were removed")]
    BytesRemoved {
        /// Which removal.
        removal: String,
    },
    /// The database cannot be reached. The outcome is unknown: repeat with an idempotency key.
    #[error("the event store is unavailable")]
    Unavailable(#[source] BoxError),
    /// The log cannot hold or give back what is in it: a defect, and repeating does not help.
    #[error("the event store cannot hold or read the content")]
    Content(#[source] BoxError),
    /// More commands wait than may.
    #[error("too many commands wait")]
    Overloaded,
}

/// A turn that did not end in an event.
enum Failure {
    Command(CommandError),
    Claimed { owner: String },
}

impl<E: Into<CommandError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Command(error.into())
    }
}

impl Commands {
    /// Carries out commands on this store.
    #[must_use]
    pub const fn new(store: PostgresEventStore) -> Self {
        Self {
            store,
            traces: Traces::off(),
        }
    }

    /// The same, with a span for each command.
    #[must_use]
    pub fn traced(self, traces: Traces) -> Self {
        Self { traces, ..self }
    }

    /// Carries out a command on a document. When the stream moves on meanwhile it is decided
    /// anew, a bounded number of times, unless the caller named a version.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn execute(
        &self,
        id: Uuid,
        command: DocumentCommand,
        options: CommandOptions,
    ) -> Result<Executed, CommandError> {
        self.carry_out(id, &command, None, &options)
            .await
            .map_err(unclaimed)
    }

    /// Takes in a document whose bytes are safe already. The first one with its bytes claims
    /// them; a later one is decided again as a duplicate of the first, which is answered too.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn upload(
        &self,
        id: Uuid,
        mut upload: Upload,
        private: PrivatePart,
        mut options: CommandOptions,
    ) -> Result<Executed, CommandError> {
        options.private = Some(private);
        let sha256 = upload.blob.sha256.clone();
        for _ in 0..TURNS {
            let claim = match upload.duplicate_of {
                None => Claim {
                    kind: BLOB,
                    value: sha256.clone(),
                },
                Some(first) => Claim::shared(SHARED_BLOB, &sha256, &first.to_string()),
            };
            let command = DocumentCommand::Upload(upload.clone());
            let owner = match self.carry_out(id, &command, Some(claim), &options).await {
                Err(Failure::Claimed { owner }) => owner,
                result => {
                    return Ok(Executed {
                        duplicate_of: upload.duplicate_of,
                        ..result.map_err(unclaimed)?
                    });
                }
            };
            if crate::removal::is_of_removal(&owner) {
                return Err(CommandError::BytesRemoved { removal: owner });
            }
            upload.duplicate_of = match owner.as_str() {
                // It was another's a moment ago; now it can be claimed.
                "nobody" => None,
                owner => Some(owner.parse().map_err(content::<uuid::Error>)?),
            };
        }
        Err(CommandError::Conflict)
    }

    /// Records that an upload was refused at the door.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn refuse_upload(
        &self,
        id: Uuid,
        refused: UploadRefused,
        private: Option<PrivatePart>,
        mut options: CommandOptions,
    ) -> Result<Executed, CommandError> {
        options.private = private;
        let append = append(id, kmrl_domain::intake::TYPE, 0, &[refused], &options)?;
        let appended = self.store.append(append).await;
        executed(&appended.map_err(|e| unclaimed(failure(e)))?)
    }

    async fn carry_out(
        &self,
        id: Uuid,
        command: &DocumentCommand,
        claim: Option<Claim>,
        options: &CommandOptions,
    ) -> Result<Executed, Failure> {
        let parent = options.metadata.traceparent.as_deref();
        let mut traced = self.traces.begin(Kind::Internal, "append", parent);
        if let Some(traced) = &mut traced {
            traced.note("kmrl.document_id", id);
        }
        for turn in 0..TURNS {
            // A document is almost always new when it is uploaded: look only if it is not.
            let is_new = turn == 0 && matches!(command, DocumentCommand::Upload(_));
            let (document, version) = if is_new {
                (Document::default(), 0)
            } else {
                self.load(id).await?
            };
            let events = match check(&document, version, command, options) {
                Ok(events) => events,
                // A repetition is answered as the first time, though it would be refused now.
                Err(error) => return Ok(self.answered_before(options, error).await?),
            };
            if events.is_empty() && options.idempotency.is_none() {
                return Ok(self.nothing(id, version).await?);
            }
            let mut append = append(id, kmrl_domain::document::TYPE, version, &events, options)?;
            append.claim.clone_from(&claim);
            match self.store.append(append).await {
                Ok(appended) => return Ok(executed(&appended)?),
                Err(AppendError::Stale { actual }) => {
                    if let Some(expected) = options.if_version {
                        return Err(CommandError::VersionMismatch { expected, actual }.into());
                    }
                    crate::pause::pause(pause_after(turn)).await;
                }
                Err(error) => return Err(failure(error)),
            }
        }
        Err(CommandError::Conflict.into())
    }

    async fn load(&self, id: Uuid) -> Result<(Document, i64), CommandError> {
        let context = EventStore::<Document>::load_aggregate(&self.store, &id.to_string())
            .await
            .map_err(|error| match error {
                AggregateError::DeserializationError(source) => CommandError::Content(source),
                other => CommandError::Unavailable(Box::new(other)),
            })?;
        let version = i64::try_from(context.current_sequence).map_err(content)?;
        Ok((context.aggregate, version))
    }

    /// The answer that the command's key got before, else the error.
    async fn answered_before(
        &self,
        options: &CommandOptions,
        error: CommandError,
    ) -> Result<Executed, CommandError> {
        let Some(key) = &options.idempotency else {
            return Err(error);
        };
        match self.store.answered(key).await {
            Ok(Some(appended)) => executed(&appended),
            Ok(None) => Err(error),
            Err(other) => Err(unclaimed(failure(other))),
        }
    }

    async fn nothing(&self, document_id: Uuid, version: i64) -> Result<Executed, CommandError> {
        let head = self.store.log().head_with_time().await;
        let (position, recorded_at) = head.map_err(|e| CommandError::Unavailable(e.into()))?;
        Ok(Executed {
            document_id,
            version,
            position,
            changed: false,
            replayed: false,
            recorded_at,
            duplicate_of: None,
        })
    }
}

fn check(
    document: &Document,
    version: i64,
    command: &DocumentCommand,
    options: &CommandOptions,
) -> Result<Vec<kmrl_domain::DocumentEvent>, CommandError> {
    match options.if_version {
        Some(expected) if expected != version => Err(CommandError::VersionMismatch {
            expected,
            actual: version,
        }),
        _ => Ok(decide(document, command.clone())?),
    }
}

fn append<E: DomainEvent>(
    id: Uuid,
    aggregate_type: &'static str,
    expected_version: i64,
    events: &[E],
    options: &CommandOptions,
) -> Result<Append, CommandError> {
    // The private part is the first event's.
    let mut private = options.private.clone();
    let written: Result<Vec<_>, _> = events
        .iter()
        .map(|event| NewEvent::new(event, private.take()))
        .collect();
    Ok(Append {
        aggregate_type,
        aggregate_id: id.to_string(),
        expected_version,
        events: written.map_err(content)?,
        metadata: options.metadata.clone(),
        idempotency: options.idempotency.clone(),
        claim: None,
    })
}

fn executed(appended: &Appended) -> Result<Executed, CommandError> {
    Ok(Executed {
        document_id: appended
            .aggregate_id
            .parse()
            .map_err(content::<uuid::Error>)?,
        version: appended.version,
        position: appended.position,
        changed: appended.first_position <= appended.position,
        replayed: appended.replayed,
        recorded_at: appended.recorded_at,
        duplicate_of: None,
    })
}

fn content<E: std::error::Error + Send + Sync + 'static>(error: E) -> CommandError {
    CommandError::Content(Box::new(error))
}

fn failure(error: AppendError) -> Failure {
    Failure::Command(match error {
        AppendError::Claimed { owner } => return Failure::Claimed { owner },
        AppendError::Stale { .. } => CommandError::Conflict,
        AppendError::KeyReused => CommandError::KeyReused,
        AppendError::Overloaded => CommandError::Overloaded,
        AppendError::Payload { source } => CommandError::Content(source),
        AppendError::Unavailable { .. } | AppendError::Stopped => {
            CommandError::Unavailable(Box::new(error))
        }
    })
}

/// The error of a command that claimed nothing.
fn unclaimed(failure: Failure) -> CommandError {
    match failure {
        Failure::Command(error) => error,
        Failure::Claimed { .. } => CommandError::Conflict,
    }
}

/// Doubles from 1 ms: the others on a hot stream finish meanwhile.
fn pause_after(turn: u32) -> Duration {
    Duration::from_millis(1 << turn.min(10)).min(LONGEST_PAUSE)
}
