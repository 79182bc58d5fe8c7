//! What the commands of people have in common: the id, the condition, the answer.

use super::super::audited::Deeds;
use super::super::context::Caller;
use super::super::etag::{IfMatch, etag};
use super::super::idempotency;
use super::super::problem::{Problem, ProblemType};
use super::super::state::ApiState;
use crate::commands::{CommandOptions, Executed};
use axum::Json;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use kmrl_domain::{DocumentCommand, PrivatePart};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What came of a command.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Changed {
    /// The document.
    document_id: Uuid,
    /// Its version now; the ETag.
    version: i64,
    /// Position that shows the change: for `min_position`.
    position: i64,
    /// `false`: it was so already.
    changed: bool,
}

impl Changed {
    pub(crate) const fn of(executed: &Executed) -> Self {
        Self {
            document_id: executed.document_id,
            version: executed.version,
            position: executed.position,
            changed: executed.changed,
        }
    }
}

/// The id of a path.
pub(crate) fn parse_id(text: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(text)
        .map_err(|_| Problem::new(ProblemType::InvalidId).detail("a document's id is a UUID"))
}

/// A person's command on one document.
pub(super) struct Change<'a> {
    pub(super) caller: &'a Caller,
    pub(super) headers: &'a HeaderMap,
    pub(super) id: Uuid,
    pub(super) condition: IfMatch,
    /// The command's name and its canonical body: what an idempotency key stands for.
    pub(super) fingerprint: (&'static str, String),
    pub(super) private: Option<PrivatePart>,
}

impl Change<'_> {
    /// Carries it out and answers.
    pub(super) async fn execute(
        self,
        state: &ApiState,
        command: DocumentCommand,
    ) -> Result<Response, Problem> {
        let key = idempotency::key(self.headers)?;
        let id = self.id.to_string();
        let (name, body) = &self.fingerprint;
        let idempotency =
            key.map(|key| idempotency::of(&self.caller.principal, key, &[name, &id, body]));
        let options = CommandOptions {
            metadata: self.caller.metadata(),
            if_version: self.condition.version(),
            idempotency,
            private: self.private,
        };
        let executed = state.commands.execute(self.id, command, options).await?;
        let mut response = Json(Changed::of(&executed)).into_response();
        response.extensions_mut().insert(Deeds::of(&executed));
        let headers = response.headers_mut();
        headers.insert(axum::http::header::ETAG, etag(executed.version));
        if executed.replayed {
            headers.insert(idempotency::REPLAYED.clone(), idempotency::yes());
        }
        Ok(response)
    }
}
