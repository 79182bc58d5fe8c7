//! Query strings, taken strictly: what the document does not name is refused, not ignored.

use super::problem::{Problem, ProblemType};
use axum::extract::{FromRequestParts, Query as AxumQuery};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

/// Query parameters of the form `T`.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + IntoParams> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let invalid = |what: String| Problem::new(ProblemType::InvalidParameter).detail(what);
        let AxumQuery(pairs) = AxumQuery::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|e| invalid(e.body_text()))?;
        let known = T::into_params(|| None);
        for (name, _) in &pairs {
            if !known.iter().any(|p| p.name == *name) {
                let names: Vec<_> = known.iter().map(|p| p.name.as_str()).collect();
                let shown: String = name.chars().take(64).collect();
                let what = format!("`{shown}` is none of: {}", names.join(", "));
                return Err(Problem::new(ProblemType::UnknownParameter).detail(what));
            }
        }
        let AxumQuery(value) =
            AxumQuery::<T>::try_from_uri(&parts.uri).map_err(|e| invalid(e.body_text()))?;
        Ok(Self(value))
    }
}

/// A number within limits, or its default.
///
/// # Errors
/// When it is outside.
pub fn within(
    name: &str,
    given: Option<i64>,
    default: i64,
    limits: std::ops::RangeInclusive<i64>,
) -> Result<i64, Problem> {
    let value = given.unwrap_or(default);
    if limits.contains(&value) {
        return Ok(value);
    }
    let what = format!("`{name}` is from {} to {}", limits.start(), limits.end());
    Err(Problem::new(ProblemType::InvalidParameter).detail(what))
}
