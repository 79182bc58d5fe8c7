//! JSON bodies, taken strictly: bounded in size and depth, unknown fields refused.

use super::problem::{Problem, ProblemType};
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use futures::StreamExt as _;
use serde::de::DeserializeOwned;

/// Largest JSON body, in bytes.
pub const MAX_BODY: usize = 1 << 20;
/// Deepest nesting of arrays and objects.
pub const MAX_DEPTH: usize = 32;

/// A JSON body of the form `T`.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(&request) {
            return Err(Problem::new(ProblemType::ContentTypeUnsupported));
        }
        let bytes = read(request).await?;
        object(&bytes)?;
        parse(&bytes).map(Self)
    }
}

/// A JSON body that may be absent.
pub struct OptionalJson<T>(pub Option<T>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let declared = is_json(&request);
        let bytes = read(request).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if !declared {
            return Err(Problem::new(ProblemType::ContentTypeUnsupported));
        }
        if bytes.trim_ascii() == b"null" {
            return Ok(Self(None));
        }
        object(&bytes)?;
        parse(&bytes).map(|value| Self(Some(value)))
    }
}

fn is_json(request: &Request) -> bool {
    let value = request.headers().get(CONTENT_TYPE);
    let essence = value.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = essence.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

async fn read(request: Request) -> Result<Vec<u8>, Problem> {
    let mut body = request.into_body().into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        // Whoever sends chunks that are none, or less than announced, is told so if still there.
        let chunk = chunk.map_err(|_| {
            Problem::new(ProblemType::JsonMalformed).detail("the body did not come whole")
        })?;
        if bytes.len() + chunk.len() > MAX_BODY {
            let what = format!("a JSON body has at most {MAX_BODY} bytes");
            return Err(Problem::new(ProblemType::BodyTooLarge).detail(what));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// A struct would also be read from an array of its fields' values, which no client is told of.
fn object(bytes: &[u8]) -> Result<(), Problem> {
    // What is too deep is told first.
    let is_one = bytes.trim_ascii_start().first() == Some(&b'{') || depth(bytes) > MAX_DEPTH;
    let what = "the body is a JSON object";
    is_one
        .then_some(())
        .ok_or_else(|| Problem::new(ProblemType::JsonMalformed).detail(what))
}

/// Parses bounded JSON.
///
/// # Errors
/// When it is nested too deep or has another form.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if depth(bytes) > MAX_DEPTH {
        let what = format!("JSON may be nested {MAX_DEPTH} deep");
        return Err(Problem::new(ProblemType::JsonTooDeep).detail(what));
    }
    serde_json::from_slice(bytes)
        .map_err(|e| Problem::new(ProblemType::JsonMalformed).detail(e.to_string()))
}

/// Deepest nesting of brackets outside strings; for JSON, its depth.
#[must_use]
pub fn depth(bytes: &[u8]) -> usize {
    let (mut now, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        assert_eq!(depth(b"1"), 0);
        assert_eq!(depth(br#"{"a":[1,{"b":"[[[["}]}"#), 3);
        assert_eq!(depth(br#"["\"[[[["]"#), 1);
    }

    #[test]
    fn deep_and_torn_json_are_told_apart() {
        let deep = "[".repeat(MAX_DEPTH + 1);
        let kind = |text: &str| {
            parse::<serde_json::Value>(text.as_bytes())
                .unwrap_err()
                .kind()
        };
        assert_eq!(kind(&deep), ProblemType::JsonTooDeep);
        assert_eq!(kind("{"), ProblemType::JsonMalformed);
    }
}
