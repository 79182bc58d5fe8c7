//! `POST /api/v1/keys`: make a key.

use super::super::auth::Principal;
use super::super::context::Caller;
use super::super::json::Json;
use super::super::problem::{Problem, ProblemBody, ProblemType};
use super::super::state::ApiState;
use super::IssuedKey;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kmrl_domain::api_key::Grant;
use kmrl_domain::authority::Reach;
use kmrl_domain::values::UnknownWord;
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// What a key is and may.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IssueRequest {
    /// 1 to 64 of a-z, 0-9, `-`, `_` and `.`; given once and for ever.
    #[schema(example = "maximo-muttom")]
    name: String,
    /// Who answers for it.
    #[schema(example = "Rolling stock maintenance")]
    owner: String,
    /// At least one of connector, reader, officer, auditor, administrator.
    #[schema(example = json!(["connector"]))]
    roles: Vec<String>,
    /// What the roles are narrowed to: some of documents:upload, documents:read, documents:change,
    /// audit:read, operations:read, operations:change, keys:manage.
    scopes: Option<Vec<String>>,
    /// Sources that it may write; absent: all. Needed for connectors.
    sources: Option<Vec<String>>,
    /// Departments whose documents it sees; absent: all.
    departments: Option<Vec<String>>,
    /// From when on it is good for nothing (RFC 3339); absent: never.
    #[serde(default, with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
}

impl IssueRequest {
    fn grant(self, sources: &[String]) -> Result<Grant, Problem> {
        let invalid = |what: String| Problem::new(ProblemType::KeyInvalid).detail(what);
        let words = |words: Option<Vec<String>>| words.map_or(Reach::All, Reach::Only);
        for source in self.sources.iter().flatten() {
            if !sources.contains(source) {
                let shown: String = source.chars().take(64).collect();
                let what = format!("`{shown}` is none of: {}", sources.join(", "));
                return Err(invalid(what));
            }
        }
        let roles: Result<_, UnknownWord> = self.roles.iter().map(|word| word.parse()).collect();
        let scopes = self.scopes.map(|words| {
            let scopes: Result<Vec<_>, UnknownWord> =
                words.iter().map(|word| word.parse()).collect();
            scopes
        });
        Ok(Grant {
            name: self.name,
            owner: self.owner,
            roles: roles.map_err(|e| invalid(e.to_string()))?,
            scopes: scopes.transpose().map_err(|e| invalid(e.to_string()))?,
            sources: words(self.sources),
            departments: words(self.departments),
            expires_at: self.expires_at,
        })
    }
}

/// Make a key
///
/// The key is in the answer and cannot be shown again: only a keyed hash of it is kept.
#[utoipa::path(
    post, path = "/api/v1/keys", tag = "keys", request_body = IssueRequest,
    responses(
        (status = 201, description = "The key", body = IssuedKey),
        (status = 400, description = "The request cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Another key has or had the name", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The values cannot be used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A part of the gateway does not answer", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn issue_key(
    State(state): State<ApiState>,
    caller: Caller,
    Json(request): Json<IssueRequest>,
) -> Result<Response, Problem> {
    let grant = request.grant(&state.upload.now().sources)?;
    within(&caller.principal, &grant)?;
    let issued = state
        .identity
        .keys()
        .issue(grant, caller.metadata())
        .await?;
    Ok(secret(StatusCode::CREATED, IssuedKey::of(issued)))
}

/// Nobody gives what they have not: a key narrowed to `keys:manage` must not make a wider one.
fn within(principal: &Principal, grant: &Grant) -> Result<(), Problem> {
    let own = &principal.authority;
    let of_roles = kmrl_domain::Permission::ALL.into_iter().all(|permission| {
        let given = kmrl_domain::Authority {
            actor: String::new(),
            roles: grant.roles.clone(),
            scopes: grant.scopes.clone(),
            sources: Reach::All,
            departments: Reach::All,
        };
        let anything = kmrl_domain::authority::Target::Anything;
        !given.permits(permission, anything) || own.permits(permission, anything)
    });
    let reaches = |own: &Reach, given: &Reach| match (own, given) {
        (Reach::All, _) => true,
        (Reach::Only(_), Reach::All) => false,
        (own, Reach::Only(words)) => words.iter().all(|word| own.covers(word)),
    };
    if of_roles
        && reaches(&own.sources, &grant.sources)
        && reaches(&own.departments, &grant.departments)
    {
        return Ok(());
    }
    Err(Problem::new(ProblemType::Forbidden).detail("a key cannot be allowed more than its issuer"))
}

/// An answer that nothing on its way may keep.
pub(super) fn secret(status: StatusCode, key: IssuedKey) -> Response {
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, no_store, axum::Json(key)).into_response()
}
