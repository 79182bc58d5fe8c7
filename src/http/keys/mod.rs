//! `/api/v1/keys`: API keys, issued, listed, rotated and revoked. Each change is an event.

mod change;
mod issue;
mod list;

use super::problem::{Problem, ProblemType};
use super::state::ApiState;
use crate::identity::{Issued, KeyError, prefix};
use kmrl_domain::api_key::{ApiKeyRefusal, Grant};
use kmrl_domain::authority::Reach;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// Their routes.
pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list::keys, issue::issue_key))
        .routes(routes!(change::rotate_key))
        .routes(routes!(change::revoke_key))
}

/// What a key is and may.
#[derive(Serialize, ToSchema)]
struct KeyTerms {
    id: Uuid,
    /// How the key begins: enough to tell keys apart.
    prefix: String,
    /// Given once and for ever: the actor of what is done with it is `key:` and this.
    name: String,
    owner: String,
    roles: Vec<&'static str>,
    /// What the roles are narrowed to; absent: to nothing less.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    scopes: Option<Vec<&'static str>>,
    /// Sources that it may write; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sources: Option<Vec<String>>,
    /// Departments whose documents it sees; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    departments: Option<Vec<String>>,
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
}

impl KeyTerms {
    fn of(id: Uuid, grant: Grant) -> Self {
        let words = |reach| match reach {
            Reach::All => None,
            Reach::Only(words) => Some(words),
        };
        let scopes = |scopes: Vec<kmrl_domain::Permission>| {
            scopes.into_iter().map(|scope| scope.as_str()).collect()
        };
        Self {
            id,
            prefix: prefix(id),
            name: grant.name,
            owner: grant.owner,
            roles: grant.roles.into_iter().map(|role| role.as_str()).collect(),
            scopes: grant.scopes.map(scopes),
            sources: words(grant.sources),
            departments: words(grant.departments),
            expires_at: grant.expires_at,
        }
    }
}

/// A key with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
struct IssuedKey {
    /// The whole key, to be sent in X-API-Key. It cannot be shown again.
    key: String,
    #[serde(flatten)]
    terms: KeyTerms,
    /// Position of the event.
    position: i64,
}

impl IssuedKey {
    fn of(issued: Issued) -> Self {
        Self {
            key: issued.secret.reveal().reveal().to_owned(),
            terms: KeyTerms::of(issued.id, issued.grant),
            position: issued.position,
        }
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        let kind = match &error {
            KeyError::Refused(ApiKeyRefusal::Unknown) => ProblemType::KeyNotFound,
            KeyError::Refused(ApiKeyRefusal::Over) => ProblemType::KeyOver,
            KeyError::Refused(_) => ProblemType::KeyInvalid,
            KeyError::NameTaken => ProblemType::KeyNameTaken,
            KeyError::Unavailable(source) => {
                tracing::warn!(error = &**source as &dyn std::error::Error, "{error}");
                return Self::new(ProblemType::Unavailable);
            }
        };
        Self::new(kind).detail(error.to_string())
    }
}
