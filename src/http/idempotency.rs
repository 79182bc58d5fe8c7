//! `Idempotency-Key`: a request that is repeated has one effect and one answer.

use super::auth::Principal;
use super::problem::{Problem, ProblemType};
use crate::event_store::Idempotency;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

/// Told with an answer that was given before.
pub static REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The value told with it.
#[must_use]
pub const fn yes() -> HeaderValue {
    HeaderValue::from_static("true")
}

/// The key of the header, if there is one: 1 to 255 visible ASCII characters.
///
/// # Errors
/// When it is anything else.
pub fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    headers.get("idempotency-key").map_or(Ok(None), |value| {
        let text = value.to_str().unwrap_or_default();
        check(text).map(Some)
    })
}

/// Checks a key.
///
/// # Errors
/// When it cannot be used.
pub fn check(key: &str) -> Result<String, Problem> {
    if (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(key.to_owned());
    }
    Err(Problem::new(ProblemType::IdempotencyKeyInvalid)
        .detail("an idempotency key has 1 to 255 visible ASCII characters"))
}

/// The key as the store knows it, each caller's keys apart, with what it was used for.
#[must_use]
pub fn of(principal: &Principal, key: String, parts: &[&str]) -> Idempotency {
    let mut hasher = Sha256::new();
    for part in parts {
        // The length before each part keeps neighbours apart.
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    Idempotency {
        key: format!("http:{}:{key}", principal.scope()),
        fingerprint: hasher.finalize().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_tell_parts_apart() {
        let principal = Principal::of_settings("k", kmrl_domain::Role::Reader);
        let of = |parts: &[&str]| of(&principal, "x".into(), parts).fingerprint;
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
    }

    #[test]
    fn keys_are_visible_ascii() {
        assert!(check("a-1").is_ok());
        for bad in ["", "a b", "é", &"x".repeat(256)] {
            assert_eq!(
                check(bad).unwrap_err().kind(),
                ProblemType::IdempotencyKeyInvalid
            );
        }
    }
}
