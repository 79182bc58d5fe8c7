//! Records every request of the API before the first byte of its answer is sent.
//!
//! The layer stands outside the one that asks for the key, so that denied attempts are recorded
//! too. Handlers say by response extensions what they showed ([`Touched`]) or did ([`Deeds`]).
//! Fails closed: what cannot be recorded is not answered.

use super::auth::Principal;
use super::context::RequestContext;
use super::problem::{Problem, ProblemType};
use super::rules::action;
use super::state::ApiState;
use crate::audit::RecordError;
use crate::commands::Executed;
use axum::RequestExt;
use axum::extract::{MatchedPath, Query, RawPathParams, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, RANGE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use kmrl_domain::access::{AccessRecord, LONGEST_VALUE, Outcome, bounded};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

/// Parts of parameter names whose values are never recorded.
const SECRET: [&str; 6] = ["key", "token", "secret", "password", "auth", "ticket"];
/// Most parameters looked at.
const MOST_PARAMETERS: usize = 20;

/// What an answer shows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Touched {
    /// Another action than the route's.
    pub action: Option<&'static str>,
    /// Which document.
    pub document_id: Option<Uuid>,
    /// Which version of it.
    pub version: Option<i64>,
    /// Position of the log that it was read at.
    pub shown_at: Option<i64>,
    /// How many things it shows.
    pub count: Option<usize>,
}

impl Touched {
    /// A document at a version.
    pub(super) fn document(id: Uuid, version: i64, shown_at: i64) -> Self {
        Self {
            document_id: Some(id),
            version: Some(version),
            shown_at: Some(shown_at),
            count: Some(1),
            ..Self::default()
        }
    }

    /// So many things.
    pub(super) fn many(count: usize, shown_at: i64) -> Self {
        Self {
            shown_at: Some(shown_at),
            count: Some(count),
            ..Self::default()
        }
    }

    /// The answer, saying what it shows.
    pub(super) fn with(self, answer: impl IntoResponse) -> Response {
        let mut response = answer.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A command that has no event of its own to tell of it.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    /// What; absent: the route's action.
    pub action: Option<String>,
    /// To which document.
    pub document_id: Option<Uuid>,
    /// At which version it is.
    pub version: Option<i64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was refused.
    pub problem: Option<Problem>,
}

/// What a handler did that no event tells. Where it is given, these are the records, and no other.
#[derive(Clone, Debug, Default)]
pub(super) struct Deeds(pub Vec<Deed>);

impl Deeds {
    /// Nothing, when the command made an event: that is the record.
    pub(super) fn of(executed: &Executed) -> Self {
        Self(Deed::of(executed, None).into_iter().collect())
    }
}

impl Deed {
    pub(super) fn of(executed: &Executed, action: Option<String>) -> Option<Self> {
        let outcome = match executed {
            Executed { replayed: true, .. } => Outcome::Replayed,
            Executed { changed: false, .. } => Outcome::Unchanged,
            _ => return None,
        };
        Some(Self {
            action,
            document_id: Some(executed.document_id),
            version: Some(executed.version),
            outcome,
            problem: None,
        })
    }

    pub(super) fn refused(problem: Problem, id: Option<Uuid>, action: Option<String>) -> Self {
        Self {
            action,
            document_id: id,
            version: None,
            outcome: ended(problem.kind().status(), Some(&problem)),
            problem: Some(problem),
        }
    }
}

/// Records a request and what came of it.
pub(super) async fn audited(
    State(state): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(asked) = Asked::of(&mut request).await else {
        return next.run(request).await;
    };
    let response = next.run(request).await;
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        // It was not looked at. A flood that a limit stops must not flood the log, which is kept for ever.
        return response;
    }
    let records = asked.records(&response, state.clock.now());
    if response.status().is_server_error() {
        // Nothing is shown: the client need not wait for a database that may be away.
        state.access.note(records);
        return response;
    }
    match state.access.record_all(records).await {
        Ok(()) => response,
        Err(error) => Problem::from(error).into_response(),
    }
}

/// What is known of a request before it is handled.
struct Asked {
    action: &'static str,
    context: RequestContext,
    document_id: Option<Uuid>,
    parameters: BTreeMap<String, String>,
    credential: &'static str,
}

impl Asked {
    /// `None` when it is not recorded.
    async fn of(request: &mut Request) -> Option<Self> {
        let route = request.extensions().get::<MatchedPath>()?.as_str();
        let action = action(request.method(), route)?;
        let context = request.extensions().get::<RequestContext>()?.clone();
        let mut parameters = BTreeMap::new();
        if action == "unlisted" {
            let route = format!("{} {route}", request.method());
            parameters.insert("route".to_owned(), route);
        }
        let mut document_id = None;
        if let Ok(path) = request.extract_parts::<RawPathParams>().await {
            for (name, value) in &path {
                match Uuid::try_parse(value) {
                    Ok(id) if name == "id" => document_id = Some(id),
                    _ => drop(parameters.insert(name.to_owned(), shown(name, value))),
                }
            }
        }
        type Pairs = Vec<(String, String)>;
        if let Ok(Query(pairs)) = Query::<Pairs>::try_from_uri(request.uri()) {
            for (name, value) in pairs.into_iter().take(MOST_PARAMETERS) {
                if name == "document_id" {
                    document_id = document_id.or_else(|| Uuid::try_parse(&value).ok());
                }
                let value = shown(&name, &value);
                parameters.insert(name, value);
            }
        }
        let headers = request.headers();
        if let Some(range) = headers.get(RANGE).and_then(|v| v.to_str().ok()) {
            parameters.insert("range".to_owned(), shown("range", range));
        }
        let credential = if headers.contains_key("x-api-key") {
            "api_key"
        } else if headers.contains_key(AUTHORIZATION) {
            "authorization"
        } else {
            "none"
        };
        Some(Self {
            action,
            context,
            document_id,
            parameters,
            credential,
        })
    }

