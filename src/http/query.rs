//! Query strings, taken strictly: what the OpenAPI document does not name is refused, not ignored, and
//! what it says of numbers and lengths holds.

use super::problem::{Problem, ProblemType};
use axum::extract::{FromRequestParts, Query as AxumQuery};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, Number};

/// Most parameters of a query string; no path takes as many.
const MOST: usize = 64;

/// Query parameters of the form `T`.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + IntoParams> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let invalid = |what: String| Problem::new(ProblemType::InvalidParameter).detail(what);
        let AxumQuery(pairs) = AxumQuery::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|e| invalid(e.body_text()))?;
        if pairs.len() > MOST {
            let what = format!("a query has at most {MOST} parameters");
            return Err(invalid(what));
        }
        let known = T::into_params(|| None);
        for (name, value) in &pairs {
            let Some(parameter) = known.iter().find(|p| p.name == *name) else {
                let names: Vec<_> = known.iter().map(|p| p.name.as_str()).collect();
                let shown: String = name.chars().take(64).collect();
                let what = format!("`{shown}` is none of: {}", names.join(", "));
                return Err(Problem::new(ProblemType::UnknownParameter).detail(what));
            };
            keeps(parameter, value).map_err(invalid)?;
        }
        let AxumQuery(value) =
            AxumQuery::<T>::try_from_uri(&parts.uri).map_err(|e| invalid(e.body_text()))?;
        Ok(Self(value))
    }
}

/// Whether a value keeps the limits that the document tells of its parameter. What is no number where one
/// belongs is found by whoever reads it.
fn keeps(parameter: &Parameter, value: &str) -> Result<(), String> {
    let name = &parameter.name;
    // PostgreSQL has no text with it.
    if value.contains('\0') {
        return Err(format!("`{name}` has the character U+0000"));
    }
    let Some(RefOr::T(Schema::Object(limits))) = &parameter.schema else {
        return Ok(());
    };
    if let Ok(number) = value.parse::<i128>() {
        if let Some(least) = limits.minimum.as_ref().and_then(whole)
            && number < least
        {
            return Err(format!("`{name}` is at least {least}"));
        }
        if let Some(most) = limits.maximum.as_ref().and_then(whole)
            && number > most
        {
            return Err(format!("`{name}` is at most {most}"));
        }
    }
    match limits.max_length {
        Some(most) if value.chars().count() > most => {
            Err(format!("`{name}` has at most {most} characters"))
        }
        _ => Ok(()),
    }
}

fn whole(number: &Number) -> Option<i128> {
    match number {
        Number::Int(number) => i128::try_from(*number).ok(),
        Number::UInt(number) => i128::try_from(*number).ok(),
        Number::Float(_) => None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    #[derive(serde::Deserialize, IntoParams)]
    struct Asked {
        #[param(minimum = 0, maximum = 9)]
        n: Option<i64>,
        #[param(max_length = 3)]
        word: Option<String>,
    }

    async fn read(query: &str) -> Result<Asked, ProblemType> {
        let request = Request::builder().uri(format!("/x?{query}"));
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let asked = Query::<Asked>::from_request_parts(&mut parts, &()).await;
        asked.map(|Query(asked)| asked).map_err(|p| p.kind())
    }

    #[tokio::test]
    async fn what_the_document_says_of_a_parameter_holds() {
        let asked = read("n=9&word=%E0%B4%AE%E0%B4%BE%E0%B4%B2").await.unwrap();
        assert_eq!((asked.n, asked.word.as_deref()), (Some(9), Some("മാല")));
        let many = "n=1&".repeat(MOST + 1);
        for bad in [
            "n=-1",
            "n=10",
            "n=x",
            "word=four",
            "word=%00",
            "n=1&n=2",
            &many,
        ] {
            assert_eq!(
                read(bad).await.err(),
                Some(ProblemType::InvalidParameter),
                "{bad}"
            );
        }
        assert_eq!(
            read("colour=red").await.err(),
            Some(ProblemType::UnknownParameter)
        );
    }
}
