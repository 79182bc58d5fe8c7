//! One batch of commands as one statement: its arrays out, its outcomes in.
//!
//! Owns the call of `es_append`, nothing of when it is called.

use super::types::{Append, AppendError, Appended, Claim, Idempotency, NewEvent};
use sqlx::PgConnection;
use std::collections::HashMap;
use time::OffsetDateTime;

const STATEMENT: &str = "SELECT outcome, owner, version, first_position, last_position, at \
     FROM es_append($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18)";

/// A command as the writer holds it: the metadata is text already.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) aggregate_type: &'static str,
    pub(super) aggregate_id: String,
    pub(super) expected_version: i64,
    pub(super) events: Vec<NewEvent>,
    pub(super) metadata: String,
    pub(super) actor: String,
    pub(super) idempotency: Option<Idempotency>,
    pub(super) claim: Option<Claim>,
}

impl Command {
    pub(super) fn new(append: Append) -> Result<Self, serde_json::Error> {
        Ok(Self {
            aggregate_type: append.aggregate_type,
            aggregate_id: append.aggregate_id,
            expected_version: append.expected_version,
            events: append.events,
            metadata: serde_json::to_string(&append.metadata)?,
            actor: append.metadata.actor,
            idempotency: append.idempotency,
            claim: append.claim,
        })
    }

    /// Somebody waits for what it appends. Nobody does for records of access: readers that come
    /// by now and then take them along, so that reading does not keep all of them awake.
    pub(super) fn is_awaited(&self) -> bool {
        self.aggregate_type != kmrl_domain::access::TYPE
    }

    /// A command whose metadata may be anything, as cqrs-es allows.
    pub(super) fn with_metadata(
        aggregate_type: &'static str,
        aggregate_id: String,
        expected_version: i64,
        events: Vec<NewEvent>,
        metadata: &HashMap<String, String>,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            aggregate_type,
            aggregate_id,
            expected_version,
            events,
            metadata: serde_json::to_string(metadata)?,
            actor: metadata.get("actor").cloned().unwrap_or_default(),
            idempotency: None,
            claim: None,
        })
    }
}

/// What became of one command.
pub(super) type Outcome = Result<Appended, AppendError>;

/// The name of a sending: which writer, which of its batches, and whether it was sent before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending {
    pub(super) writer: i64,
    pub(super) batch: i64,
    pub(super) again: bool,
}

/// Appends the commands in one autocommitted statement. Outcomes are in the order of the commands.
pub(super) async fn append(
    connection: &mut PgConnection,
    sending: Sending,
    commands: &[&Command],
) -> Result<Vec<Outcome>, sqlx::Error> {
    let columns = Columns::of(commands);
    let rows: Vec<Row> = sqlx::query_as(STATEMENT)
        .bind(sending.writer)
        .bind(sending.batch)
        .bind(sending.again)
        .bind(columns.aggregate_type)
        .bind(columns.aggregate_id)
        .bind(columns.expected)
        .bind(columns.key)
        .bind(columns.fingerprint)
        .bind(columns.claim_kind)
        .bind(columns.claim_value)
        .bind(columns.command)
        .bind(columns.event_type)
        .bind(columns.event_version)
        .bind(columns.payload)
        .bind(columns.metadata)
        .bind(columns.actor)
        .bind(columns.salt)
        .bind(columns.private)
        .fetch_all(connection)
        .await?;
    if rows.len() != commands.len() {
        let text = format!("{} outcomes for {} commands", rows.len(), commands.len());
        return Err(sqlx::Error::Decode(text.into()));
    }
    rows.into_iter()
        .zip(commands)
        .map(|(row, command)| row.outcome(command))
        .collect()
}

/// The commands turned by a right angle: one array a column.
#[derive(Default)]
struct Columns<'a> {
    aggregate_type: Vec<&'a str>,
    aggregate_id: Vec<&'a str>,
    expected: Vec<i64>,
    key: Vec<Option<&'a str>>,
    fingerprint: Vec<Option<&'a [u8]>>,
    claim_kind: Vec<Option<&'a str>>,
    claim_value: Vec<Option<&'a str>>,
    command: Vec<i32>,
    event_type: Vec<&'a str>,
    event_version: Vec<&'a str>,
    payload: Vec<&'a str>,
    metadata: Vec<&'a str>,
    actor: Vec<&'a str>,
    salt: Vec<Option<&'a [u8]>>,
    private: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    fn of(commands: &[&'a Command]) -> Self {
        let mut columns = Self::default();
        for (command, number) in commands.iter().zip(1_i32..) {
            let idempotency = command.idempotency.as_ref();
            let claim = command.claim.as_ref();
            columns.aggregate_type.push(command.aggregate_type);
            columns.aggregate_id.push(&command.aggregate_id);
            columns.expected.push(command.expected_version);
            columns.key.push(idempotency.map(|i| i.key.as_str()));
            columns
                .fingerprint
                .push(idempotency.map(|i| i.fingerprint.as_slice()));
            columns.claim_kind.push(claim.map(|c| c.kind));
            columns.claim_value.push(claim.map(|c| c.value.as_str()));
            for event in &command.events {
                columns.event(number, command, event);
            }
        }
        columns
    }

    fn event(&mut self, number: i32, command: &'a Command, event: &'a NewEvent) {
        let private = event.private.as_ref();
        self.command.push(number);
        self.event_type.push(&event.event_type);
        self.event_version.push(&event.event_version);
        self.payload.push(&event.payload);
        self.metadata.push(&command.metadata);
        self.actor.push(&command.actor);
        self.salt.push(private.map(|p| p.salt.as_slice()));
        self.private.push(private.map(|p| p.content.as_str()));
    }
}

/// What `es_append` says of one command.
#[derive(sqlx::FromRow)]
struct Row {
    outcome: String,
    owner: Option<String>,
    version: Option<i64>,
    first_position: Option<i64>,
    last_position: Option<i64>,
    at: OffsetDateTime,
}

impl Row {
    fn outcome(self, command: &Command) -> Result<Outcome, sqlx::Error> {
        let outcome = match (self.outcome.as_str(), self.owner, self.version) {
            ("appended", _, Some(version)) => (command.aggregate_id.clone(), version, false),
            ("replayed", Some(owner), Some(version)) => (owner, version, true),
            ("reused", ..) => return Ok(Err(AppendError::KeyReused)),
            ("stale", _, Some(actual)) => return Ok(Err(AppendError::Stale { actual })),
            ("claimed", Some(owner), _) => return Ok(Err(AppendError::Claimed { owner })),
            (word, ..) => return Err(incomplete(word)),
        };
        let (Some(first_position), Some(position)) = (self.first_position, self.last_position)
        else {
            return Err(incomplete(&self.outcome));
        };
        let (aggregate_id, version, replayed) = outcome;
        Ok(Ok(Appended {
            aggregate_id,
            version,
            first_position,
            position,
            recorded_at: self.at,
            replayed,
        }))
    }
}

fn incomplete(word: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("es_append answered `{word}` without what belongs to it").into())
}
