//! Who is asking: the administrator's key or the second person's, in `X-API-Key` or as a bearer token.

use super::problem::{Problem, ProblemType};
use super::state::ApiState;
use crate::config::Secret;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};

/// Whoever proved to hold a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Who, as kept with events.
    pub actor: String,
    /// Which key.
    pub key_id: String,
    /// Name shown as uploader.
    pub name: String,
}

impl Principal {
    fn of(key: &str) -> Self {
        Self {
            actor: format!("key:{key}"),
            key_id: key.into(),
            name: key.into(),
        }
    }
}

/// Lets a request pass when it brings a key, and remembers who asked.
pub async fn require_key(
    State(state): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let given = given_key(request.headers());
    let holds = |key: &Secret| given.is_some_and(|given| same(given, key.reveal()));
    let (admin, approver) = (
        holds(&state.key),
        state.approver.as_ref().is_some_and(holds),
    );
    let principal = match (admin, approver) {
        (true, _) => Principal::of("admin"),
        (false, true) => Principal::of("approver"),
        (false, false) => {
            return Err(Problem::new(ProblemType::Unauthorized)
                .detail("send the key in X-API-Key or as Authorization: Bearer"));
        }
    };
    request.extensions_mut().insert(principal.clone());
    let mut response = next.run(request).await;
    // For the record of the access, which is made outside of this.
    response.extensions_mut().insert(principal);
    Ok(response)
}

fn given_key(headers: &HeaderMap) -> Option<&str> {
    let api_key = headers.get("x-api-key").and_then(|v| v.to_str().ok());
    api_key.or_else(|| {
        let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    })
}

/// Compares digests, all bytes of them, so that time tells nothing of the key.
fn same(given: &str, key: &str) -> bool {
    let (a, b) = (Sha256::digest(given), Sha256::digest(key));
    a.iter()
        .zip(b.iter())
        .fold(0, |diff, (x, y)| diff | (x ^ y))
        == 0
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let principal = parts.extensions.get::<Self>().cloned();
        principal.ok_or_else(|| Problem::new(ProblemType::Unauthorized))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn both_headers_carry_the_key() {
        let mut headers = HeaderMap::new();
        assert_eq!(given_key(&headers), None);
        headers.insert(AUTHORIZATION, HeaderValue::from_static("bearer abc"));
        assert_eq!(given_key(&headers), Some("abc"));
        headers.insert("x-api-key", HeaderValue::from_static("xyz"));
        assert_eq!(given_key(&headers), Some("xyz"));
        headers.clear();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic abc"));
        assert_eq!(given_key(&headers), None);
    }

    #[test]
    fn only_the_same_key_is_the_same() {
        assert!(same("0123456789abcdef", "0123456789abcdef"));
        assert!(!same("0123456789abcdee", "0123456789abcdef"));
        assert!(!same("", "0123456789abcdef"));
    }
}