    fn records(mut self, response: &Response, at: OffsetDateTime) -> Vec<AccessRecord> {
        let extensions = response.extensions();
        let (problem, principal) = (extensions.get::<Problem>(), extensions.get::<Principal>());
        if principal.is_none() {
            let word = self.credential.to_owned();
            self.parameters.insert("credential".into(), word);
        }
        let status = response.status();
        let outcome = ended(status, problem);
        let base = AccessRecord {
            document_id: self.document_id,
            status: Some(status.as_u16()),
            reason: self.parameters.remove("reason"),
            parameters: self.parameters,
            ..record(&self.context, principal, self.action, outcome, at)
        };
        if let Some(Deeds(deeds)) = extensions.get::<Deeds>() {
            return deeds.iter().map(|deed| deed.record(base.clone())).collect();
        }
        let touched = extensions.get::<Touched>().copied().unwrap_or_default();
        let mut record = base;
        if let Some(action) = touched.action {
            record.action = action.into();
        }
        record.document_id = touched.document_id.or(record.document_id);
        record.version = touched.version;
        record.shown_at = touched.shown_at;
        record.count = touched.count.and_then(|n| i64::try_from(n).ok());
        vec![refusal(record, problem)]
    }
}

impl Deed {
    fn record(&self, mut record: AccessRecord) -> AccessRecord {
        if let Some(action) = &self.action {
            record.action.clone_from(action);
        }
        record.document_id = self.document_id.or(record.document_id);
        record.version = self.version;
        record.outcome = self.outcome;
        if let Some(problem) = &self.problem {
            record.status = Some(problem.kind().status().as_u16());
        }
        refusal(record, self.problem.as_ref())
    }
}

/// A record of who asked in a request.
pub(super) fn record(
    context: &RequestContext,
    principal: Option<&Principal>,
    action: &str,
    outcome: Outcome,
    at: OffsetDateTime,
) -> AccessRecord {
    let actor = principal.map_or("anonymous", |p| &p.actor);
    AccessRecord {
        key_id: principal.and_then(|p| p.key_id.clone()),
        request_id: Some(context.request_id.clone()),
        correlation_id: Some(context.correlation_id.clone()),
        traceparent: Some(context.traceparent.clone()),
        address: context.address.map(|a| a.to_string()),
        user_agent: context.user_agent.clone(),
        ..AccessRecord::new(action, outcome, actor, at)
    }
}

/// Says what it was answered with. The sentence of a problem may quote what was sent, which has
/// no place in a log that is never erased; those of the rules do not.
fn refusal(mut record: AccessRecord, problem: Option<&Problem>) -> AccessRecord {
    let Some(problem) = problem else {
        return record;
    };
    record.problem = Some(problem.kind().slug().into());
    let of_rules = matches!(
        problem.kind(),
        ProblemType::CommandRefused | ProblemType::VersionMismatch
    );
    let why = if of_rules {
        problem.sentence()
    } else {
        problem.kind().title()
    };
    record.reason = record.reason.or_else(|| Some(why.to_owned()));
    record
}

/// What is withheld is answered as if it were not there, and is denied all the same.
fn ended(status: StatusCode, problem: Option<&Problem>) -> Outcome {
    match problem.is_some_and(Problem::withholds) {
        true => Outcome::Denied,
        false => outcome(status),
    }
}

fn outcome(status: StatusCode) -> Outcome {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Outcome::Denied,
        s if s.is_client_error() => Outcome::Refused,
        s if s.is_server_error() => Outcome::Failed,
        _ => Outcome::Shown,
    }
}

fn shown(name: &str, value: &str) -> String {
    let name = name.to_ascii_lowercase();
    if SECRET.iter().any(|part| name.contains(part)) {
        return "(hidden)".into();
    }
    let most = if name == "reason" {
        kmrl_domain::access::LONGEST_REASON
    } else {
        LONGEST_VALUE
    };
    bounded(value, most)
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        if matches!(error, RecordError::Overloaded) {
            // What a flood does to the trail it must not do to the log of the process.
            tracing::debug!("a request is not answered: too many wait to be recorded");
        } else {
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::warn!(error, "a request is not answered: it could not be recorded");
        }
        Self::new(ProblemType::NotRecorded)
            .detail("every access is recorded before it is answered; try again")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_parameters_are_hidden() {
        for name in ["api_key", "X-Api-Key", "access_token", "PASSWORD", "ticket"] {
            assert_eq!(shown(name, "s3cret"), "(hidden)", "{name}");
        }
        assert_eq!(shown("source", "scan\r\n"), "scan\u{fffd}\u{fffd}");
        assert_eq!(shown("q", &"x".repeat(9_999)).len(), LONGEST_VALUE);
    }

    #[test]
    fn statuses_have_their_outcomes() {
        for (status, expected) in [
            (200, Outcome::Shown),
            (101, Outcome::Shown),
            (304, Outcome::Shown),
            (401, Outcome::Denied),
            (404, Outcome::Refused),
            (503, Outcome::Failed),
        ] {
            assert_eq!(outcome(StatusCode::from_u16(status).unwrap()), expected);
        }
    }
}
