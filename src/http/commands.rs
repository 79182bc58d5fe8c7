//! `POST /api/v1/commands`: many commands of people as one batch, each answered for itself.

use super::audited::{Deed, Deeds};
use super::auth::sees;
use super::context::Caller;
use super::documents::{
    Changed, CorrectRequest, ReprocessRequest, ReviewRequest, WithdrawRequest, parse_id,
};
use super::idempotency;
use super::json::Json as StrictJson;
use super::problem::{Problem, ProblemBody, ProblemType};
use super::state::ApiState;
use crate::commands::{CommandOptions, Executed};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use kmrl_domain::Permission;
use kmrl_domain::{DocumentCommand, PrivatePart};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Most commands in a batch.
const MOST: usize = 100;

/// The commands, carried out in this order.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    /// At most 100.
    #[schema(value_type = Vec<BatchCommand>, min_items = 1, max_items = 100)]
    commands: Vec<Value>,
}

/// One command.
#[derive(Deserialize, ToSchema)]
pub(super) struct BatchCommand {
    /// correct, review, withdraw or reprocess.
    #[serde(rename = "type")]
    #[schema(
        example = "reprocess",
        pattern = "^(correct|review|withdraw|reprocess)$"
    )]
    kind: String,
    /// The document.
    #[schema(format = Uuid)]
    document_id: String,
    /// Only when the document is at this version.
    if_version: Option<i64>,
    /// Makes repeating the command safe.
    idempotency_key: Option<String>,
    /// What the command takes: as in the body of its own path.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    rest: serde_json::Map<String, Value>,
}

/// The answers, in the order of the commands.
#[derive(Serialize, ToSchema)]
pub(super) struct BatchAnswer {
    results: Vec<BatchResult>,
}

/// Either what came of it or what was wrong.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum BatchResult {
    /// It was carried out.
    Done(Changed),
    /// It was not.
    Refused {
        /// Why.
        problem: ProblemBody,
    },
}

/// Carry out many commands, each answered for itself
#[utoipa::path(
    post, path = "/api/v1/commands", tag = "commands", request_body = Batch,
    responses(
        (status = 200, description = "An answer for each command, in order; some may be problems", body = BatchAnswer),
        (status = 400, description = "The batch cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn commands(
    State(state): State<ApiState>,
    caller: Caller,
    StrictJson(batch): StrictJson<Batch>,
) -> Result<Response, Problem> {
    if batch.commands.is_empty() || batch.commands.len() > MOST {
        let what = format!("a batch has 1 to {MOST} commands");
        return Err(Problem::new(ProblemType::JsonMalformed).detail(what));
    }
    let mut results = Vec::with_capacity(batch.commands.len());
    let mut deeds = Vec::new();
    for command in batch.commands {
        let (id, action) = named(&command);
        results.push(match execute(&state, &caller, command).await {
            Ok(executed) => {
                deeds.extend(Deed::of(&executed, action));
                BatchResult::Done(Changed::of(&executed))
            }
            Err(problem) => {
                let body = problem.body(None);
                deeds.push(Deed::refused(problem, id, action));
                BatchResult::Refused { problem: body }
            }
        });
    }
    let mut response = Json(BatchAnswer { results }).into_response();
    response.extensions_mut().insert(Deeds(deeds));
    Ok(response)
}

/// The document and the action that a command names, as far as they can be read.
fn named(command: &Value) -> (Option<Uuid>, Option<String>) {
    let word = |name: &str| command.get(name).and_then(Value::as_str);
    let known = |kind: &&str| ["correct", "review", "withdraw", "reprocess"].contains(kind);
    let id = word("document_id").and_then(|id| Uuid::try_parse(id).ok());
    (id, word("type").filter(known).map(ToOwned::to_owned))
}

async fn execute(state: &ApiState, caller: &Caller, value: Value) -> Result<Executed, Problem> {
    let text = value.to_string();
    let command: BatchCommand = form(value)?;
    let id = parse_id(&command.document_id)?;
    sees(state, &caller.principal, Permission::Change, id).await?;
    let key = command.idempotency_key.as_deref();
    let key = key.map(idempotency::check).transpose()?;
    let (decision, private, read) = match command.kind.as_str() {
        "review" => {
            let request = form::<ReviewRequest>(Value::Object(command.rest))?;
            let prepared = request.prepare(state, caller, id).await?;
            (prepared.command, None, prepared.version)
        }
        kind => {
            let (decision, private) = decision(state, kind, command.rest)?;
            (decision, private, None)
        }
    };
    let options = CommandOptions {
        metadata: caller.metadata(),
        if_version: command.if_version.or(read),
        idempotency: key.map(|key| idempotency::of(&caller.principal, key, &["batch", &text])),
        private,
    };
    Ok(state.commands.execute(id, decision, options).await?)
}

fn decision(
    state: &ApiState,
    kind: &str,
    rest: serde_json::Map<String, Value>,
) -> Result<(DocumentCommand, Option<PrivatePart>), Problem> {
    let rest = Value::Object(rest);
    let now = state.clock.now();
    match kind {
        "reprocess" => Ok((form::<ReprocessRequest>(rest)?.command(now), None)),
        "withdraw" => Ok((form::<WithdrawRequest>(rest)?.command(now), None)),
        "correct" => form::<CorrectRequest>(rest)?.command(state),
        other => {
            let shown: String = other.chars().take(64).collect();
            let what = format!("`{shown}` is none of correct, review, withdraw, reprocess");
            Err(Problem::new(ProblemType::JsonMalformed).detail(what))
        }
    }
}

fn form<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_json::from_value(value)
        .map_err(|e| Problem::new(ProblemType::JsonMalformed).detail(e.to_string()))
}
